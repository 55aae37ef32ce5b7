"""A CA without key usage, as `openssl req -x509` makes it, is good for every client of ours, on each Python; all else is verified."""

import asyncio
import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from requests import Session, exceptions
from urllib3.exceptions import InsecureRequestWarning

from haystack.discovery.docker import client
from haystack.discovery.docker.tls import Certificates, TlsOptions
from haystack.net.certificate_rules import usual
from haystack.net.https_adapter import HttpsAdapter
from haystack.observe.otlp import Otlp
from haystack.tls.acme.http_client import HttpClient, trusting
from tests.fakes.pki import bare, server_context


class Answering(BaseHTTPRequestHandler):
    """What an engine says of its version, to everything."""

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"ApiVersion": "1.41"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.do_GET()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """Within TLS, with a certificate for `server` and an address. place: in URLs; ca: the file with whom it is to be trusted by."""

    daemon_threads = False

    def __init__(self, folder, address):
        super().__init__(("127.0.0.1", 0), Answering)
        authority, chain, key = bare("server", address)
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(authority)
        self.context = server_context(chain, key)
        self.place = f"127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def finish_request(self, request, client_address):
        with self.context.wrap_socket(request, server_side=True) as within:
            super().finish_request(within, client_address)

    def handle_error(self, request, client_address):
        """A client that does not trust it."""

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self._thread.join()
        self.server_close()


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path, "127.0.0.1") as made:
        yield made


def test_an_engine(server):
    with Certificates(TlsOptions(ca=server.ca.read_text())) as certificates:
        made = client.connect(f"tcp://{server.place}", certificates)
        assert made.api_version == "1.41"
        made.close()


async def test_an_authority_of_certificates(server):
    async def context():
        return trusting(server.ca)

    assert (await HttpClient(context, "test").request("GET", f"https://{server.place}/")).status == 200


async def test_a_collector_of_spans(server, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"https://{server.place}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(server.ca))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # this machine's, which requests prefers
        monkeypatch.delenv(name, raising=False)
    collector = Otlp()
    try:
        assert await asyncio.to_thread(collector.export, []) == ""
    finally:
        collector.stop()


@pytest.mark.parametrize(
    ("address", "whose", "why"),
    [("127.0.0.2", "its own", "mismatch"), ("127.0.0.1", "another", "self-signed|signature failure|local issuer")],
)
def test_whose_it_is_and_by_whom_is_verified_as_ever(tmp_path, address, whose, why):
    (tmp_path / "other.pem").write_bytes(bare("server", address)[0])
    with Server(tmp_path, address) as server, Session() as session:
        session.mount("https://", HttpsAdapter())
        with pytest.raises(exceptions.SSLError, match=why):
            session.get(f"https://{server.place}/", verify=str(server.ca if whose == "its own" else tmp_path / "other.pem"), timeout=10)


def test_one_connection_trusts_nobody_that_another_was_told_to_trust(server):
    with Session() as session:
        session.trust_env = False
        session.mount("https://", HttpsAdapter())
        url = f"https://{server.place}/"
        assert session.get(url, verify=str(server.ca), timeout=10).status_code == 200
        with pytest.raises(exceptions.SSLError):
            session.get(url, verify=True, timeout=10)
        with pytest.warns(InsecureRequestWarning):
            assert session.get(url, verify=False, timeout=10).status_code == 200


def test_connections_are_made_side_by_side(server, tmp_path):
    """With one context for all, loading a client's chain into it while another was made from it ended the process."""
    authority, chain, key = bare("client", "127.0.0.1")
    (tmp_path / "client.pem").write_bytes(chain + authority + key)
    with Session() as session, ThreadPoolExecutor(8) as threads:
        session.trust_env = False
        session.mount("https://", HttpsAdapter(pool_maxsize=8))
        session.verify, session.cert = str(server.ca), str(tmp_path / "client.pem")
        asked = [threads.submit(session.get, f"https://{server.place}/", timeout=30) for _ in range(80)]
        assert [each.result().status_code for each in asked] == [200] * 80


def test_nothing_else_is_changed():
    strict, plain = ssl.create_default_context(), usual(ssl.create_default_context())
    assert strict.verify_flags & ~ssl.VERIFY_X509_STRICT == plain.verify_flags
    assert (plain.verify_mode, plain.check_hostname) == (ssl.CERT_REQUIRED, True)
