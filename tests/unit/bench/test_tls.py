import socket
import ssl
import threading
from pathlib import Path

import pytest

from bench.macro.summary import results
from bench.tls import h2load, report
from bench.tls.certificate import HOST, Certificate
from bench.tls.client import Client, H2Client
from bench.tls.h2load import H2Load
from bench.tls.handshakes import Handshakes, ticket, trusting
from bench.tls.instructions import Stretch, share
from bench.tls.peers import Site, TlsHaystack
from bench.tls.scenarios import SCENARIOS

TOLD = """starting benchmark...
TLS Protocol: TLSv1.3
Application protocol: {protocol}

finished in 2.00s, 12345.50 req/s, 1.2MB/s
requests: 24690 total, 24946 started, 24690 done, 24680 succeeded, {failed} failed, 0 errored, 0 timeout
status codes: 24680 2xx, 0 3xx, 4 4xx, 0 5xx
traffic: 2.86MB (2996740) total
                     min         max         mean         sd        +/- sd
time for request:      120us     20.20ms      1.10ms       300us    80.00%
"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 66\r\n\r\nHaystack finds the needle: this body has sixty-six bytes, exactly."


def test_a_report_of_h2load():
    made = h2load.parse(TOLD.format(protocol="h2", failed=10), 7.0)
    assert (made.requests, made.rate, made.p50_ms, made.p99_ms, made.cpu_us) == (24680, 12345.5, 1.1, 20.2, 7.0)
    assert made.errors == 10 + 4


def test_http1_is_never_measured_for_http2():
    with pytest.raises(RuntimeError, match="have not agreed on h2"):
        h2load.parse(TOLD.format(protocol="http/1.1", failed=0))


def test_what_h2load_is_told():
    words = h2load.command(H2Load(headers=("a: b",), body=b"x"), 81, 3, {1}, Path("body"))
    assert {"--npn-list=h2", "-c8", "-m32", "--connect-to=127.0.0.1:81"} <= set(words)
    assert words[-5:] == ["-H", "a: b", "-d", "body", f"https://{HOST}/"]


def test_the_aims_are_those_that_were_set():
    aims = {s.name: (s.aims[0].limit, s.aims[0].goal) for s in SCENARIOS}
    assert aims["keepalive"] == (0.95, 0.85)
    assert aims["full"] == aims["resumed"] == (1.05, 0.95)
    assert aims["down1m"] == (1.0, 0.9)
    assert aims["h2"] == aims["h2headers"] == (0.9, 0.7)
    assert aims["grpc"] == (0.95, 0.8)


def test_the_table_has_a_line_for_what_has_no_figure():
    rows = [
        {"scenario": "idle", "round": n, "peer": peer, "kib": kib}
        for n in range(3)
        for peer, kib in (("nginx", 15.0), ("HAProxy", 16.0), ("Haystack", 14.0))
    ]
    found = {"rows": rows, "missing": [{"scenario": "h2", "why": "no HTTP/2"}], "cores": 2}
    found["instructions"] = [{"scenario": "full", "peer": peer, "instructions": n} for peer, n in (("nginx", 2000), ("Haystack", 1000))]
    text = report.table(found)
    assert "| 2,000 idle TLS connections | KiB a connection | 15.0 | 16.0 | 14.0 | **0.93** (0.93 to 0.93) | at most 1 | reached |" in text
    assert "| at most 0.9, goal 0.7 | no figure: no HTTP/2 |" in text
    assert "| user instructions a connection | 2,000 |  | 1,000 | **0.50** |" in text
    (idle,) = [s for s in SCENARIOS if s.name == "idle"]
    assert results(idle, rows, 2)[0].reached


def test_what_is_done_each_second_is_no_request_s():
    each, second = 1000, 70
    busy = Stretch(100, 3.0, 100 * each + 3 * second)
    quiet = Stretch(2, 5.0, 2 * each + 5 * second)
    assert share(busy, quiet) == pytest.approx(each)


def test_haystack_shows_the_certificate_of_the_others(tmp_path):
    shown = Certificate(tmp_path)
    made = TlsHaystack(Site(81, shown, grpc=True))
    assert Path(made.settings["HAYSTACK_CERTS"], "default.pem").read_bytes().startswith(shown.chain.read_bytes())
    assert '"haystack.protocol" = "h2c"' in Path(made.settings["HAYSTACK_STATIC"]).read_text()
    made.stop()


class Certificated:
    """A server that answers each connection's every request, one connection after the other. protocols: what it chooses of (ALPN)."""

    def __init__(self, folder: Path, *protocols: str) -> None:
        self.shown = Certificate(folder)
        self.protocols = list(protocols)
        self.context = self.made()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def made(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.shown.chain, self.shown.key)
        if self.protocols:
            context.set_alpn_protocols(self.protocols)
        return context

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()

    def serve(self):
        while True:
            try:
                plain, _ = self.socket.accept()
                plain.settimeout(10)
            except OSError:
                return
            try:
                with self.context.wrap_socket(plain, server_side=True) as secure:
                    while secure.recv(4096):
                        secure.sendall(ANSWER)
            except OSError:
                continue


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)])
def test_a_server_without_http2_is_told(tmp_path, protocols):
    with Certificated(tmp_path, *protocols) as server, pytest.raises(RuntimeError, match="no HTTP/2"):
        H2Client(server.port, server.shown.ca)


def test_a_keep_alive_client(tmp_path):
    with Certificated(tmp_path) as server, Client(server.port, server.shown.ca) as client:
        assert client.get("/") == client.get("/") == ANSWER[-66:]


@pytest.mark.parametrize("resumed", [True, False])
def test_handshakes_are_what_they_should_be(tmp_path, resumed):
    with Certificated(tmp_path) as server:
        context = trusting(server.shown.ca)
        made = Handshakes(server.port, context, ticket(server.port, server.shown.ca, context) if resumed else None)
        made.run(0.05)
        assert made.times


def test_a_handshake_that_is_not_resumed_is_no_figure(tmp_path):
    with Certificated(tmp_path) as server:
        context = trusting(server.shown.ca)
        session = ticket(server.port, server.shown.ca, context)
        server.context = server.made()  # which can't read the tickets of the first
        with pytest.raises(RuntimeError, match="not resumed"):
            Handshakes(server.port, context, session).run(0.05)
