"""The proxies of the comparison and what they are set to.

Each does the same work: pooled upstream connections, X-Forwarded-For, X-Forwarded-Proto and X-Request-Id set, no access log, one
process or thread, bodies streamed.
"""

from __future__ import annotations

import os
import shutil

from bench.macro.process import Haystack, Process
from tests.fakes.ports import free_port

NGINX = """daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error crit; {user}
worker_rlimit_nofile {files};
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; sendfile on; tcp_nopush on;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {rest}
}}
"""
SERVER = """client_max_body_size 0; map_hash_max_size 8192; proxy_headers_hash_max_size 1024;
  {upstreams}
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{
    proxy_pass http://{upstream}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    proxy_request_buffering off; proxy_max_temp_file_size 0; {more}
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Request-Id $request_id;
  }} }}"""
UPSTREAM = "upstream {name} {{ {servers} keepalive 1024; keepalive_requests 1000000000; }}"
# 64 KiB at a time instead of 4 or 16: what a person who knows that the bodies are large would set
WIDE_NGINX = "proxy_buffering off; proxy_buffers 16 64k; proxy_buffer_size 64k; client_body_buffer_size 128k;"
WIDE_HAPROXY = "tune.bufsize 65536"
HAPROXY = """global
  nbthread 1
  {more}
  maxconn 6000
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  http-reuse always
  option forwardfor
frontend front
  bind 127.0.0.1:{port} backlog 4096
  maxconn 6000
  unique-id-format %[uuid()]
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto http
  default_backend back
backend back
  server origin 127.0.0.1:{origin}
"""
CADDY = """{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{origin} {{
    header_up X-Request-Id {{http.request.uuid}}
    transport http {{
      keepalive 600s
      keepalive_idle_conns 4096
      keepalive_idle_conns_per_host 4096
    }}
  }}
}}
"""
CONTAINER = """[[container]]
name = "{name}"
image = "{image}"
address = "{address}"
ports = ["{origin}/tcp"]
labels = {{ "haystack.port" = "{origin}" }}
"""


PACKAGES = {"knotd": "knot", "dnsmasq": "dnsmasq-base"}  # where they are called otherwise


def program(name: str) -> str:
    """Path of a program that the comparison needs. Raises RuntimeError with the remedy when it is missing."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not found:
        raise RuntimeError(f"{name} is not installed; apt-get install {PACKAGES.get(name, name)}")
    return found


class Nginx(Process):
    """Debian's nginx with one worker."""

    name = "nginx"

    def configure(self, rest: str) -> None:
        """Write the configuration around these servers, and start."""
        # a worker that gave up root could not reach the folder of the benchmark
        user = "user root;" if os.geteuid() == 0 else ""
        text = NGINX.format(folder=self.folder, user=user, files=self.files(), rest=rest)
        (self.folder / "nginx.conf").write_text(text)
        self.launch(program("nginx"), "-e", str(self.folder / "error"), "-c", str(self.folder / "nginx.conf"))


class NginxProxy(Nginx):
    """nginx in front of the origin. more: settings of the location."""

    def __init__(self, origin: int, more: str = "") -> None:
        super().__init__()
        self.origin, self.more = origin, more

    def start(self) -> None:
        """Start on a free port."""
        self.port = free_port()
        self.configure(SERVER.format(port=self.port, more=self.more, upstream=self.upstream, upstreams=self.upstreams()))

    upstream = "origin"

    def upstreams(self) -> str:
        """The blocks before the server's."""
        return UPSTREAM.format(name="origin", servers=f"server 127.0.0.1:{self.origin};")


class ManyNginxProxy(NginxProxy):
    """nginx with an upstream block a service and a map from Host to it; services and endpoints as HaystackProxy has them."""

    upstream = "$service"

    def __init__(self, origin: int, services: int, endpoints: int) -> None:
        super().__init__(origin)
        self.services, self.endpoints = services, endpoints

    def upstreams(self) -> str:
        """The blocks before the server's."""
        blocks = []
        for service in range(self.services):
            numbers = range(service * self.endpoints, (service + 1) * self.endpoints)
            servers = " ".join(f"server {address(number)}:{self.origin};" for number in numbers)
            blocks.append(UPSTREAM.format(name=f"service{service}", servers=servers))
        hosts = " ".join(f"bench{service}.services.haystack service{service};" for service in range(self.services))
        return "\n".join([*blocks, f"map $http_host $service {{ {hosts} }}"])


class HaproxyProxy(Process):
    """HAProxy in front of the origin, one thread. more: global settings."""

    name = "HAProxy"

    def __init__(self, origin: int, more: str = "") -> None:
        super().__init__()
        self.origin, self.more = origin, more

    def start(self) -> None:
        """Start on a free port."""
        self.port = free_port()
        config = self.folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(port=self.port, origin=self.origin, more=self.more))
        self.launch(program("haproxy"), "-db", "-f", str(config))


class CaddyProxy(Process):
    """Caddy in front of the origin, one thread of Go code at a time."""

    name = "Caddy"

    def __init__(self, origin: int) -> None:
        super().__init__()
        self.origin = origin

    def start(self) -> None:
        """Start on a free port. Its own files stay in the folder of the benchmark."""
        self.port = free_port()
        config = self.folder / "Caddyfile"
        config.write_text(CADDY.format(port=self.port, origin=self.origin))
        self.environment = {
            "GOMAXPROCS": "1",
            "HOME": str(self.folder),
            "XDG_DATA_HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder),
        }
        self.launch(program("caddy"), "run", "--adapter", "caddyfile", "--config", str(config))


class HaystackProxy(Haystack):
    """Haystack in front of the origin, everything on. services and endpoints: how many; each endpoint has an address of its own.

    One service is `bench.services.haystack`, several are `bench0.services.haystack` and on.
    """

    def __init__(self, origin: int, services: int = 1, endpoints: int = 1, **settings: str) -> None:
        super().__init__(**settings)
        static = self.folder / "static.toml"
        static.write_text("\n".join(entry(origin, s, e, services, endpoints) for s in range(services) for e in range(endpoints)))
        self.settings["HAYSTACK_STATIC"] = str(static)


def entry(origin: int, service: int, endpoint: int, services: int, endpoints: int) -> str:
    """One container of the static file. A lone endpoint is at 127.0.0.1, for the origin listens on no other address then."""
    number = service * endpoints + endpoint
    place = address(number) if services * endpoints > 1 else "127.0.0.1"
    image = f"bench{service}" if services > 1 else "bench"
    return CONTAINER.format(name=f"c{number}", image=image, address=place, origin=origin)


def address(number: int) -> str:
    """The loopback address of the endpoint of that number, one of 65,536."""
    return f"127.1.{number >> 8}.{number & 255}"
