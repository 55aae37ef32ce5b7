"""Sockets and addresses: what Haystack listens on, how many descriptors it may have, and who may ask."""
