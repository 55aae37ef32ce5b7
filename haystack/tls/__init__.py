"""Certificates: what they are, where they come from, and which of them is for which name."""
