"""From snapshots to the routing tables of the workers."""
