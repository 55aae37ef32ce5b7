"""Connections of both sides, and their legs."""
