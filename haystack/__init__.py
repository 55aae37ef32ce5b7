"""Haystack: names for containers, and HTTP balanced over them."""

__version__ = "0.1.0"
