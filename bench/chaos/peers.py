"""HAProxy and nginx before the same containers: static servers, every retry on, as somebody would set them who knows both well."""

from __future__ import annotations

from collections.abc import Sequence

from bench.chaos.sealing import Sealing
from bench.macro.peers import Nginx, program
from bench.macro.process import Process
from tests.fakes.ports import free_port
from tests.fakes.processes import children

HAPROXY = """global
  nbthread 1
  maxconn 4000
  stats socket {folder}/stats level admin
defaults
  mode http
  retries 3
  option redispatch 1
  retry-on all-retryable-errors
  timeout connect 1s
  timeout client 60s
  timeout server 5s
  timeout queue 10s
  http-reuse always
  option forwardfor
frontend front
  bind 127.0.0.1:{port} backlog 4096
{secure}
  default_backend back
backend back
  balance leastconn
  default-server check inter 500ms fall 2 rise 2 observe layer4
{servers}
"""
# Where it ends TLS, and where it passes it through.
HAPROXY_TLS = "  bind 127.0.0.1:{port} backlog 4096 ssl crt {certificate} alpn h2,http/1.1"
HAPROXY_RAW = """frontend raw
  mode tcp
  bind 127.0.0.1:{port} backlog 4096
  default_backend ends
backend ends
  mode tcp
  balance leastconn
  default-server check inter 500ms fall 2 rise 2 observe layer4
{servers}
"""
NGINX = """upstream back {{ {servers} keepalive 256; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; {secure} location / {{
    proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_connect_timeout 1s; proxy_read_timeout 5s;
    proxy_next_upstream error timeout invalid_header http_500 http_502 http_503 http_504;
  }} }}"""
NGINX_TLS = "listen 127.0.0.1:{port} ssl http2 backlog=4096; ssl_certificate {certificate}; ssl_certificate_key {certificate};"


class Haproxy(Process):
    """HAProxy, one thread; checks each server every 500 ms, retries whatever can be retried."""

    name = "HAProxy"

    def __init__(self, addresses: Sequence[str], sealing: Sealing | None = None, *, raw: bool = False) -> None:
        super().__init__()
        self.addresses, self.sealing, self.raw = addresses, sealing, raw

    def servers(self, port: int) -> str:
        """Lines of a backend."""
        return "\n".join(f"  server s{number} {address}:{port}" for number, address in enumerate(self.addresses))

    def start(self) -> None:
        """Start on free ports."""
        self.port, self.secure = free_port(), free_port()
        sealed = self.sealing is not None and not self.raw
        secure = HAPROXY_TLS.format(port=self.secure, certificate=self.sealing.both) if self.sealing and sealed else ""
        text = HAPROXY.format(port=self.port, folder=self.folder, servers=self.servers(80), secure=secure)
        if self.raw:
            text += HAPROXY_RAW.format(port=self.secure, servers=self.servers(443))
        config = self.folder / "haproxy.cfg"
        config.write_text(text)
        self.launch(program("haproxy"), "-db", "-f", str(config))


class NginxPeer(Nginx):
    """nginx with one worker: the next server for whatever may be asked again."""

    def __init__(self, addresses: Sequence[str], sealing: Sealing | None = None) -> None:
        super().__init__()
        self.addresses, self.sealing = addresses, sealing

    def start(self) -> None:
        """Start on free ports."""
        self.port, self.secure = free_port(), free_port()
        secure = NGINX_TLS.format(port=self.secure, certificate=self.sealing.both) if self.sealing else ""
        servers = " ".join(f"server {address}:80;" for address in self.addresses)
        self.configure(NGINX.format(port=self.port, servers=servers, secure=secure))

    def groups(self) -> dict[str, list[int]]:
        """The worker apart from its master."""
        return {"worker": children(self.pid), "control": [self.pid]}
