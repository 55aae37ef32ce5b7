"""Plain C data structures, digits, digests and random numbers."""
