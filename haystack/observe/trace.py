"""One line an exchange for those who ask: the record that workers send up, and the hub that hands it to listeners.

Nobody asks, nothing is made: the hub tells the workers when the first listener comes and the last one goes.
"""

from __future__ import annotations

import msgspec


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange as it went. Times in milliseconds (-1: phase not reached), sizes in bytes on the wire of the bodies.

    candidates: ``IP:PORT`` in the order in which they were tried, the last one being `endpoint`; error: a word of RFC 9209, section 2.3,
    or empty.
    """

    time: float
    worker: int
    listener: str
    client: str
    method: str
    host: str
    target: str
    service: str
    candidates: tuple[str, ...]
    endpoint: str
    reused: bool
    status: int
    received: int
    sent: int
    route_ms: float
    connect_ms: float
    first_byte_ms: float
    total_ms: float
    request_id: str = ""
    error: str = ""
