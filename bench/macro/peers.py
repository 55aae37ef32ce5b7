"""The proxies of the comparison and the origin behind them.

Each is set to do the same work: pooled upstream connections, X-Forwarded-For, X-Forwarded-Proto and X-Request-Id set,
no access log, one process or thread.
"""

from __future__ import annotations

import shutil

from bench.macro.process import Haystack, Process, free_port

HOST = "bench.services.haystack"
BODY = "Haystack finds the needle: this body has sixty-six bytes, exactly."

NGINX = """daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error crit; {user}
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {rest}
}}
"""
ORIGIN = "server {{ listen 127.0.0.1:{port}; location / {{ default_type text/plain; return 200 '{body}'; }} }}"
PROXY = """upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Request-Id $request_id;
  }} }}"""
HAPROXY = """global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  http-reuse always
  option forwardfor
frontend front
  bind 127.0.0.1:{port}
  unique-id-format %[uuid()]
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto http
  default_backend back
backend back
  server origin 127.0.0.1:{origin}
"""
STATIC = """[[container]]
name = "bench"
image = "bench"
address = "127.0.0.1"
ports = ["{origin}/tcp"]
labels = {{ "haystack.port" = "{origin}", "haystack.host" = "bench.example" }}
"""


def program(name: str) -> str:
    """Path of a program that the comparison needs. Raises RuntimeError with the remedy when it is missing."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not found:
        raise RuntimeError(f"{name} is not installed; apt-get install {name}")
    return found


class Nginx(Process):
    """Debian's nginx with one worker."""

    name = "nginx"

    def configure(self, rest: str) -> None:
        """Write the configuration around these servers, and start."""
        # a worker that gave up root could not reach the folder of the benchmark
        text = NGINX.format(folder=self.folder, user="user root;", rest=rest)
        (self.folder / "nginx.conf").write_text(text)
        self.launch(program("nginx"), "-e", str(self.folder / "error"), "-c", str(self.folder / "nginx.conf"))


class Origin(Nginx):
    """nginx that answers with BODY from memory."""

    name = "origin"

    def start(self) -> None:
        """Start on a free port."""
        self.port = free_port()
        self.configure(ORIGIN.format(port=self.port, body=BODY))


class NginxProxy(Nginx):
    """nginx in front of the origin."""

    def __init__(self, origin: int) -> None:
        super().__init__()
        self.origin = origin

    def start(self) -> None:
        """Start on a free port."""
        self.port = free_port()
        self.configure(PROXY.format(port=self.port, origin=self.origin))


class HaproxyProxy(Process):
    """HAProxy in front of the origin, one thread."""

    name = "HAProxy"

    def __init__(self, origin: int) -> None:
        super().__init__()
        self.origin = origin

    def start(self) -> None:
        """Start on a free port."""
        self.port = free_port()
        config = self.folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(port=self.port, origin=self.origin))
        self.launch(program("haproxy"), "-db", "-q", "-f", str(config))


class HaystackProxy(Haystack):
    """Haystack in front of the origin, one worker, everything on."""

    def __init__(self, origin: int) -> None:
        super().__init__()
        static = self.folder / "static.toml"
        static.write_text(STATIC.format(origin=origin))
        self.settings = {"HAYSTACK_STATIC": str(static)}
