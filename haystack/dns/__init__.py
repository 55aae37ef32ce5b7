"""Haystack's own DNS: the zone of a snapshot, its answers, port 53, and forwarding of the rest."""
