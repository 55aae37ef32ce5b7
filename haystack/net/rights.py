"""What a client's address is good for, as bits. A module of its own, for a worker needs nothing else of access.py."""

from __future__ import annotations

import enum


class Right(enum.IntFlag):
    """What an address is good for; the numbers are those of _fast/net/networks.pxd.

    NEAR: loopback, or a network of an engine; GATEWAY: the gateway of one, or Swarm's ingress, behind which Docker may hide others;
    NOBODY: no address has it; INTRODUCED: its connections begin with a PROXY header, which tells whose they are.
    """

    INSIDE = 1
    ADMIN = 2
    RECURSION = 4
    TRUSTED = 8
    NEAR = 16
    GATEWAY = 32
    NOBODY = 64
    INTRODUCED = 128
