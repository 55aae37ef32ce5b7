"""The proxies of the comparison with TLS. In all of them: the same certificate, ciphers, groups, tickets and ALPN."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.macro.peers import UPSTREAM, HaproxyProxy, HaystackProxy, Nginx, NginxProxy, program
from bench.macro.process import Haystack, Process
from bench.tls.certificate import CIPHERS, GROUPS, SUITES, TICKET_HOURS, Certificate
from tests.fakes.ports import free_port

# Sessions are in tickets alone, as Haystack has them: two with a full handshake of TLS 1.3, which is OpenSSL's default everywhere.
SERVER = """client_max_body_size 0; proxy_headers_hash_max_size 1024; http2_max_concurrent_streams 128; http2_recv_buffer_size 256k;
  ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
  ssl_ciphers {ciphers}; ssl_conf_command Ciphersuites {suites}; ssl_ecdh_curve {groups};
  ssl_session_cache off; ssl_session_tickets on; ssl_session_timeout {hours}h;
  {upstream}
  server {{ listen 127.0.0.1:{port} ssl http2 backlog=4096; location / {{ {location} }} }}"""
HTTP1 = """proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    proxy_request_buffering off; proxy_max_temp_file_size 0; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Request-Id $request_id;"""
GRPC = """grpc_pass grpc://origin; grpc_set_header Host $http_host; grpc_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    grpc_set_header X-Forwarded-Proto $scheme; grpc_set_header X-Request-Id $request_id;"""
HAPROXY = """global
  nbthread 1
  maxconn 6000
  tune.ssl.cachesize 0
  tune.ssl.lifetime {seconds}
  tune.ssl.default-dh-param 2048
  ssl-default-bind-ciphers {ciphers}
  ssl-default-bind-ciphersuites {suites}
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  http-reuse always
  option forwardfor
frontend front
  bind 127.0.0.1:{port} backlog 4096 ssl crt {both} curves {groups} alpn h2,http/1.1
  maxconn 6000
  unique-id-format %[uuid()]
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto https
  default_backend back
backend back
  server origin 127.0.0.1:{origin} {protocol}
"""
CONTAINER = """[[container]]
name = "c0"
image = "bench"
address = "127.0.0.1"
ports = ["{origin}/tcp"]
labels = {{ "haystack.port" = "{origin}", "haystack.protocol" = "h2c" }}
"""
MESSAGE = b"\0\0\0\0\x20" + b"g" * 32  # of gRPC: not compressed, 32 bytes
# It passes each call on to itself, for that reads the message first: who answers before it has, ends the stream with a reset.
GRPC_ORIGIN = """open_file_cache max=16; http2_max_concurrent_streams 1024; types {{ }} default_type application/grpc;
  upstream itself {{ server unix:{folder}/itself; keepalive 64; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port} http2 backlog=4096; location / {{
    rewrite ^ /answer break; proxy_pass http://itself; proxy_method GET; proxy_pass_request_body off; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_set_header Content-Length ""; add_trailer grpc-status 0; }} }}
  server {{ listen unix:{folder}/itself; root {folder}; }}"""


@dataclass(frozen=True)
class Site:
    """What stands behind a proxy, and what it shows. grpc: the origin speaks HTTP/2 without TLS (h2c)."""

    origin: int
    certificate: Certificate
    grpc: bool = False


class TlsNginx(Nginx):
    """Debian's nginx with one worker."""

    name = "nginx"

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site

    def start(self) -> None:
        """Start on a free port."""
        self.port = free_port()
        shown = self.site.certificate
        upstream = UPSTREAM.format(name="origin", servers=f"server 127.0.0.1:{self.site.origin};")
        text = SERVER.format(
            chain=shown.chain, key=shown.key, ciphers=CIPHERS, suites=SUITES, groups=GROUPS, hours=TICKET_HOURS,
            upstream=upstream, port=self.port, location=GRPC if self.site.grpc else HTTP1,
        )  # fmt: skip
        self.configure(text)


class TlsHaproxy(Process):
    """HAProxy with one thread."""

    name = "HAProxy"

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site

    def start(self) -> None:
        """Start on a free port."""
        self.port = free_port()
        text = HAPROXY.format(
            seconds=TICKET_HOURS * 3600, ciphers=CIPHERS, suites=SUITES, groups=GROUPS, port=self.port,
            both=self.site.certificate.both, origin=self.site.origin, protocol="proto h2" if self.site.grpc else "",
        )  # fmt: skip
        config = self.folder / "haproxy.cfg"
        config.write_text(text)
        self.launch(program("haproxy"), "-db", "-f", str(config))


class TlsHaystack(HaystackProxy):
    """Haystack with one worker, everything on. `port` is that of HTTPS."""

    def __init__(self, site: Site, **settings: str) -> None:
        super().__init__(site.origin, 1, 1, HAYSTACK_HTTPS_PORT="0", HAYSTACK_CERTS=str(site.certificate.folder), **settings)
        if site.grpc:
            Path(self.settings["HAYSTACK_STATIC"]).write_text(CONTAINER.format(origin=site.origin))

    def start(self) -> None:
        """Start; return when it has told its port. Raises RuntimeError."""
        Haystack.start(self)
        self.port = int(self.told["https"])


class GrpcOrigin(Nginx):
    """nginx that answers every call of gRPC with MESSAGE, over HTTP/2 without TLS."""

    name = "origin"

    def start(self) -> None:
        """Start on a free port."""
        (self.folder / "answer").write_bytes(MESSAGE)
        self.port = free_port()
        self.configure(GRPC_ORIGIN.format(port=self.port, folder=self.folder))


def plain_nginx(site: Site) -> Process:
    """As in `make bench`."""
    return NginxProxy(site.origin)


def plain_haproxy(site: Site) -> Process:
    """As in `make bench`."""
    return HaproxyProxy(site.origin)


def plain_haystack(site: Site) -> Process:
    """As in `make bench`."""
    return HaystackProxy(site.origin)
