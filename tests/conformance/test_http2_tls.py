"""HTTP/2 within TLS, chosen by ALPN (RFC 9113, section 3.2): certificates, what is told of the client, clients of all kinds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest
from h2.connection import H2Connection

from tests.fakes.http2 import PREFACE, Http2Client
from tests.fakes.origin import Origin, chunked, respond
from tests.fakes.pki import Authority
from tests.fakes.tls import Memory, TlsClient, trusting
from tests.fakes.worker import Haystack, Member, host, until

WWW, OTHER, WEB = "www.example.com", "other.example.com", host("web")
BODY = bytes(range(256)) * 4096


class Edge:
    """A Haystack with certificates, an origin behind it, and the CA that clients trust. log: of accesses."""

    def __init__(self, folder, loop):
        self.authority = Authority(folder)
        self.certs = folder / "certs"
        self.certs.mkdir()
        self.authority.write(self.certs, "www", WWW, OTHER)
        self.authority.write(self.certs, "inside", "*.services.haystack")
        self.origin = Origin(loop, respond()).start()
        self.log = folder / "log"
        labels = {"haystack.host": f"{WWW},{OTHER}"}
        settings = {"HAYSTACK_CERTS": str(self.certs), "HAYSTACK_ACCESS_LOG": "json"}
        with self.log.open("wb") as out:
            self.haystack = Haystack([Member("web", self.origin.port, labels)], out=out, **settings)

    @property
    def port(self):
        return int(self.haystack.wait("ready")["https"])

    def context(self, *protocols):
        context = trusting(self.authority.path)
        context.set_alpn_protocols(list(protocols or ("h2", "http/1.1")))
        return context

    def client(self, name=WWW, **how):
        return Http2Client(self.port, self.context(), name, **how)

    def logged(self, path):
        """The line of the request with this path."""

        def found():
            return [line for line in map(json.loads, self.log.read_text().splitlines()) if line["target"] == path]

        until(found, 10, "it is not in the log")
        return found()[0]


@pytest.fixture(scope="module")
def edge(tmp_path_factory, fakes):
    made = Edge(tmp_path_factory.mktemp("edge"), fakes)
    with made.haystack:
        yield made
    made.origin.stop()


@pytest.fixture(autouse=True)
def plain_answer(edge):
    edge.origin.script = respond()
    edge.origin.requests.clear()


def test_it_is_chosen_where_it_is_offered(edge):
    with edge.client() as client:
        assert client.socket.selected_alpn_protocol() == "h2"
        assert client.get(WWW, "/x").status == 200
    request = edge.origin.requests[-1]
    assert (request.fields("x-forwarded-proto"), request.fields("x-forwarded-port")) == (["https"], [str(edge.port)])


def test_the_log_tells_of_both(edge):
    with edge.client() as client:
        client.get(WWW, "/logged")
    line = edge.logged("/logged")
    assert (line["version"], line["status"], line["sent"]) == ("2", 200, 2)


def test_a_host_of_another_certificate_gets_421_and_one_of_the_same_does_not(edge):
    with edge.client() as client:
        assert client.get(OTHER).status == 200
        assert client.get(f"{WWW}:{edge.port}").status == 200
        assert client.get(WEB).status == 421
        assert client.get(WWW).status == 200  # the connection goes on


def test_long_bodies_go_both_ways(edge):
    edge.origin.script = respond(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
    with edge.client() as client:
        answer = client.post(WWW, BODY * 3)
        assert bytes(answer.body) == BODY
        assert edge.origin.requests[-1].body == BODY * 3


@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_records_may_come_in_pieces(edge, pieces):
    client = Memory(edge.port, edge.context(), WWW)
    client.handshake(pieces)
    session = H2Connection()
    session.initiate_connection()
    session.send_headers(1, [(":method", "GET"), (":scheme", "https"), (":authority", WWW), (":path", "/")], end_stream=True)
    client.send(client.bytes_of(lambda: client.tls.write(session.data_to_send())), pieces)
    kinds = []
    while "StreamEnded" not in kinds:
        kinds += [type(event).__name__ for event in session.receive_data(client.read())]
    client.sock.close()
    assert "ResponseReceived" in kinds


def test_who_chose_it_and_speaks_http1_is_sent_away(edge):
    with TlsClient(edge.port, edge.context("h2"), WWW) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {WWW}\r\n\r\n".encode())
        assert b"HTTP/1.1" not in client.rest()
    assert not edge.origin.requests


def test_who_chose_http1_and_speaks_it_not_gets_505(edge):
    with TlsClient(edge.port, edge.context("http/1.1"), WWW) as client:
        assert client.send(PREFACE).response().status == 505


# Clients that people use.


def resolved(edge):
    return ["--cacert", str(edge.authority.path), "--resolve", f"{WWW}:{edge.port}:127.0.0.1"]


def run(*command, seconds=60, **how):
    ended = subprocess.run(command, capture_output=True, check=False, timeout=seconds, **how)
    assert ended.returncode == 0, ended.stderr.decode() + ended.stdout.decode()
    return ended.stdout


def there(name):
    """A program: requirements/system sees to it."""
    path = shutil.which(name)
    assert path, f"{name} is not installed"
    return path


@pytest.mark.parametrize("size", [0, 3_000_000])
def test_curl(edge, tmp_path, size):
    body = tmp_path / "body"
    body.write_bytes(b"u" * size)
    out = run(
        "curl", "-sS", "--http2", *resolved(edge), "-w", "%{http_version}", "--data-binary", f"@{body}", f"https://{WWW}:{edge.port}/"
    )
    assert out == b"ok2"
    assert len(edge.origin.requests[-1].body) == size


def test_curl_reads_a_long_body_and_trailers(edge):
    edge.origin.script = chunked(BODY, BODY, trailer=b"X-Sum: 7\r\n")
    assert run("curl", "-sS", "--http2", *resolved(edge), f"https://{WWW}:{edge.port}/") == BODY * 2


def test_nghttp(edge):
    edge.origin.script = respond(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
    url = f"https://127.0.0.1:{edge.port}/n"
    out = run(there("nghttp"), "-nv", "-H", f":authority: {WWW}", "--no-verify-peer", url, seconds=30)
    assert re.search(rb":status: 200\b", out), out
    assert sum(map(int, re.findall(rb"recv DATA frame <length=(\d+),", out))) == len(BODY)


NODE = """
const http2 = require('http2'), fs = require('fs');
const client = http2.connect('https://%(name)s:%(port)d', {ca: fs.readFileSync('%(ca)s'), servername: '%(name)s',
  lookup: (name, options, done) => options.all ? done(null, [{address: '127.0.0.1', family: 4}]) : done(null, '127.0.0.1', 4)});
let left = 20, sizes = [];
client.on('error', e => { console.error(e); process.exit(1); });
for (let i = 0; i < 20; i++) {
  const stream = client.request({':path': '/node' + i, ':method': 'POST'});
  let size = 0, status;
  stream.on('response', h => status = h[':status']);
  stream.on('data', d => size += d.length);
  stream.on('error', e => { console.error(e); process.exit(1); });
  stream.on('end', () => { sizes.push(status + ' ' + size); if (--left == 0) { console.log(JSON.stringify(sizes)); client.close(); } });
  stream.end(Buffer.alloc(200000, 'u'));
}
"""


def test_node(edge):
    edge.origin.script = respond(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
    script = NODE % {"name": WWW, "port": edge.port, "ca": edge.authority.path}
    assert json.loads(run(there("node"), "-e", script)) == [f"200 {len(BODY)}"] * 20
    assert {len(request.body) for request in edge.origin.requests} == {200_000}


HTTPX = """
import asyncio, httpx, ssl, sys
async def main():
    context = ssl.create_default_context(cafile=sys.argv[2])
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    async with httpx.AsyncClient(http2=True, verify=context) as client:
        async def one(n):
            got = await client.post(f"https://127.0.0.1:{sys.argv[1]}/{n}", content=b"u" * 300000,
                                    headers={"host": sys.argv[3]}, extensions={"sni_hostname": sys.argv[3]})
            return got.status_code, got.http_version, got.content
        found = await asyncio.gather(*(one(n) for n in range(30)))
        assert set(found) == {(200, "HTTP/2", b"ok")}, set(found)
asyncio.run(main())
"""


def test_httpx(edge):
    run(sys.executable, "-c", HTTPX, str(edge.port), str(edge.authority.path), WWW)
    assert len(edge.origin.requests) == 30


JAVA = """
import java.net.URI;
import java.net.http.*;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.stream.*;
import javax.net.ssl.*;
public class Ask {
    public static void main(String[] args) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (var in = new java.io.FileInputStream(args[1])) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).sslContext(context).build();
        var asked = IntStream.range(0, 20).mapToObj(n -> client.sendAsync(
            HttpRequest.newBuilder(URI.create(args[0] + n))
                .POST(HttpRequest.BodyPublishers.ofByteArray(new byte[100000])).build(),
            HttpResponse.BodyHandlers.ofString())).collect(Collectors.toList());
        for (var each : asked) { var got = each.get(); System.out.println(got.version() + " " + got.statusCode() + " " + got.body()); }
        System.exit(0);
    }
}
"""


def test_java(edge, tmp_path):
    """Its client asks for the host of the URL alone: a file of hosts leads that here."""
    (tmp_path / "Ask.java").write_text(JAVA)
    (tmp_path / "hosts").write_text(f"127.0.0.1 {WWW}\n")
    hosts = f"-Djdk.net.hosts.file={tmp_path / 'hosts'}"
    url = f"https://{WWW}:{edge.port}/"
    out = run(there("java"), hosts, str(tmp_path / "Ask.java"), url, str(edge.authority.path), seconds=120).decode().split()
    assert out == ["HTTP_2", "200", "ok"] * 20
    assert {len(request.body) for request in edge.origin.requests} == {100_000}
    assert len(edge.origin.requests) == 20


def test_h2load(edge):
    out = run(
        there("h2load"),
        "-n",
        "2000",
        "-c",
        "4",
        "-m",
        "16",
        "-H",
        f":authority: {WWW}",
        f"--connect-to=127.0.0.1:{edge.port}",
        f"https://{WWW}/",
    )
    assert b"2000 succeeded, 0 failed, 0 errored" in out
