"""A Docker engine as a source of containers."""
