"""Opens the sockets on which Haystack listens, or takes those that the Haystack before it handed over.

What all rooms share: addresses, an IPv6 that may not be there, options, and who holds what. Never reads, never accepts.
"""

from __future__ import annotations

import errno
import functools
import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

EVERYWHERE = ("0.0.0.0", "::")
# A machine without IPv6 has no "::": that is no reason not to serve IPv4.
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
_PROTOCOLS = {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp"}
T = TypeVar("T")


class Held(NamedTuple):
    """One socket and the name of what is served on it: http, http-alt, dns, ssh, or control."""

    name: str
    sock: socket.socket


class Sockets:
    """All sockets on which one Haystack listens. handed: those of the one before, each used where it fits, and no other opened there.

    activated: those of the service manager (activation.py). All workers share each of them: it is another user's, beside whose socket the
    kernel lets nobody open one of the same port.
    """

    def __init__(self, handed: Iterable[Held] = (), activated: Iterable[Held] = ()) -> None:
        self._handed = list(handed)
        self._activated = list(activated)
        self._used: set[int] = set()  # descriptors of those
        self._held: list[Held] = []
        self._waits = bool(self._handed)
        self._late: list[Callable[[], None]] = []

    def held(self) -> list[Held]:
        """Those that are open."""
        return [each for each in self._held if each.sock.fileno() >= 0]

    def on_each(self, bind: Iterable[object], open_one: Callable[[str], T]) -> list[T]:
        """What open_one makes of each address; of none: of all there are, with or without IPv6. Raises its OSError."""
        wanted = [str(address) for address in bind]
        made = []
        for address in wanted or EVERYWHERE:
            try:
                made.append(open_one(address))
            except OSError as error:
                if wanted or address != "::" or error.errno not in _NO_IPV6:
                    raise
        return made

    def tcp(self, name: str, address: str, port: int, backlog: int, *, shared: bool = False) -> socket.socket:
        """A listening socket. Port 0: any. shared: several of ours may have the port, of others none. OSError names address and port."""
        options = [(socket.SOL_SOCKET, socket.SO_REUSEADDR)]
        if taken := self.given(name, address, port, socket.SOCK_STREAM):
            if shared:
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # one Haystack before may have had a single socket
            return taken
        if shared:
            if port and not self._has(name, address, port):
                # another program's SO_REUSEPORT socket must not be joined unnoticed
                _bound(socket.SOCK_STREAM, address, port, options).close()
            options.append((socket.SOL_SOCKET, socket.SO_REUSEPORT))
        sock = _bound(socket.SOCK_STREAM, address, port, options)
        if shared and self._waits:
            # the kernel would give it a part of the clients, who would wait for our start, or be lost with it
            self._late.append(functools.partial(sock.listen, backlog))
        else:
            sock.listen(backlog)
        return self.keep(name, sock)

    def listen(self) -> None:
        """Listen where that was put off, beside the sockets that were handed over. Raises OSError."""
        for begin in self._late:
            begin()
        self._late.clear()

    def udp(self, name: str, address: str, port: int, prepare: Callable[[socket.socket], None]) -> socket.socket:
        """A socket for datagrams, prepared before it is bound; several of ours may have the port, of others none. OSError as with tcp."""
        options = [(socket.SOL_SOCKET, socket.SO_REUSEPORT)]
        if taken := self.given(name, address, port, socket.SOCK_DGRAM):
            taken.setsockopt(*options[0], 1)  # as with tcp
            prepare(taken)
            return taken
        if port and not self._has(name, address, port, socket.SOCK_DGRAM):
            _bound(socket.SOCK_DGRAM, address, port, []).close()  # as with tcp
        if port and self._waits:
            sock = _opened(socket.SOCK_DGRAM, address, options, prepare)
            self._late.append(functools.partial(_bind, sock, address, port))
            return self.keep(name, sock)
        return self.keep(name, _bound(socket.SOCK_DGRAM, address, port, options, prepare))

    def given(self, name: str, address: str, port: int, kind: int) -> socket.socket | None:
        """A socket that was handed over for this, once each; or one of the service manager's, which is never used up. Port 0: whichever."""
        if taken := self._taken(name, address, port, kind):
            return taken
        for each in self._activated:
            if each.name == name and _fits(each.sock, address, port, kind) and _listens(each.sock):
                self._used.add(each.sock.fileno())
                return self.keep(name, each.sock.dup())
        return None

    def _taken(self, name: str, address: str, port: int, kind: int) -> socket.socket | None:
        for each in self._handed:
            if each.name == name and _fits(each.sock, address, port, kind):
                self._handed.remove(each)
                return self.keep(name, each.sock)
        return None

    def unused(self) -> list[str]:
        """Sockets of the service manager that no listener has taken: nobody would serve who comes there."""
        idle = (each for each in self._activated if each.sock.fileno() not in self._used)
        return [_told(each) for each in idle]

    def unfit(self) -> list[str]:
        """Those of them that no listener could take, whatever its port, and why."""
        return [_told(each) for each in self._activated if _both(each.sock) or not _listens(each.sock)]

    def surplus(self, name: str, address: str, port: int, kind: int = socket.SOCK_STREAM) -> Iterator[socket.socket]:
        """More sockets that were handed over for this: what waits in their queues must not be lost."""
        while sock := self._taken(name, address, port, kind):
            yield sock

    def taken(self, name: str) -> socket.socket | None:
        """A socket that was handed over by this name, whatever its address."""
        for each in self._handed:
            if each.name == name:
                self._handed.remove(each)
                return self.keep(name, each.sock)
        return None

    def keep(self, name: str, sock: socket.socket) -> socket.socket:
        """Count it among those that the next Haystack is given."""
        sock.setblocking(False)
        self._held.append(Held(name, sock))
        return sock

    def close(self, name: str | None = None) -> None:
        """Close what is held by this name, or everything."""
        for each in self._held:
            if name in (None, each.name):
                each.sock.close()
        self._held = self.held()

    def refuse_rest(self) -> None:
        """Close what was handed over and is of no use: the one before serves on what waits there."""
        for each in (*self._handed, *self._activated):
            each.sock.close()
        self._handed.clear()
        self._activated.clear()

    def _has(self, name: str, address: str, port: int, kind: int = socket.SOCK_STREAM) -> bool:
        return any(each.name == name and _fits(each.sock, address, port, kind) for each in self.held())


def _told(each: Held) -> str:
    return f"{each.name or 'one without a name'} at {_place(each.sock)}"


def _place(sock: socket.socket) -> str:
    """Where a socket listens, for people."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return str(sock.getsockname())
    host, port, *_ = sock.getsockname()
    kind = _PROTOCOLS.get(socket.SocketKind(sock.type), "no")
    both, idle = " (IPv4 too)" if _both(sock) else "", "" if _listens(sock) else " (it does not listen)"
    return f"{kind} {f'[{host}]' if ':' in host else host}:{port}{both}{idle}"


def _both(sock: socket.socket) -> bool:
    """Whether it is one for IPv4 and IPv6."""
    return sock.family == socket.AF_INET6 and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


def _listens(sock: socket.socket) -> bool:
    """Whether clients can come to it; not to one that is a single client's, as with Accept=yes, or that is bound and no more."""
    return sock.type != socket.SOCK_STREAM or bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _fits(sock: socket.socket, address: str, port: int, kind: int) -> bool:
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != kind:
        return False
    there, number, *_ = sock.getsockname()
    return ipaddress.ip_address(there) == ipaddress.ip_address(address) and port in (0, number)


def _bound(
    kind: socket.SocketKind,
    address: str,
    port: int,
    options: Iterable[tuple[int, int]],
    prepare: Callable[[socket.socket], None] = lambda _sock: None,
) -> socket.socket:
    """A socket of the address's own family alone, with these options on."""
    made = _opened(kind, address, options, prepare)
    try:
        _bind(made, address, port)
    except OSError:
        made.close()
        raise
    return made


def _opened(
    kind: socket.SocketKind, address: str, options: Iterable[tuple[int, int]], prepare: Callable[[socket.socket], None]
) -> socket.socket:
    """The same, not bound yet."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made: socket.socket | None = None
    try:
        made = socket.socket(family, kind)
        for level, option in options:
            made.setsockopt(level, option, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        prepare(made)
    except OSError as error:
        if made is not None:
            made.close()
        raise _named(error, kind, address) from error
    return made


def _bind(sock: socket.socket, address: str, port: int) -> None:
    try:
        sock.bind((address, port))
    except OSError as error:
        raise _named(error, sock.type, address, port) from error


def _named(error: OSError, kind: int, address: str, port: int = 0) -> OSError:
    return OSError(error.errno, f"{_PROTOCOLS[socket.SocketKind(kind)]} {address} port {port}: {error.strerror}")
