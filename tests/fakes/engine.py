"""A fake Docker Engine over HTTP on 127.0.0.1, with faults on command. Holds containers as inspect JSON, by id.

Its switches: `missing` (ids that answer 404 to inspect), `broken` (ids that answer 500), `refused` (paths that answer 500),
cut() (ends every event stream),
`dripping` (paths whose answers come octet by octet, and never to an end: `head`, or the body only),
`endless` (paths whose answers go on as fast as they are read),
`hanging` (ids that inspect does not answer for while they are in it; `held`: those that have been asked for),
`ahead` (seconds by which its clock is wrong),
`lists_now` (while it is not set, lists take for ever),
mute() (open event streams bring nothing any more, and stay open), down() and up() (nobody listens, then again on the same port).
"""

import json
import queue
import re
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

VERSION = "1.41"
LONGEST = 30.0  # seconds that a list is held back
BRIDGE = "b" * 64


def rfc3339(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def inspected(number, name, image="nginx", **changes):
    """Inspect JSON of a running container; its id is made of `number`, its address is 10.0.x.y."""
    raw = {
        "Id": f"{number:064x}"[::-1],
        "Name": f"/{name}",
        "Created": rfc3339(time.time() - 60),
        "Image": "sha256:" + "c" * 64,
        "State": {"Status": "running", "Running": True, "StartedAt": rfc3339(time.time() - 60)},
        "Config": {"Image": image, "ExposedPorts": {"80/tcp": {}}, "Labels": {}, "Env": ["SECRET=hunter2"]},
        "HostConfig": {"NetworkMode": "default"},
        "NetworkSettings": {
            "Ports": {"80/tcp": None},
            "Networks": {"bridge": {"NetworkID": BRIDGE, "IPAddress": f"10.0.{number // 250}.{number % 250 + 1}"}},
        },
    }
    return raw | changes


def summary(identity, raw):
    """What the list of containers tells of one, by its inspect JSON."""
    config, state = (raw.get(each) if isinstance(raw.get(each), dict) else {} for each in ("Config", "State"))
    return {
        "Id": identity,
        "Names": [raw.get("Name")],
        "Image": config.get("Image"),
        "ImageID": raw.get("Image"),
        "Created": 1_700_000_000,
        "Labels": config.get("Labels"),
        "State": state.get("Status"),
        "NetworkSettings": raw.get("NetworkSettings"),
        "Mounts": raw.get("Mounts", []),
    }


class FakeEngine:
    def __init__(self):
        self.containers = {}
        self.images = {}
        self.networks = [{"Id": BRIDGE, "Name": "bridge", "Scope": "local", "Driver": "bridge", "IPAM": {"Config": None}}]
        self.missing = set()
        self.broken = set()
        self.refused = set()
        self.status = 500  # of refusals
        self.version = {"Version": "27.0.0", "ApiVersion": VERSION}
        self.dripping = {}  # path: "head" or "body"
        self.endless = set()
        self.encoding = ""  # that its answers claim to have
        self.hanging = set()
        self.held = set()
        self.ahead = 0.0  # seconds by which its clock is wrong
        self.lists_now = threading.Event()
        self.lists_now.set()
        self.lists = 0
        self.pings = 0
        self.subscribed = []  # the `since` of each event stream
        self.info = {"ID": "AAAA:BBBB:CCCC:DDDD", "Name": "fake"}
        self._streams = set()
        self._history = []
        self._lock = threading.Lock()
        self._server = None
        self.port = 0

    @property
    def host(self):
        return f"tcp://127.0.0.1:{self.port}"

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        self.down()

    def up(self):
        self._server = _Server(("127.0.0.1", self.port), self)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def down(self):
        if self._server is not None:
            self.cut()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def seal(self, context):
        """From now on it speaks TLS."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def add(self, raw, *, event=True):
        self.containers[raw["Id"]] = raw
        if event:
            self.emit("start", raw["Id"])
        return raw["Id"]

    def remove(self, identity):
        self.containers.pop(identity, None)
        self.emit("die", identity)

    def emit(self, action, identity, kind="container", **attributes):
        """Send an event as API 1.52 does: without top-level id and status."""
        now = time.time_ns() + int(self.ahead * 10**9)
        event = {"Type": kind, "Action": action, "Actor": {"ID": identity, "Attributes": attributes}, "time": now // 10**9, "timeNano": now}
        self.send(json.dumps(event).encode() + b"\n", now)

    def send(self, line, now=None):
        with self._lock:
            self._history.append((now or time.time_ns(), line))
            for stream in self._streams:
                stream.put(line)

    def cut(self):
        with self._lock:
            for stream in self._streams:
                stream.put(None)

    def mute(self):
        with self._lock:
            self._streams.clear()

    def more(self, path, query):
        """The body of an answer that this engine has and others have not; None: it has none."""

    def told(self, since, until):
        """What happened from `since` to `until`, both as in the engine's API."""
        first, last = (int(float(each) * 10**9) for each in (since, until))
        with self._lock:
            return [line for at, line in self._history if first - 10**6 < at <= last]

    def open_stream(self, since):
        stream = queue.SimpleQueue()
        seconds, _, nanos = (since or "").partition(".")
        start = int(seconds) * 10**9 + int(nanos.ljust(9, "0")) if since else time.time_ns()
        with self._lock:
            self.subscribed.append(since)
            for at, line in self._history:
                if at >= start:
                    stream.put(line)
            self._streams.add(stream)
        return stream

    def close_stream(self, stream):
        with self._lock:
            self._streams.discard(stream)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    allow_reuse_address = True

    def __init__(self, address, engine):
        self.engine = engine
        self.stopping = threading.Event()
        super().__init__(address, _Handler)

    def shutdown(self):
        self.stopping.set()
        super().shutdown()

    def handle_error(self, request, client_address):
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 0.2
    wbufsize = -1  # head and body in one segment: else each answer waits for a delayed acknowledgement
    disable_nagle_algorithm = True

    def log_message(self, *_):
        """Silence."""

    def date_time_string(self, timestamp=None):
        return super().date_time_string(time.time() + self.server.engine.ahead)

    def handle(self):
        self.close_connection = True
        self.handle_one_request()
        while not self.close_connection and not self.server.stopping.is_set():
            self.handle_one_request()

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urlsplit(self.path)
        path = re.sub(r"^/v\d+\.\d+", "", url.path)
        engine = self.server.engine
        if path in engine.dripping or path in engine.endless:
            self._go_on(path)
        elif path in engine.refused:
            self._answer(engine.status, {"message": "refused"})
        elif path == "/events":
            self._events(*(parse_qs(url.query).get(each, [None])[0] for each in ("since", "until")))
        elif match := re.fullmatch(r"/containers/(\w+)/json", path):
            self._inspect(match.group(1))
        elif match := re.fullmatch(r"/images/(.+)/json", path):
            self._found(engine.images.get(match.group(1)))
        elif (body := engine.more(path, parse_qs(url.query))) is not None:
            self._bytes(200, body)
        else:
            self._found(self._fixed(path))

    def _fixed(self, path):
        engine = self.server.engine
        engine.pings += path == "/_ping"
        if path == "/containers/json":
            engine.lists += 1
            engine.lists_now.wait(LONGEST)
            return [summary(identity, raw) for identity, raw in list(engine.containers.items())]
        return {
            "/version": engine.version,
            "/info": engine.info | {"SystemTime": rfc3339(time.time() + engine.ahead)},
            "/networks": engine.networks,
            "/_ping": "OK",
        }.get(path)

    def _inspect(self, identity):
        engine = self.server.engine
        while identity in engine.hanging and not self.server.stopping.wait(0.01):
            engine.held.add(identity)
        if identity in engine.broken:
            self._answer(500, {"message": "broken"})
        else:
            self._found(None if identity in engine.missing else engine.containers.get(identity))

    def _found(self, value):
        self._answer(200, value) if value is not None else self._answer(404, {"message": "no such thing"})

    def _answer(self, status, value):
        self._bytes(status, value if isinstance(value, bytes) else json.dumps(value).encode())

    def _bytes(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.server.engine.encoding:
            self.send_header("Content-Encoding", self.server.engine.encoding)
        self.end_headers()
        self.connection.settimeout(LONGEST)  # who reads a long list may be slower than who asks is let be
        self.wfile.write(body)
        self.wfile.flush()
        self.connection.settimeout(self.timeout)

    def _go_on(self, path):
        """An answer without end: a list, or an object, whose first text never ends."""
        engine, body = self.server.engine, b'[{"Id":"' if path in ("/containers/json", "/networks", "/services") else b'{"Id":"'
        drips = engine.dripping.get(path)
        self.close_connection = True
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Long: "
        if drips != "head":
            head += b"no\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(body), body)
        piece = b"a" if drips == "head" else b"1\r\na\r\n" if drips else b"10000\r\n%s\r\n" % (b"a" * 0x10000)
        self.connection.settimeout(LONGEST)
        self.connection.sendall(head)
        while not self.server.stopping.wait(0.02 if drips else 0) and (path in engine.dripping or path in engine.endless):
            self.connection.sendall(piece)

    def _events(self, since, until):
        if until is not None and float(until) < float(since):
            self._answer(400, {"message": "`since` time cannot be after `until` time"})
            return
        if until is not None:
            self._bytes(200, b"".join(self.server.engine.told(since, until)))
            return
        stream = self.server.engine.open_stream(since)
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            while not self.server.stopping.is_set():
                try:
                    line = stream.get(timeout=0.1)
                except queue.Empty:
                    continue
                if line is None:
                    break
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
        finally:
            self.server.engine.close_stream(stream)
            self.close_connection = True
