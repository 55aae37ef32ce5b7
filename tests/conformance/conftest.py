"""Fixtures of the conformance tests: they live beside the process they start."""

from tests.fakes.ssh import keys, person, shell
from tests.fakes.worker import fakes, origin, site

__all__ = ["fakes", "keys", "origin", "person", "shell", "site"]
