"""One connection to the shell: who it is, its sessions, and everything that it is refused.

No password, no forwarding, no agent, no file transfer, no environment: those stay refused, whatever a client asks for. Any user name will
do, for there is one thing to log in to.
"""

from __future__ import annotations

import asyncio

import asyncssh
import structlog

from haystack.console import before_login
from haystack.console.command import Person
from haystack.console.identity import Offers
from haystack.console.idle import Idle
from haystack.console.keyring import Keyring, Ring
from haystack.console.login_limits import Admission, Login
from haystack.console.session import Session
from haystack.observe.counted_lines import Tally
from haystack.views.state import State

log = structlog.get_logger(__name__)
SESSIONS = 10  # of one connection, as sshd's MaxSessions
PARTING = 0.5  # seconds that sessions have to say goodbye
LONGEST = 100  # characters of what a client says, in the log


class Logins:
    """What the doors of one server share. doors: those that are open; idle: seconds without anything, after which a session ends."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.idle = state.settings.ssh_idle_timeout
        self.admission = Admission()
        self.doors: set[Door] = set()
        self.keyring = Keyring(state.settings, self._changed)
        self.failed = Tally("login.failed", __name__)
        self.known = Tally("key.refused", __name__)
        self.refused = Tally("forwarding.refused", __name__)

    def _changed(self, ring: Ring) -> None:
        for door in list(self.doors):
            door.heed(ring)

    def close(self) -> None:
        """Tell what is left to tell."""
        for tally in (self.failed, self.known, self.refused):
            tally.close()


class Door(asyncssh.SSHServer):
    """One connection. It counts as a login that is under way until a key was right."""

    def __init__(self, logins: Logins, login: Login) -> None:
        self._logins, self._login = logins, login
        self._named = self._leaving = False
        self._ring: Ring | None = None
        self._person: Person | None = None
        self._user = self._peer = ""
        self._sessions: list[Session] = []
        self._connection: asyncssh.SSHServerConnection
        self._offers: Offers
        self._idle: Idle

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """A client came."""
        self._connection = conn
        self._peer = plain(conn.get_extra_info("peername"))  # now: nobody knows any more once it has gone
        self._logins.doors.add(self)
        self._offers = Offers(conn)
        before_login.limit(conn)
        self._login.evict = conn.abort
        # its identification (RFC 4253, section 4.2), with which a client begins
        self._login.spoken = lambda: conn.get_extra_info("client_version") is not None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - theirs
        """It left."""
        self._logins.doors.discard(self)
        if self._person is not None:
            self._idle.close()
        elif listed := self._offers.why(self._ring):
            line, why = listed
            self._logins.known.note(self._peer, user=self._user, key=line.fingerprint, comment=line.comment, reason=why)
        else:
            self._logins.failed.note(self._peer, user=self._user, keys=list(self._offers.refused))

    async def begin_auth(self, username: str) -> bool:
        """Always asks for a key, and any name will do. Called for each other name (RFC 4252, section 5)."""
        if self._named:
            raise asyncssh.ProtocolError("the user's name has changed")
        self._named, self._user = True, username[:100]
        self._ring = await self._logins.keyring.now()
        self._connection.set_authorized_keys(self._ring if self._ring.listed else None)
        return True

    def auth_completed(self) -> None:
        """The key was good."""
        before_login.lift(self._connection)
        self._logins.admission.end(self._login, good=True)
        self._idle = Idle(self._logins.idle, lambda: self.leave("it was idle"), self._occupied)
        who = self._person = self._offers.person(self._peer)
        log.info("login.accepted", peer=who.peer, user=self._user, key=who.fingerprint, comment=who.comment)
        self.heed(self._logins.keyring.ring)  # it may have been removed meanwhile

    def session_requested(self) -> tuple[asyncssh.SSHServerChannel[str], Session] | bool:
        """A session of its own for each channel."""
        if self._person is None or self._leaving or (self._occupied() and len(self._sessions) >= SESSIONS):
            return False
        self._idle.touch()
        local = plain(self._connection.get_extra_info("sockname"))
        session = Session(self._logins.state, local, self._person, self._logins.idle)
        self._sessions.append(session)
        channel: asyncssh.SSHServerChannel[str] = self._connection.create_server_channel()
        channel._process_env_request = session.environment  # type: ignore[method-assign]  # noqa: SLF001 - asyncssh has no hook
        return channel, session

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:  # noqa: ARG002 - theirs
        """Nobody gets anywhere through here."""
        self._refuse("forwarding", f"{dest_host}:{dest_port}")
        return False

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        """Nor does anybody come in."""
        self._refuse("listening", f"{listen_host}:{listen_port}")
        return False

    def _refuse(self, what: str, where: str) -> None:
        if who := self._person:
            self._logins.refused.note(who.peer, key=who.fingerprint, comment=who.comment, what=what, where=where[:100])

    def heed(self, ring: Ring) -> None:
        """The keys have changed: end this one if its own is no longer among them."""
        line = self._offers.line()
        if self._person is not None and (line is None or line.rule not in ring.rules):
            self.leave("its key was removed, or has expired")

    def leave(self, why: str) -> None:
        """End it, and tell the client why: at once, or when its sessions have left their screens as they were."""
        self._leaving = True
        for session in self._sessions:
            session.leave(why)
        asyncio.get_running_loop().call_later(
            PARTING if self._occupied() else 0, self._connection.disconnect, asyncssh.DISC_BY_APPLICATION, why
        )

    def _occupied(self) -> bool:
        """Sessions have a time limit of their own; without one this is for instance a master connection of OpenSSH's."""
        self._sessions = [session for session in self._sessions if session.going]
        return bool(self._sessions)

    def abort(self) -> None:
        """End it without a word."""
        self._connection.abort()

    async def wait_closed(self) -> None:
        """Wait until it has ended."""
        await self._connection.wait_closed()


def plain(name: object) -> str:
    """The address of a socket's name; an IPv4 one that came by an IPv6 socket as itself."""
    return str(name[0]).removeprefix("::ffff:") if isinstance(name, tuple) and name else "127.0.0.1"
