"""Many DNS clients on one socket: each has an address of 127/8 of its own, from which its questions come (ip(7), IP_PKTINFO)."""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import Self

from haystack.dns import wire

IP_PKTINFO = 8
INFO = struct.Struct("=I4s4s")
PATIENCE = 10.0


class ManyClients:
    """port: of the server, on 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self._socket.bind(("0.0.0.0", 0))
        self._socket.settimeout(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, number: int, name: str) -> None:
        """A question of the client of this number."""
        self.send_from(number, number, name)

    def send_from(self, client: int, number: int, name: str) -> None:
        """A question of a client, with an id of this number."""
        packet = wire.question(wire.name(name), wire.A, ident=(number & 0xFFFF).to_bytes(2, "big"))
        info = INFO.pack(0, socket.inet_aton(address(client)), bytes(4))
        self._socket.sendmsg([packet], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, ("127.0.0.1", self._port))

    def receive(self) -> tuple[str, bytes]:
        """The next answer, and to which client it came. Raises TimeoutError."""
        data, ancillary, _, _ = self._socket.recvmsg(4096, 128)
        return socket.inet_ntoa(INFO.unpack_from(ancillary[0][2])[2]), data

    def came(self) -> bool:
        """Whether an answer is there."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def ask(self, numbers: range, name: str) -> dict[str, int]:
        """One question of each at once, with its number for {}; the code of each answer by client. What is lost is not there."""
        found: dict[str, int] = {}
        for number in numbers:
            self.send(number, name.format(number))
        end = time.monotonic() + PATIENCE
        while len(found) < len(numbers) and time.monotonic() < end:
            try:
                client, data = self.receive()
            except TimeoutError:
                break
            found[client] = data[3] & 15
        return found


def address(number: int) -> str:
    """Of a client."""
    return f"127.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
