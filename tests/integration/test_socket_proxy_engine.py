"""The README's socket proxy, as it stands there: what it has to let through is enough for Haystack, and nothing else comes through.

In the place of tecnativa's image is nginx with that very list, so that no registry is needed.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import textwrap
import uuid
from pathlib import Path

import pytest

TOKEN = uuid.uuid4().hex[:8]
README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
SITE = """user root; events {} http { server { listen 2375; proxy_buffering off; proxy_read_timeout 1h; access_log /dev/stdout;
  location ~ ^(/v[0-9.]+)?/(%s)(/|$) { limit_except GET { deny all; } proxy_http_version 1.1; proxy_pass http://unix:/var/run/docker.sock; }
  location / { return 403; } } }"""


def lines_of_readme():
    """The block of commands, as words; each with names of this run."""
    block = next(b for b in re.findall(r"^((?: {6}.*\n)+)", README, re.MULTILINE) if "docker-socket-proxy" in b)
    text = textwrap.dedent(block).replace("\\\n", "").replace("-p 80:80", "-p 127.0.0.1::80")
    names = {"engine": f"engine{TOKEN}", "socket-proxy": f"proxy{TOKEN}", "haystack": f"haystack{TOKEN}"}
    for name, own in names.items():
        text = re.sub(rf"((?:--network|--name|create|create --internal|connect|start)) {name}\b", rf"\1 {own}", text)
        text = re.sub(rf"(network connect \S+) {name}\b", rf"\1 {own}", text).replace(f"tcp://{name}:", f"tcp://{own}:")
    return [shlex.split(line) for line in text.splitlines()]


def allowed():
    """What the README says that the proxy has to let through."""
    told = re.search(r"allows only GET ((?:/\w+(?:, | and |))+):", " ".join(README.split()))
    return re.findall(r"/(\w+)", told[1])


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    path = tmp_path_factory.mktemp("proxy") / "nginx.conf"
    path.write_text(SITE % "|".join(allowed()))
    return ["-v", f"{path}:/etc/nginx/nginx.conf:ro", "nginx"]


@pytest.fixture(scope="module")
def haystack(client, image, images, stand_in, eventually):
    """The container, behind the proxy."""
    made = []
    try:
        for words in lines_of_readme():
            if words[-1] == "tecnativa/docker-socket-proxy":
                words[-1:] = stand_in
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
            assert done.returncode == 0, (words, done.stderr)
            made += [words[words.index("--name") + 1]] if "--name" in words else []
        container = client.containers.get(f"haystack{TOKEN}")
        eventually(lambda: " ready " in container.logs().decode(), 40, lambda: container.logs().decode()[-3000:])
        yield container
    finally:
        subprocess.run(["docker", "rm", "-fv", *made], capture_output=True, check=False, timeout=60)
        subprocess.run(["docker", "network", "rm", f"engine{TOKEN}"], capture_output=True, check=False, timeout=60)


def test_haystack_lives_on_what_the_proxy_lets_through(haystack, client, host, eventually, address_of):
    started = host.run("nginx", name=f"behind{TOKEN}-1")
    eventually(lambda: started.short_id in haystack.logs().decode(), 20, lambda: haystack.logs().decode()[-3000:])
    haystack.reload()
    port = haystack.ports["80/tcp"][0]["HostPort"]
    name = f"Host: behind{TOKEN}.nginx.services.haystack"
    line = ["curl", "-s", "--noproxy", "*", "--max-time", "5", "-H", name, f"http://127.0.0.1:{port}/"]
    eventually(lambda: "nginx" in subprocess.run(line, capture_output=True, text=True, check=False, timeout=10).stdout, 20, "never served")
    log = client.containers.get(f"proxy{TOKEN}").logs().decode()
    refused = [row for row in log.splitlines() if re.search(r'" (403|404|405|5\d\d) ', row)]
    assert refused == []


REFUSED = [("POST", "/containers/create"), ("GET", "/secrets"), ("DELETE", "/containers/x"), ("GET", "/exec/x/json")]


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_nothing_else_comes_through(haystack, host, method, path):
    """Seen from a container on the proxy's network: what could change anything, or tell secrets, is refused."""
    script = f"printf '{method} {path} HTTP/1.0\\r\\n\\r\\n' | nc proxy{TOKEN} 2375 | head -1"
    printed, _ = host.once("busybox", ["sh", "-c", script], network=f"engine{TOKEN}")
    assert " 403 " in printed, printed


def test_the_proxy_is_out_of_other_containers_reach(haystack, host, client):
    """Whoever reaches it may read every container's environment: so it has a network of its own, without a way to the default one."""
    there = client.containers.get(f"proxy{TOKEN}").attrs["NetworkSettings"]["Networks"]
    assert list(there) == [f"engine{TOKEN}"]
    printed, status = host.once("busybox", ["nc", "-w", "3", there[f"engine{TOKEN}"]["IPAddress"], "2375"])
    assert status != 0, printed
