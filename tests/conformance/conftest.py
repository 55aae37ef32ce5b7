"""Fixtures of the conformance tests: they live beside the process they start."""

from tests.fakes.h2_site import h2_site
from tests.fakes.ssh import keys, log, person, shell
from tests.fakes.worker import fakes, origin, site

__all__ = ["fakes", "h2_site", "keys", "log", "origin", "person", "shell", "site"]
