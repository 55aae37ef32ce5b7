"""Pickers, one file an algorithm, and what binds a client to an endpoint."""
