"""Fixtures of the proxy's conformance tests: they live beside the process they start."""

from tests.fakes.worker import fakes, origin, site

__all__ = ["fakes", "origin", "site"]
