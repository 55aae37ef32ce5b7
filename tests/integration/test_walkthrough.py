"""The walk-through of the README, line by line, against a real engine, with the image of this tree as the Haystack that runs."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import urllib.request
from collections import Counter

import docker
import pytest

# The host talks to Haystack's own address on 53, 80, 8080 and 22, for the bridge reaches it. Published are free ports of
# 127.0.0.1: a machine that runs the tests may well use 53 or 22 itself. `test_the_literal_line` takes the real ones.
CONTAINER_PORTS = ("53/udp", "80/tcp", "8080/tcp", "22/tcp")
LITERAL = {"53/udp": 53, "80/tcp": 80, "8080/tcp": 8080, "22/tcp": 22022}


def engine_options(engine_url):
    """How Haystack gets at the engine: by -e DOCKER_HOST, or by the socket where the engine has no address."""
    if engine_url:
        return {"environment": {"DOCKER_HOST": engine_url, "HAYSTACK_LOG_FORMAT": "json"}}
    return {"environment": {"HAYSTACK_LOG_FORMAT": "json"}, "volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("ssh") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture(scope="module")
def haystack(host, image, engine_url, key, eventually, address_of):
    options = engine_options(engine_url)
    options["environment"]["HAYSTACK_SSH_AUTHORIZED_KEYS"] = key.with_suffix(".pub").read_text()
    container = host.run(image, name=None, ports=dict.fromkeys(CONTAINER_PORTS, ("127.0.0.1", None)), **options)
    url = f"http://{address_of(container)}/readyz"

    def log():
        return f"/readyz never said 200: {container.logs().decode()[-2000:]}"

    eventually(lambda: status(url) == 200, 20, log)
    return container


def status(url, name=None):
    """Status of one GET, 0 where nobody answers; name: the Host."""
    request = urllib.request.Request(url, headers={"Host": name} if name else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


@pytest.fixture(scope="module")
def ask(host, haystack, address_of):
    """A command in a busybox container whose name server is Haystack."""

    def run(*words):
        return host.once("busybox", list(words), dns=[address_of(haystack)])

    return run


def many(ask, name, times=12, port=80):
    """What `wget -q -O /dev/stdout` prints, so many times, in one container."""
    url = f"http://{name}:{port}/" if port != 80 else f"http://{name}"
    printed, code = ask("sh", "-c", f"for i in $(seq {times}); do wget -q -O /dev/stdout {url} || exit 1; done")
    assert code == 0, printed
    return printed


def addresses(ask, name):
    """Addresses that nslookup shows for the name; none where it says there is no such name."""
    printed, _ = ask("nslookup", name)
    return set(re.findall(r"Address(?: \d+)?:\s+(\d+\.\d+\.\d+\.\d+)(?!:53)\b", printed.partition(name)[2]))


@pytest.fixture(scope="module")
def letters(host, tmp_path_factory):
    """for d in a b c d; do mkdir $d; echo $d >$d/index.html; docker run -v $PWD/$d:/usr/share/nginx/html:ro -d nginx; done."""
    folder = tmp_path_factory.mktemp("sites")
    folder.chmod(0o755)
    folder.parent.chmod(0o755)
    made = {}
    for letter in "abcd":
        site = folder / letter
        site.mkdir(mode=0o755)
        (site / "index.html").write_text(f"{letter}\n")
        made[letter] = host.run("nginx", volumes=[f"{site}:/usr/share/nginx/html:ro"])
    return made


@pytest.fixture(scope="module")
def web(host):
    """docker run -d --name web-001 nginx; docker run -d --name web-002 nginx."""
    with contextlib.ExitStack() as stack:
        for name in ("web-001", "web-002"):
            with contextlib.suppress(docker.errors.NotFound):
                other = host.client.containers.get(name)
                pytest.fail(f"a container {name} that is not ours exists: {other.short_id}")
        made = [host.run("nginx", name=name) for name in ("web-001", "web-002")]
        stack.pop_all()
    for container in made:
        write(container, "/usr/share/nginx/html/index.html", container.name)
    return made


def write(container, path, text):
    code, printed = container.exec_run(["sh", "-c", f"echo {text} >{path}"])
    assert code == 0, printed


def settled(ask, name, expected, eventually, **more):
    """Wait until every one of `expected` has served and nothing else does."""
    eventually(lambda: set(many(ask, name, **more).split()) == expected, 30, f"{name} is not served by {expected} alone")


def test_nslookup_of_the_service_answers_with_haystacks_address(ask, haystack, letters, address_of, eventually):
    eventually(lambda: addresses(ask, "nginx.services.haystack") == {address_of(haystack)}, 20, "nginx has no name")


def test_the_plain_service_is_balanced_over_a_b_c_d_only(ask, letters, web, eventually):
    settled(ask, "nginx.services.haystack", {"a", "b", "c", "d"}, eventually, times=40)
    shares = Counter(many(ask, "nginx.services.haystack", times=80).split())
    assert set(shares) == {"a", "b", "c", "d"}
    assert min(shares.values()) >= 5


def test_the_group_is_balanced_over_its_two_only(ask, letters, web, eventually):
    settled(ask, "web.nginx.services.haystack", {"web-001", "web-002"}, eventually, times=24)


def test_httpd_is_served_under_its_name(ask, host, haystack, eventually):
    host.run("httpd")
    eventually(lambda: addresses(ask, "httpd.services.haystack"), 20, "httpd has no name")
    assert "It works!" in many(ask, "httpd.services.haystack", times=1)


def test_jenkins_is_served_on_the_alternative_port(ask, host, haystack, eventually):
    host.run("jenkins")
    eventually(lambda: addresses(ask, "jenkins.services.haystack"), 20, "jenkins has no name")
    assert "html" in many(ask, "jenkins.services.haystack", times=1, port=8080)


def test_the_published_port_serves_the_same(haystack, letters, eventually):
    haystack.reload()
    published = haystack.ports["80/tcp"][0]
    url = f"http://127.0.0.1:{published['HostPort']}/"
    eventually(lambda: status(url, "nginx.services.haystack") == 200, 20, "the published port does not serve")
    assert status(url, "nobody.services.haystack") == 404


def test_the_web_side_shows_the_containers(haystack, letters, address_of, eventually):
    url = f"http://{address_of(haystack)}/api/containers"

    def shown():
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)

    eventually(lambda: {c.id for c in letters.values()} <= shown().keys(), 20, "the containers are not in the API")
    assert haystack.id not in shown()


def ssh(haystack, key, address, *words, stdin=None):
    options = ["-i", key, "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    line = ["ssh", "-F", "none", "-o", "LogLevel=ERROR", *options, "-p", "22", f"admin@{address}", *words]
    return subprocess.run(line, input=stdin, capture_output=True, text=True, timeout=120, check=False)


def test_the_shell_runs_single_commands(haystack, key, letters, address_of):
    done = ssh(haystack, key, address_of(haystack), "services")
    assert done.returncode == 0, done.stderr
    assert "nginx.services.haystack" in done.stdout


def test_the_shell_traces_and_exits(haystack, key, letters, address_of):
    done = ssh(haystack, key, address_of(haystack), stdin="trace on\ntrace off\nexit()\n")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_shell_refuses_another_key(haystack, tmp_path, address_of):
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    assert ssh(haystack, other, address_of(haystack), "services").returncode == 255


def test_after_a_kill_the_rest_serve_on_and_with_the_last_the_name_goes(ask, haystack, letters, web, address_of, eventually):
    settled(ask, "nginx.services.haystack", {"a", "b", "c", "d"}, eventually, times=40)
    url = f"http://{address_of(haystack)}/"
    letters["a"].kill()
    assert {status(url, "nginx.services.haystack") for _ in range(40)} == {200}
    settled(ask, "nginx.services.haystack", {"b", "c", "d"}, eventually, times=40)
    for letter in "bcd":
        letters[letter].kill()
    eventually(lambda: not addresses(ask, "nginx.services.haystack"), 20, "the name of the last one stays")
    # it was there a moment ago: requests wait a while for the next container, and then hear that there is none
    eventually(lambda: status(url, "nginx.services.haystack") == 503, 20, "a name that has lost its last container is not answered 503")
    assert status(url, "web.nginx.services.haystack") == 200


def free(port, kind):
    with contextlib.closing(socket.socket(socket.AF_INET, kind)) as trial:
        if kind == socket.SOCK_STREAM:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def test_the_literal_line(host, image, engine_url, eventually):
    """The `docker run` of the walk-through with its own ports, where this machine has them free; else on others."""
    kinds = {port: socket.SOCK_DGRAM if port.endswith("udp") else socket.SOCK_STREAM for port in LITERAL}
    ports = {port: number if free(number, kinds[port]) else None for port, number in LITERAL.items()}
    container = host.run(image, ports=ports, **engine_options(engine_url))
    container.reload()
    number = container.ports["80/tcp"][0]["HostPort"]

    def log():
        return container.logs().decode()[-2000:]

    eventually(lambda: status(f"http://127.0.0.1:{number}/readyz") == 200, 20, log)
    container.stop(timeout=35)
    assert container.wait()["StatusCode"] == 0, log()
