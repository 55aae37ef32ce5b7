"""The keeper: forked before anything large is imported, it starts the discovery process, and another one where that has died.

The control process gives its privileges up, and could start nobody who may use an engine's socket any more. So the keeper stays the user
that it was started as: as root without any capability but that to pass over the modes of files, for a socket, or a key, may be another
user's. It reads nothing but its orders, and keeps the settings of discovery, so that the control process need not know an engine's key.

No process outlives the control process, however that ends: the keeper, also one that is stopped, is woken up and ends the discovery
process. If the keeper is killed, the kernel ends the discovery process, and Haystack ends too, since it could start no other. Imports
little.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NoReturn

from haystack.net import activation
from haystack.startup import capabilities

COMMANDS = ("run", "auto")
STATIC = "HAYSTACK_STATIC"
SETUP, BEGIN = b"S", b"B"  # what an order begins with: a piece of the settings; or start a process, with its end of a channel
PIECE = 64 * 1024  # bytes of settings in an order: a packet must fit in the socket's buffer (net.core.wmem_default)
KEPT = (capabilities.DAC_OVERRIDE,)
END_SECONDS = 8.0  # for a discovery process to end by itself, which removes the files of its keys: it waits for its threads for 6
LOOK = 0.02


class Keeper:
    """The control process's side. orders: a channel to the keeper; channel: to the discovery process that it has started first."""

    def __init__(self, pid: int, orders: socket.socket, channel: socket.socket) -> None:
        self.pid = pid
        self.channel = channel
        self._orders = orders

    def instruct(self, setup: bytes) -> None:
        """Give the first process its settings, a frame, and the keeper for those after it. Once only. Raises OSError."""
        for at in range(4, len(setup), PIECE):
            self._orders.send(SETUP + setup[at : at + PIECE])
        self.channel.sendall(setup)

    def launch(self) -> socket.socket:
        """Have another process begin: our end of its channel. Raises OSError where the keeper has gone."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._orders, [BEGIN], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        return ours

    def dismiss(self) -> None:
        """End both, and wait for the keeper: nothing needs them."""
        self._orders.close()
        self.channel.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def wanted(words: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether this command line watches engines."""
    static = bool(environment.get(STATIC)) or any(word.partition("=")[0] == "--static" for word in words)
    helped = any(word in ("-h", "--help") for word in words)
    return words[:1] != [] and words[0] in COMMANDS and not static and not helped


def fork() -> Keeper:
    """Start a keeper, and it the first discovery process. While this process has one thread. Raises OSError."""
    orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel, far = socket.socketpair()
    activated = activation.count(os.environ)
    pid = os.fork()
    if pid == 0:
        orders.close()
        channel.close()
        os.closerange(activation.FIRST, activation.FIRST + activated)  # who holds one of them keeps its clients waiting
        _live(theirs, far)
    theirs.close()
    far.close()
    return Keeper(pid, orders, channel)


def _live(orders: socket.socket, first: socket.socket) -> NoReturn:
    """The keeper's whole life."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)  # the control process alone decides when they go
        confine()
        _end_with_parent(signal.SIGCONT)  # one that is stopped goes on, sees its orders end, and ends whom it has started
        _call(b"haystack-keeper")
        _leave(_obey(orders, _begin(first, b"", orders)))
    except BaseException:  # noqa: BLE001 - nothing of it may go on as the command line that it was forked from
        sys.excepthook(*sys.exc_info())
    os._exit(0)


def confine() -> None:
    """No core dump, nothing to be gained by executing a file, no capability but KEPT, and nothing for others of its user to look at."""
    with contextlib.suppress(ValueError):  # as in proxy/sandbox.py, which would bring more than this needs
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    with contextlib.suppress(OSError):  # not everywhere all of this is allowed; then it has what its user has
        capabilities.prctl(capabilities.PR_SET_NO_NEW_PRIVS, 1)
        capabilities.keep(KEPT)
    with contextlib.suppress(OSError):
        capabilities.prctl(capabilities.PR_SET_DUMPABLE, 0)


def _obey(orders: socket.socket, child: int) -> int:
    """Do what the control process says, until it has gone. child: the discovery process that runs; returns the last one."""
    setup = b""
    while True:
        data, descriptors, _, _ = socket.recv_fds(orders, len(SETUP) + PIECE, 1)
        if not data:
            return child
        if data[:1] == SETUP:
            setup += data[1:]
        for descriptor in descriptors:
            with contextlib.suppress(OSError):  # the one who asked sees the channel end
                _leave(child)
                child = 0  # should the next line fail
                child = _begin(socket.socket(fileno=descriptor), setup, orders)


def _begin(channel: socket.socket, setup: bytes, orders: socket.socket) -> int:
    """Fork a discovery process: its id. setup: empty: it comes by the channel."""
    with channel:
        child = os.fork()
        if child == 0:
            orders.close()
            _discover(channel.detach(), setup)
    return child


def _kill(child: int) -> int:
    """End a process, if there is one (0: none), whatever it does. Until it is waited for, here, its number is nobody else's."""
    if child:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return 0


def _leave(child: int) -> None:
    """End a discovery process whose channel has ended, which it sees, unless it hangs: first it removes the files of its keys."""
    if child:
        os.kill(child, signal.SIGCONT)
    over = time.monotonic() + END_SECONDS
    while child and time.monotonic() < over:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            child = 0
        time.sleep(LOOK)
    _kill(child)


def _end_with_parent(number: int) -> None:
    """Have the kernel send this signal when the parent has gone (prctl(2), PR_SET_PDEATHSIG)."""
    with contextlib.suppress(OSError):
        capabilities.prctl(capabilities.PR_SET_PDEATHSIG, number)


def _discover(channel: int, setup: bytes) -> NoReturn:
    try:
        _end_with_parent(signal.SIGKILL)
        _call(b"haystack-finder")
        from haystack.observe import plain_structlog  # noqa: PLC0415 - the keeper needs none of it

        plain_structlog.load()
        from haystack.discovery.apart import process  # noqa: PLC0415 - as above
        from haystack.proxy import socket_folder  # noqa: PLC0415 - as above

        socket_folder.choose_temporary()
        process.main(channel, setup)
    except BaseException:  # noqa: BLE001 - as in _live
        sys.excepthook(*sys.exc_info())
    sys.stderr.flush()
    os._exit(0)


def _call(name: bytes) -> None:
    with contextlib.suppress(OSError):
        capabilities.prctl(capabilities.PR_SET_NAME, name)
