"""The image: how large it is, what is in it and what is not, and that it serves under every flag that takes rights away."""

from __future__ import annotations

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
MOST = 60 * MEGABYTE
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


@pytest.fixture(scope="module")
def about(client, image):
    """What the engine says of the image."""
    return client.images.get(image).attrs


def inside(image, *words):
    """What a command in the image prints."""
    done = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", "--entrypoint", words[0], image, *words[1:]],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_adds_60_mb_to_its_base_at_most(about, client):
    base = client.images.get("python:3.11-slim").attrs["Size"]
    assert about["Size"] - base < MOST, f"{(about['Size'] - base) / MEGABYTE:.1f} MB"


def test_labels_and_health_check_say_what_it_is(about):
    config, told = about["Config"], about["Config"]["Labels"]
    kinds = ("title", "description", "licenses", "version", "revision", "created", "base.name")
    assert {f"org.opencontainers.image.{kind}" for kind in kinds} <= told.keys()
    assert told["org.opencontainers.image.version"] == __version__
    assert config["Healthcheck"]["Test"] == ["CMD", "haystack", "healthcheck"]
    assert config["StopSignal"] == "SIGTERM"


def test_no_tests_sources_of_extensions_compilers_or_caches_are_in_it(image):
    names = ("*.c", "*.h", "*.pyx", "*.pxd", "*.pyi", "tests", "testing*.so", "pip", "setuptools", "Cython")
    script = "find /opt/haystack -xdev " + " -o ".join(f"-name '{name}'" for name in names)
    assert inside(image, "sh", "-c", script).split() == []
    assert "pip" not in inside(image, "sh", "-c", "ls /root/.cache 2>/dev/null; true")


def test_beside_its_own_folder_it_adds_a_library_a_user_and_a_state_folder_to_its_base(image):
    """No package lists, caches of apt or logs; and no compiler that the base has not."""
    every = [
        "find",
        "/",
        "-xdev",
        "(",
        "-path",
        "/proc",
        "-o",
        "-path",
        "/sys",
        "-o",
        "-path",
        "/opt/haystack",
        ")",
        "-prune",
        "-o",
        "-print",
    ]
    added = {*inside(image, *every).splitlines()} - {*inside("python:3.11-slim", *every).splitlines()}
    wanted = (
        r".*/libnghttp2[^/]*(/.*)?|/usr/share/doc|/etc/[^/]*|/var/lib/haystack|/var/lib/apt/extended_states|/var/cache/ldconfig/aux-cache"
    )
    assert [path for path in sorted(added) if not re.fullmatch(wanted, path)] == []
    assert {*inside(image, "ls", "/opt/haystack/bin").split()} <= {"haystack", "python", "python3", "python3.11"}


def test_it_has_each_compiled_module_once_and_stripped(image, client, tmp_path):
    made = client.containers.create(image)
    try:
        subprocess.run(["docker", "cp", "-q", f"{made.id}:/opt/haystack/lib/python3.11/site-packages", tmp_path], check=True, timeout=60)
    finally:
        made.remove()
    fast = ROOT / "haystack" / "_fast"
    sources = {path.relative_to(fast).with_suffix("") for path in fast.rglob("*.pyx") if path.stem != "testing"}
    site = tmp_path / "site-packages"
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


def test_a_change_of_python_code_alone_compiles_and_installs_nothing_again(image, client, tree):
    with (tree / "haystack" / "app.py").open("a") as file:
        file.write(f"# {TOKEN}\n")
    tag = f"haystack:changed-{TOKEN}"
    built = subprocess.run(
        ["docker", "build", "--tag", tag, "."], cwd=tree, env={**os.environ, "BUILDKIT_PROGRESS": "plain"}, capture_output=True, text=True,
        check=False, timeout=280,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    try:
        steps = cached(built.stdout + built.stderr)
        anew = [words for words, taken in steps.items() if not taken]
        assert len(steps) == (ROOT / "Dockerfile").read_text().count("\nRUN ")
        assert any("build_ext" in words for words in steps)
        assert [words.split()[0] for words in anew] == ["HAYSTACK_COMPILED=1", "cd"], anew
        assert TOKEN in inside(tag, "sh", "-c", "tail -n 1 /opt/haystack/lib/python*/site-packages/haystack/app.py")
    finally:
        client.images.remove(tag)


def test_the_bill_of_materials_has_every_package_of_the_lock_with_a_hash_of_the_lock(image):
    told = json.loads(inside(image, "cat", "/opt/haystack/share/sbom.cdx.json"))
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.5")
    assert told["metadata"]["component"]["version"] == __version__
    lock = (ROOT / "requirements" / "image.txt").read_text().replace("\\\n", "")
    locked = {name.lower(): (version, set(re.findall(r"sha256:([0-9a-f]{64})", rest))) for name, version, rest in re.findall(
        r"^([A-Za-z0-9._-]+)==(\S+)([^\n]*)$", lock, re.MULTILINE)}  # fmt: skip
    found = {part["name"]: part for part in told["components"] if part["purl"].startswith("pkg:pypi/")}
    assert found.keys() == locked.keys()
    for name, (version, hashes) in locked.items():
        assert found[name]["version"] == version
        assert found[name]["hashes"][0]["content"] in hashes
    assert any(part["name"] == "libnghttp2-14" for part in told["components"])
    references = [part["bom-ref"] for part in told["components"]]
    assert len(references) == len(set(references))
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", told["serialNumber"])


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
    assert container.exec_run(["stat", "-c", "%u", "/var/lib/haystack/ssh_host_ed25519_key"], user="0").output.decode().strip() in (OWN, "")


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
    done = container.exec_run(["sh", "-c", "kill -9 $(grep -l haystack-finder /proc/[0-9]*/comm | cut -d/ -f3)"], user="0")
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
    text = text.replace("    build: {context: ..}\n", "")
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


def test_the_image_is_for_whoever_has_no_root(image):
    """By its number, which does not change: volumes hold it."""
    told = inside(image, "sh", "-c", "id haystack; stat -c '%u %a' /var/lib/haystack")
    assert f"uid={OWN}(haystack) gid={OWN}(haystack)" in told
    assert told.split("\n")[1] == f"{OWN} 775"
