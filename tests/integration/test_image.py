"""The image is built from cached stages, and serves under every flag that takes rights away. test_image_contents.py looks at its files."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import uuid
from pathlib import Path

import pytest

from haystack import __version__
from tests.fakes.engine import FakeEngine, inspected

ROOT = Path(__file__).resolve().parents[2]
TOKEN = uuid.uuid4().hex[:8]
SOCKET = "/var/run/docker.sock"
MOUNT = ["-v", f"{SOCKET}:{SOCKET}"]
LEAST = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
FOUR = [word for name in ("CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID") for word in ("--cap-add", name)]
MEGABYTE = 1_000_000
OWN = "65532"
BIND = 1 << 10
OVERRIDE = 1 << 1
SEEN = """import os, json
found = {}
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        told = dict(line.split(":\\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines())
    except OSError:
        continue
    found[told["Name"]] = [told["Uid"].split()[1], int(told["CapEff"], 16), int(told["CapPrm"], 16), told["NoNewPrivs"].strip()]
print(json.dumps(found))"""

KILL = """import contextlib, os, signal, sys
for pid in filter(str.isdigit, os.listdir("/proc")):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        if open(f"/proc/{pid}/comm").read().strip() == sys.argv[1]:
            os.kill(int(pid), signal.SIGKILL)"""


@pytest.fixture(scope="module")
def about(client, image):
    """What the engine says of the image."""
    return client.images.get(image).attrs


def test_labels_and_health_check_say_what_it_is(about):
    config, told = about["Config"], about["Config"]["Labels"]
    kinds = ("title", "description", "licenses", "version", "revision", "created", "base.name")
    assert {f"org.opencontainers.image.{kind}" for kind in kinds} <= told.keys()
    assert told["org.opencontainers.image.version"] == __version__
    assert config["Healthcheck"]["Test"] == ["CMD", "haystack", "healthcheck"]
    assert config["StopSignal"] == "SIGTERM"


def test_it_has_each_compiled_module_once_and_stripped(image, client, tmp_path):
    made = client.containers.create(image)
    try:
        subprocess.run(["docker", "cp", "-q", f"{made.id}:/opt/haystack/lib", tmp_path], check=True, timeout=60)
    finally:
        made.remove()
    fast = ROOT / "haystack" / "_fast"
    sources = {path.relative_to(fast).with_suffix("") for path in fast.rglob("*.pyx") if path.stem != "testing"}
    (site,) = tmp_path.glob("lib/python3.*/site-packages")
    compiled = [*(site / "haystack" / "_fast").rglob("*.so")]
    found = [path.relative_to(site / "haystack" / "_fast") for path in compiled]
    assert sorted(path.with_name(path.name.partition(".")[0]) for path in found) == sorted(sources)
    told = subprocess.run(["readelf", "--sections", "--wide", *site.rglob("*.so")], capture_output=True, text=True, check=True, timeout=120)
    assert "File: " in told.stdout
    assert {*re.findall(r"\.(?:symtab|strtab|debug_\w+)\b", told.stdout)} == set()


@pytest.fixture
def tree(tmp_path):
    """What the image is made of, to be changed."""
    for name in ("Dockerfile", ".dockerignore", "pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, tmp_path)
    for name in ("haystack", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.so", "*.c", "__pycache__"))
    return tmp_path


def cached(text):
    """Of each RUN of a build, by its first words: whether what an earlier one had made was taken. text: what `docker build` has printed."""
    plain = re.findall(r"^Step \d+/\d+ : RUN (.{60}).*\n ---> (Using cache)?", text, re.MULTILINE)
    named = re.findall(r"^#(\d+) \[[^]]*\] RUN (.{60})", text, re.MULTILINE)  # as BuildKit tells it
    return {words: bool(how) for words, how in plain} | {words: f"\n#{number} CACHED" in text for number, words in named}


@contextlib.contextmanager
def built(client, folder, *flags):
    """An image of this folder, which is gone afterwards: its tag, and of each RUN whether what an earlier build had made was taken."""
    tag = f"haystack:changed-{TOKEN}"
    line = ["docker", "build", "--tag", tag, *flags, "."]
    done = subprocess.run(
        line, cwd=folder, env={**os.environ, "BUILDKIT_PROGRESS": "plain"}, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    try:
        yield tag, cached(done.stdout + done.stderr)
    finally:
        client.images.remove(tag)


def test_a_change_of_python_code_alone_compiles_and_installs_nothing_again(image, client, tree):
    with (tree / "haystack" / "app.py").open("a") as file:
        file.write(f"# {TOKEN}\n")
    with built(client, tree) as (tag, steps):
        anew = [words for words, taken in steps.items() if not taken]
        assert len(steps) == (ROOT / "Dockerfile").read_text().count("\nRUN ")
        assert any("build_ext" in words for words in steps)
        assert [words.split()[0] for words in anew] == ["HAYSTACK_COMPILED=1", "cd"], anew
        script = "import haystack.app, sys; print(open(haystack.app.__file__).read().splitlines()[-1])"
        run = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python", tag, "-c", script]
        assert subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout == f"# {TOKEN}\n"


def test_another_base_is_named_in_the_label(image, client, tree):
    """The same one by another name: everything is made already."""
    base = re.search(r"^ARG BASE=(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1]
    client.images.get(base).tag("python", f"other-{TOKEN}")
    try:
        with built(client, tree, "--build-arg", f"BASE=python:other-{TOKEN}") as (tag, steps):
            assert all(steps.values()), steps
            assert client.images.get(tag).labels["org.opencontainers.image.base.name"] == f"python:other-{TOKEN}"
    finally:
        client.images.remove(f"python:other-{TOKEN}")


def processes(container):
    """Of the container: user, capabilities and no_new_privs of each, by name."""
    done = container.exec_run(["/opt/haystack/bin/python", "-c", SEEN], user="0")
    assert done.exit_code == 0, done.output
    return {name: values for name, values in json.loads(done.output).items() if name.startswith("haystack")}


def group():
    """Of the engine's socket."""
    return str(Path(SOCKET).stat().st_gid)


def started(host, image, eventually, *flags, command=()):
    container = host.typed(["docker", "run", "-d", "-e", "HAYSTACK_WORKERS=2", *flags, image, *command])
    eventually(lambda: " ready " in container.logs().decode(), 40, lambda: container.logs().decode()[-3000:])
    container.reload()
    return container


def asked(container, name, address_of):
    """What a GET of the nginx of this name gets."""
    url = f"http://{address_of(container)}/"
    words = ["curl", "-s", "--noproxy", "*", "--max-time", "5", "-H", f"Host: {name}.nginx.services.haystack", url]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=10).stdout


def served(container, name, address_of, eventually):
    """Wait until an nginx of this name is served to the engine's host at port 80, and its name in DNS at port 53."""
    eventually(lambda: "nginx" in asked(container, name, address_of), 30, lambda: container.logs().decode()[-3000:])
    health = container.exec_run(["haystack", "healthcheck"])
    assert health.exit_code == 0, health.output


@pytest.fixture(scope="module")
def nginx(host):
    host.run("nginx", name=f"priv{TOKEN}-1")
    return f"priv{TOKEN}"


ROOTS = {"as it comes": [], "with four capabilities": [*LEAST, *FOUR]}


@pytest.mark.parametrize("flags", ROOTS.values(), ids=ROOTS.keys())
def test_started_as_root_discovery_alone_stays_so(host, image, nginx, address_of, eventually, flags):
    container = started(host, image, eventually, *flags, *MOUNT)
    served(container, nginx, address_of, eventually)
    eventually(lambda: "haystack-spare" in processes(container), 20, "no spare")
    found = processes(container)
    rights = {name: (user, effective | permitted) for name, (user, effective, permitted, _) in found.items()}
    assert rights.pop("haystack")[0] == OWN
    assert found["haystack"][1] in (0, BIND)
    assert {rights.pop(name) for name in ("haystack-keeper", "haystack-finder")} == {("0", OVERRIDE)}
    assert set(rights.values()) == {(OWN, 0)}, rights
    assert {nnp for *_, nnp in found.values()} == {"1"}
    logs = container.logs().decode()
    assert "privileges.kept" not in logs
    assert "workers.privileged" not in logs
    with socket.create_connection((address_of(container), 22), 10) as client:  # the host key is made for the first client
        assert client.recv(4) == b"SSH-"
    script = "import os; print(os.stat('/var/lib/haystack/ssh_host_ed25519_key').st_uid)"
    assert container.exec_run(["python", "-c", script], user="0").output.decode().strip() == OWN


USERS = {"nobody": ["--user", "65534"], "haystack": ["--user", "haystack"], "a stranger": ["--user", "12345:12345"]}


@pytest.mark.parametrize("user", USERS.values(), ids=USERS.keys())
def test_without_root_and_without_any_capability(host, image, nginx, address_of, eventually, user):
    container = started(host, image, eventually, *LEAST, *user, "--group-add", group(), *MOUNT)
    served(container, nginx, address_of, eventually)
    found = processes(container)
    (number,) = {uid for uid, *_ in found.values()}
    assert number in ("65534", OWN, "12345")
    assert {(effective, permitted, nnp) for _, effective, permitted, nnp in found.values()} == {(0, 0, "1")}
    assert "Traceback" not in container.logs().decode()


def test_without_the_sockets_group_the_log_says_which_one_it_is(host, image, eventually):
    container = started(host, image, eventually, *LEAST, "--user", "65534", *MOUNT)
    eventually(lambda: f"docker run --group-add {group()}" in container.logs().decode(), 20, lambda: container.logs().decode()[-3000:])


def test_root_without_capabilities_serves_and_says_so(host, image, nginx, address_of, eventually):
    container = started(host, image, eventually, *LEAST, *MOUNT)
    served(container, nginx, address_of, eventually)
    assert "workers.privileged" in container.logs().decode()


def test_a_discovery_process_that_is_killed_comes_back_with_the_rights_it_needs(host, image, address_of, eventually):
    container = started(host, image, eventually, *LEAST, *FOUR, *MOUNT)
    done = container.exec_run(["python", "-c", KILL, "haystack-finder"], user="0")
    assert done.exit_code == 0, done.output
    eventually(lambda: "discovery.ended" in container.logs().decode(), 20, "nobody has noticed")
    host.run("nginx", name=f"late{TOKEN}-1")
    served(container, f"late{TOKEN}", address_of, eventually)


def test_a_state_folder_of_an_older_version_is_given_over(host, image, nginx, address_of, eventually, client):
    """Its files are root's; and `--replace` takes over from one that was started as root before."""
    volume = client.volumes.create(name=f"state{TOKEN}")
    try:
        words = ["docker", "run", "--rm", "-v", f"{volume.name}:/s", "busybox", "sh", "-c"]
        made = subprocess.run([*words, "mkdir -p /s/acme; echo x >/s/acme/key; chown -R 0:0 /s; chmod 700 /s"], check=False, timeout=60)
        assert made.returncode == 0
        mounts = [*MOUNT, "-v", f"{volume.name}:/var/lib/haystack"]
        first = started(host, image, eventually, *mounts)
        told = subprocess.run([*words, "stat -c %u /s /s/acme /s/acme/key"], capture_output=True, text=True, check=False, timeout=60)
        assert told.stdout.split() == [OWN] * 3
        second = started(host, image, eventually, "--network", f"container:{first.id}", *mounts, command=("run", "--replace"))
        eventually(
            lambda: client.api.inspect_container(first.id)["State"]["Status"] == "exited", 40, lambda: second.logs().decode()[-3000:]
        )
        assert client.api.inspect_container(first.id)["State"]["ExitCode"] == 0
        assert "handover.finished" in second.logs().decode()
    finally:
        host.close()
        volume.remove(force=True)


@pytest.fixture
def composed(tmp_path, image):
    """deploy/compose.yaml, on free ports, and with names that are nobody's."""
    text = (ROOT / "deploy" / "compose.yaml").read_text()
    text = text.replace("{name: haystack}", f"{{name: n{TOKEN}}}")
    text = text.replace('["80:80", "8080:8080", "22022:22"]', '["127.0.0.1::80", "127.0.0.1::8080", "127.0.0.1::22"]')
    text = text.replace("    build: {context: ..}\n", "").replace("    image: haystack\n", f"    image: {image}\n")
    assert image in text
    (tmp_path / "compose.yaml").write_text(text)
    has = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    tool = [*(["docker", "compose"] if has else ["docker-compose"]), "-p", f"p{TOKEN}"]

    def compose(*words):
        done = subprocess.run([*tool, *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    compose("up", "-d")
    yield compose
    subprocess.run([*tool, "down", "-v", "-t", "1"], cwd=tmp_path, capture_output=True, check=False, timeout=120)


def test_the_compose_file_of_deploy_is_a_start_in_one_command(composed, client, host, eventually):
    container = client.containers.get(composed("ps", "-q", "haystack"))
    eventually(lambda: " ready " in container.logs().decode(), 40, lambda: container.logs().decode()[-3000:])
    host.run("nginx", name=f"composed{TOKEN}-1", network=f"n{TOKEN}")
    port = composed("port", "haystack", "80").rpartition(":")[2]
    ask = ["curl", "-s", "--noproxy", "*", "--max-time", "5", f"http://composed{TOKEN}.nginx.services.localhost:{port}/"]
    eventually(lambda: "nginx" in subprocess.run(ask, capture_output=True, text=True, check=False, timeout=10).stdout, 30, "never served")
    assert {name: uid for name, (uid, *_) in processes(container).items() if uid == "0"}.keys() == {"haystack-keeper", "haystack-finder"}
    host.close()


def sent(container, name):
    """Have the control process get a signal. It is the first of its container, and only from outside of that do all signals reach it."""
    container.reload()
    words = ["docker", "run", "--rm", "--pid", "host", "--user", "0", "busybox", "kill", f"-{name}", str(container.attrs["State"]["Pid"])]
    subprocess.run(words, check=True, capture_output=True, timeout=60)


def test_its_health_check_goes_from_starting_to_healthy_and_notices_a_control_process_that_hangs(host, image, address_of, eventually):
    """While that hangs, the workers serve on."""
    nginx = f"hung{TOKEN}"
    host.run("nginx", name=f"{nginx}-1")
    faster = ["--health-interval", "1s", "--health-retries", "2"]
    container = host.typed(["docker", "run", "-d", "-e", "HAYSTACK_WORKERS=2", *faster, *MOUNT, image])

    def health():
        container.reload()
        return container.attrs["State"]["Health"]["Status"]

    assert health() == "starting"
    eventually(lambda: health() == "healthy", 40, lambda: container.logs().decode()[-3000:])
    served(container, nginx, address_of, eventually)
    sent(container, "STOP")
    try:
        eventually(lambda: health() == "unhealthy", 40, "nobody has noticed")
        told = container.attrs["State"]["Health"]["Log"][-1]["Output"]
        assert re.search("Haystack does not answer within|exceeded timeout", told), told  # Docker's own patience is half a second more
        assert "nginx" in asked(container, nginx, address_of)
    finally:
        sent(container, "CONT")
    eventually(lambda: health() == "healthy", 40, lambda: container.attrs["State"]["Health"])


def memory(container):
    """Bytes of its processes' own memory, each page once: without the page cache."""
    told = container.stats(stream=False)["memory_stats"]["stats"]
    return told["total_rss"] if "total_rss" in told else told["anon"]  # of the first version of cgroups, and of the second


def test_at_rest_with_two_workers_it_has_less_than_120_mb(host, image, eventually):
    """The engine is one of ten containers: how many a real one has depends on the machine."""
    with FakeEngine() as engine:
        for number in range(1, 11):
            engine.add(inspected(number, f"web-{number}"))
        ports = [word for name in ("HTTP", "HTTP_ALT", "DNS", "SSH") for word in ("-e", f"HAYSTACK_{name}_PORT=0")]
        flags = ["--network", "host", "-e", f"DOCKER_HOST={engine.host}", "-e", "HAYSTACK_BIND=127.0.0.1", *ports]
        container = started(host, image, eventually, *flags)
        eventually(lambda: "haystack-spare" in processes(container), 20, "no spare")
        eventually(lambda: memory(container) < 120 * MEGABYTE, 20, lambda: f"{memory(container) / MEGABYTE:.1f} MB")
