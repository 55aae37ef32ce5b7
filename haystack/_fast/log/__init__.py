"""The lines of the access log."""
