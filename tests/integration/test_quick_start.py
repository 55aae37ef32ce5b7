"""The first lines of the README, as they stand there: one `docker run`, and the two Compose files."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import textwrap
import uuid
from pathlib import Path

import pytest

TOKEN = uuid.uuid4().hex[:8]
README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
COMPOSE = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]


def line_of_readme(start):
    """The one line of a block that begins so, as words."""
    found = re.findall(rf"^    ({re.escape(start)}.*)$", README, re.MULTILINE)
    assert len(found) == 1
    return shlex.split(found[0], comments=True)


def file_of_readme(name):
    """The block below the comment that names a file."""
    return textwrap.dedent(README.partition(f"<!-- {name} -->\n")[2].partition("\n\n")[0])


def get(port, host, *more):
    """Status and body of what curl fetches; it finds a name below localhost by itself, as browsers do."""
    url = f"http://{host}:{port}/"
    line = ["curl", "-s", "--noproxy", "*", "--max-time", "5", "-w", "\n%{http_code}", *more, url]
    body, _, status = subprocess.run(line, capture_output=True, text=True, timeout=10, check=False).stdout.rpartition("\n")
    return int(status or 0), body


@pytest.fixture(scope="module")
def laptop(host, image, eventually):
    """The one line, on free ports of this machine and under a name that is nobody's."""
    words = line_of_readme("docker run -d --name haystack")
    changes = {"haystack": f"haystack-{TOKEN}", "80:80": "127.0.0.1::80", "8080:8080": "127.0.0.1::8080"}
    words = [*(changes.get(word, word) for word in words[:-1]), words[-1]]
    container = host.typed(words)
    port = container.ports["80/tcp"][0]["HostPort"]
    eventually(lambda: get(port, "localhost", "--head")[0], 40, lambda: container.logs().decode()[-2000:])
    return port


def test_one_line_gives_nginx_a_name_that_needs_no_dns(laptop, host, eventually):
    host.run("nginx", name=f"quick{TOKEN}-001")
    name = f"quick{TOKEN}.nginx.services.localhost"
    eventually(lambda: get(laptop, name)[0] == 200, 20, lambda: f"{get(laptop, name)}")
    assert "nginx" in get(laptop, name)[1]


def test_one_line_shows_the_page_at_localhost(laptop):
    status, page = get(laptop, "localhost", "-L")
    assert status == 200
    assert "<html" in page


def test_it_runs_read_only_and_says_what_it_can_not_keep(host, image, eventually):
    words = line_of_readme("docker run -d --name haystack")
    at = words.index("-p")
    container = host.typed(["docker", "run", "-d", "--read-only", "--cap-drop", "ALL", *words[at + 4 :]])
    eventually(lambda: " ready " in container.logs().decode(), 40, lambda: container.logs().decode()[-2000:])
    assert "Traceback" not in container.logs().decode()


@pytest.fixture(scope="module")
def project(client, image, images, tmp_path_factory):
    """The two Compose files, each in its folder, on a network and ports that are nobody's."""
    folders = []
    for name in ("compose.yaml", "shop/compose.yaml"):
        text = file_of_readme(name).replace("name: haystack", f"name: net{TOKEN}")
        text = text.replace('["80:80", "8080:8080"]', '["127.0.0.1::80", "127.0.0.1::8080"]')
        folder = tmp_path_factory.mktemp("compose") / f"{'shop' if '/' in name else 'stack'}{TOKEN}"
        folder.mkdir()
        (folder / "compose.yaml").write_text(text)
        folders.append(folder)

    def compose(folder, *words):
        ended = subprocess.run([*COMPOSE, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    try:
        for folder in folders:
            compose(folder, "up", "-d")
        yield compose, folders
    finally:
        for folder in reversed(folders):
            subprocess.run([*COMPOSE, "down", "-v", "-t", "1"], cwd=folder, capture_output=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def port(project):
    compose, (stack, _) = project
    return compose(stack, "port", "haystack", "80").strip().rpartition(":")[2]


def test_a_compose_service_has_the_name_of_its_project(port, eventually):
    name = f"web.shop{TOKEN}.services.localhost"
    eventually(lambda: get(port, name)[0] == 200, 30, lambda: f"{get(port, name)}")
    assert "nginx" in get(port, name)[1]


def test_a_compose_service_has_the_host_name_of_its_label(port, eventually):
    to = ("--connect-to", f"api.example.com:{port}:127.0.0.1:{port}")
    eventually(lambda: get(port, "api.example.com", *to)[0] == 200, 30, lambda: f"{get(port, 'api.example.com', *to)}")
    assert "It works!" in get(port, "api.example.com", *to)[1]


def test_a_scaled_compose_service_is_balanced(project, port, client, eventually):
    compose, (_, shop) = project
    compose(shop, "up", "-d", "--scale", "web=3")
    found = client.containers.list(filters={"label": [f"com.docker.compose.project={shop.name}", "com.docker.compose.service=web"]})
    assert len(found) == 3
    for container in found:
        container.exec_run(["sh", "-c", f"echo {container.short_id} >/usr/share/nginx/html/index.html"])
    name, wanted = f"web.{shop.name}.services.localhost", {c.short_id for c in found}
    eventually(lambda: {get(port, name)[1].strip() for _ in range(12)} == wanted, 30, f"{name} is not served by all three")
