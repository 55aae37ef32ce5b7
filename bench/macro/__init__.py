"""Whole processes under load."""
