"""A Swarm as a source of containers: its services, tasks and nodes, as its managers tell them."""
