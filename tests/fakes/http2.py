"""Clients of HTTP/2: a good one, which `h2` checks every answer for, and a rude one, which sends exactly the frames that a test gives it.

Blocking, with a time limit on every read. Without a context they speak without TLS (prior knowledge, RFC 9113, section 3.3).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings
from hpack import Decoder, Encoder
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, RstStreamFrame, SettingsFrame

FRAME_HEAD = 9
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
Pairs = Iterable[tuple[str, str]]


def connected(port: int, context: ssl.SSLContext | None, name: str | None, timeout: float, small: bool = False) -> socket.socket:
    """A socket to this port, within TLS where there is a context. small: with a small buffer of the kernel's."""
    sock = socket.socket()
    try:
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(timeout)
        sock.connect(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock if context is None else context.wrap_socket(sock, server_hostname=name)
    except BaseException:
        sock.close()
        raise


def cut(buffer: bytearray) -> Any:
    """Take the first frame out of what came, with its bytes in `raw`; None: it is not whole."""
    if len(buffer) < FRAME_HEAD:
        return None
    frame, size = Frame.parse_frame_header(memoryview(bytes(buffer[:FRAME_HEAD])))
    if len(buffer) < FRAME_HEAD + size:
        return None
    frame.raw = bytes(buffer[: FRAME_HEAD + size])
    frame.parse_body(memoryview(frame.raw)[FRAME_HEAD:])
    del buffer[: FRAME_HEAD + size]
    return frame


@dataclass
class Answer:
    """What came on one stream so far. reset: the code of its RST_STREAM; ended: END_STREAM has come."""

    status: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    interim: list[tuple[int, list[tuple[str, str]]]] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None

    @property
    def over(self) -> bool:
        return self.ended or self.reset is not None

    def get(self, name: str) -> str | None:
        """The field's values joined; None: it is not there."""
        values = [value for key, value in self.fields if key == name]
        return ", ".join(values) if values else None


class Http2Client:
    """One connection. windows: whether it gives windows back as data comes; settings: of its own, by SettingCodes."""

    def __init__(
        self, port: int, context: ssl.SSLContext | None = None, name: str | None = None, *, timeout: float = 10, windows: bool = True,
        settings: dict[SettingCodes, int] | None = None, small: bool = False,
    ) -> None:  # fmt: skip
        self.socket = connected(port, context, name, timeout, small)
        self.timeout, self.windows = timeout, windows
        self.scheme = "http" if context is None else "https"
        self.h2 = H2Connection(
            H2Configuration(header_encoding="latin-1", validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        self.answers: dict[int, Answer] = {}
        self.goaways: list[GoAwayFrame] = []
        self.buffer = bytearray()
        self.given: dict[int, int] = {}  # bytes of window that came back, by stream; 0: the connection's
        self.settled = self.gone = False
        self.pongs = 0
        if settings:
            self.h2.local_settings = Settings(client=True, initial_values=settings)
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def begin(self, host: str | None, path: str = "/", method: str = "GET", *, fields: Pairs = (), end: bool = True, **pseudo: str) -> int:
        """A request's field section; its stream. pseudo: further pseudo-header fields, without their colon."""
        number = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", self.scheme), (":path", path)]
        if host is not None:
            head.insert(2, (":authority", host))
        head += [(f":{key}", value) for key, value in pseudo.items()]
        self.answers[number] = Answer()
        self.h2.send_headers(number, [*head, *fields], end_stream=end)
        self.flush()
        return number

    def get(self, host: str, path: str = "/", **how: Any) -> Answer:
        """A whole request without a body, and its whole answer."""
        return self.answer(self.begin(host, path, **how))

    def post(self, host: str, body: bytes, path: str = "/", *, length: bool = True, fields: Pairs = (), trailers: Pairs = ()) -> Answer:
        """A whole request with a body, and its whole answer."""
        more = [("content-length", str(len(body)))] if length else []
        number = self.begin(host, path, "POST", fields=[*more, *fields], end=False)
        self.upload(number, body, end=not trailers)
        if trailers:
            self.h2.send_headers(number, list(trailers), end_stream=True)
            self.flush()
        return self.answer(number)

    def upload(self, number: int, body: bytes, *, end: bool = False) -> None:
        """Send it as the windows allow."""
        at = 0
        while at < len(body):
            self.hear(lambda: self.h2.local_flow_control_window(number) > 0)
            size = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, len(body) - at)
            self.h2.send_data(number, body[at : at + size])
            at += size
            self.flush()
        if end:
            self.h2.end_stream(number)
            self.flush()

    def answer(self, number: int) -> Answer:
        """The whole answer on this stream, or the stream's reset."""
        answer = self.answers[number]
        self.hear(lambda: answer.over)
        return answer

    def hear(self, condition: Callable[[], Any], seconds: float | None = None) -> None:
        """Take in what comes until the condition holds. TimeoutError: it never did; ConnectionError: the connection ended before."""
        end = time.monotonic() + (seconds or self.timeout)
        while not condition():
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            self.take_in()

    def fill(self, number: int, quiet: float = 0.5) -> None:
        """Send on a stream until nothing of its windows has come back for so many seconds, or it is over."""
        last = time.monotonic()
        while time.monotonic() - last < quiet and not self.answers[number].over:
            size = min(16384, self.h2.local_flow_control_window(number))
            if size:
                self.h2.send_data(number, b"u" * size)
                self.flush()
                last = time.monotonic()
            self.socket.settimeout(0.05 if not size else 0.0001)
            with contextlib.suppress(TimeoutError):
                self.take_in()

    def take_in(self) -> None:
        """One read."""
        data = self.socket.recv(65536)
        if not data:
            self.gone = True
            raise ConnectionError(f"the connection ended; GOAWAY: {self.goaways}")
        self.buffer += data
        while (frame := cut(self.buffer)) is not None:
            if isinstance(frame, GoAwayFrame):  # of which `h2` takes even the first, a notice, for the end
                self.goaways.append(frame)
                continue
            for event in self.h2.receive_data(frame.raw):
                self.on_event(event)
        self.flush()

    def on_event(self, event: events.Event) -> None:  # noqa: C901 - a table of what may come
        number = getattr(event, "stream_id", None)
        answer = self.answers.get(number) or Answer()
        match event:
            case events.InformationalResponseReceived():
                status, *fields = event.headers
                answer.interim.append((int(status[1]), fields))
            case events.ResponseReceived():
                (_, status), *answer.fields = event.headers
                answer.status = int(status)
            case events.TrailersReceived():
                answer.trailers = list(event.headers)
            case events.DataReceived():
                answer.body += event.data
                if self.windows and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, number)
            case events.StreamEnded():
                answer.ended = True
            case events.StreamReset():
                answer.reset = event.error_code
            case events.WindowUpdated():
                self.given[number] = self.given.get(number, 0) + event.delta
            case events.PingAckReceived():
                self.pongs += 1
            case events.SettingsAcknowledged():
                self.settled = True

    def cancel(self, number: int, code: int = 8) -> None:
        """RST_STREAM."""
        self.h2.reset_stream(number, code)
        self.flush()

    def ping(self) -> None:
        """Wait until it is answered: all that was sent before has been read then."""
        self.h2.ping(b"is there")
        self.flush()
        heard = self.pongs
        self.hear(lambda: self.pongs > heard)


class Rude:
    """A client that sends frames as it is told, and keeps those that come. settled: it has sent preface and SETTINGS."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None, name: str | None = None, *, settings: dict[int, int] | None = None,
                 timeout: float = 10, begin: bool = True, small: bool = False) -> None:  # fmt: skip
        self.socket = connected(port, context, name, timeout, small)
        self.encoder, self.decoder = Encoder(), Decoder()
        self.buffer = bytearray()
        self.frames: list[Frame] = []
        self.sections: dict[int, list[dict[str, str]]] = {}
        self.over = self.unheard = False  # unheard: the other side takes nothing any more
        self.next = 1
        if begin:
            self.send(PREFACE, SettingsFrame(0, settings or {}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def send(self, *parts: Frame | bytes) -> None:
        """In one segment. What a peer does that has closed already is no error."""
        try:
            self.socket.sendall(b"".join(part if isinstance(part, bytes) else part.serialize() for part in parts))
        except (ConnectionError, ssl.SSLError):
            self.unheard = True

    def head(
        self, host: str, path: str = "/", method: str = "GET", *, end: bool = True, fields: Pairs = (), number: int = 0
    ) -> HeadersFrame:
        """A request's HEADERS on the next stream."""
        pairs = [(":method", method), (":scheme", "http"), (":authority", host), (":path", path), *fields]
        frame = HeadersFrame(number or self.next, self.encoder.encode(pairs), flags=["END_HEADERS", *(["END_STREAM"] if end else [])])
        self.next = max(self.next, frame.stream_id + 2)
        return frame

    def hear(self, condition: Callable[[], Any], seconds: float = 10) -> bool:
        """Read until it holds; False: the connection ended before. TimeoutError: neither."""
        end = time.monotonic() + seconds
        while not condition():
            if self.over:
                return False
            self.receive(end)
            self.read_frames()
        return True

    def take_in(self) -> None:
        """One read."""
        self.receive()
        self.read_frames()

    def receive(self, end: float | None = None) -> None:
        """Bytes alone, within the socket's time limit or until `end`."""
        if end is not None:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
        try:
            data = self.socket.recv(262144)
        except (ConnectionError, ssl.SSLError):
            data = b""
        self.over = not data
        self.buffer += data

    def read_frames(self) -> None:
        while (frame := cut(self.buffer)) is not None:
            self.frames.append(frame)
            if isinstance(frame, HeadersFrame):
                self.sections.setdefault(frame.stream_id, []).append(dict(self.decoder.decode(frame.data)))

    def status(self, number: int, seconds: float = 10) -> int:
        """Of the response on this stream, minus the code of its reset; 0: the connection ended before either."""
        if not self.hear(lambda: number in self.sections or self.of(RstStreamFrame, number), seconds):
            return 0
        if number in self.sections:
            return int(self.sections[number][0][":status"])
        return -int(self.of(RstStreamFrame, number)[0].error_code)

    def body(self, number: int, seconds: float = 10) -> bytes:
        """What came of a body until its stream's end."""
        self.hear(
            lambda: self.of(RstStreamFrame, number) or any("END_STREAM" in f.flags for f in self.frames if f.stream_id == number), seconds
        )
        return b"".join(frame.data for frame in self.of(DataFrame, number))

    def of(self, kind: type[Frame], number: int | None = None) -> list[Any]:
        """Those of a kind that came, of a stream."""
        return [frame for frame in self.frames if isinstance(frame, kind) and number in (None, frame.stream_id)]

    def ended(self, seconds: float = 10) -> int | None:
        """Wait for the end of the connection: the code of its last GOAWAY; None: there was none.

        All bytes first, then what they say: reading hundreds of thousands of frames takes longer than the other side waits.
        """
        end = time.monotonic() + seconds
        while not self.over:
            self.receive(end)
        self.read_frames()
        goaways = self.of(GoAwayFrame)
        return goaways[-1].error_code if goaways else None
