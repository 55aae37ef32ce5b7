"""The image has every file that Haystack needs, and no shell, package manager or compiler. Its files are read from outside."""

from __future__ import annotations

import http.server
import json
import re
import ssl
import subprocess
import tarfile
import threading
import uuid
from pathlib import Path

import pytest

from haystack import __version__
from tests.fakes.pki import Authority, server_context

ROOT = Path(__file__).resolve().parents[2]
BASE = "python:3.11-slim"
MEGABYTE = 1_000_000
MOST, MOST_OWN = 150 * MEGABYTE, 60 * MEGABYTE
OWN = 65532
LIST = "etc/ssl/certs/ca-certificates.crt"
# What the engine itself puts into each container
ENGINE = r"\.dockerenv|(dev|proc|sys)(/.*)?|etc/(hostname|hosts|resolv\.conf|mtab)"
# What there may be beside /opt/haystack: libraries, Python, and what these two and scanners read
WANTED = (
    r"(usr|usr/local|usr/lib|usr/local/lib|usr/share|etc|opt|var|var/lib|var/lib/dpkg|var/lib/dpkg/status\.d|usr/share/doc|usr/lib/locale)",
    r"(bin|sbin|lib|lib64|usr/bin|usr/sbin|usr/lib64|usr/local/bin|var/run|root|run|tmp|var/tmp|var/lib/haystack)",
    r"(usr/)?(lib|local/lib|lib/[a-z0-9_]+-linux-gnu|lib64)(/[^/]+\.so[^/]*)?",
    r"usr/(local/)?bin/python[0-9.]*",
    r"(etc|usr/(local/)?lib)/python3\.\d+(/.*)?",
    r"usr/(lib/locale/C\.utf8|share/zoneinfo)(/.*)?|usr/share/doc/[^/]+(/copyright)?|var/lib/dpkg/status\.d/[^/]+",
    r"etc/(passwd|group|nsswitch\.conf|host\.conf|ld\.so\.(cache|conf)|ld\.so\.conf\.d(/.*)?|os-release|debian_version|localtime|timezone)",
    r"usr/lib/os-release|usr/lib/ssl(/(certs|cert\.pem|openssl\.cnf))?|etc/ssl(/openssl\.cnf|/certs(/ca-certificates\.crt)?)?",
)
# Of CPython, but not on Linux
WINDOWS = {"_overlapped", "_scproxy", "_winapi", "_winreg", "msvcrt", "nt", "winreg", "winsound"}
ELSEWHERE = {
    *("asyncio.windows_events", "asyncio.windows_utils", "encodings.mbcs", "encodings.oem", "multiprocessing.popen_spawn_win32"),
    "_ios_support",
}
LOUD = {"antigravity", "this"}  # a browser and a poem
PROMPT = {"_pyrepl"}  # of Python 3.13 and newer: does without curses, in a plainer form
IMPORTS = """import importlib, json, os, pkgutil, sys
failed, count, left = {}, 0, set(sys.argv[1:])
def walk(path, prefix=""):
    for found in pkgutil.iter_modules(path):
        name = prefix + found.name
        if name in left or found.name in ("__main__", "tests"):
            continue
        yield name
        if found.ispkg:
            module = sys.modules.get(name)
            yield from walk(getattr(module, "__path__", ()), name + ".")
for name in walk(None):
    count += 1
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed[name] = [type(error).__name__, str(error), getattr(error, "name", None) or ""]
print(json.dumps([count, os.getuid(), sorted(sys.stdlib_module_names), failed]), file=sys.__stdout__)"""


@pytest.fixture(scope="module")
def packed(client, image, tmp_path_factory):
    """All files of a container that has not run, in an archive."""
    path = tmp_path_factory.mktemp("image") / "image.tar"
    made = client.containers.create(image)
    try:
        subprocess.run(["docker", "export", "--output", path, made.id], check=True, timeout=120)
    finally:
        made.remove(v=True)
    return path


@pytest.fixture(scope="module")
def members(packed):
    """Each file of the image, by its path without the first slash."""
    with tarfile.open(packed) as archive:
        found = {member.name.rstrip("/"): member for member in archive}
    return {path: member for path, member in found.items() if not re.fullmatch(ENGINE, path)}


@pytest.fixture(scope="module")
def root(packed, members):
    """The image's files in a folder, of whoever runs this."""
    folder = packed.parent / "root"
    with tarfile.open(packed) as archive:
        for member in archive:
            if member.name.rstrip("/") in members and not member.isdev():
                archive.extract(member, folder, set_attrs=False, filter="fully_trusted")
    return folder


def python(image, script, *words, flags=()):
    """What a script prints in the image."""
    line = ["docker", "run", "--rm", *flags, "--entrypoint", "python", image, "-c", script, *words]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_has_150_mb_at_most_and_60_mb_of_its_own(client, image, members):
    """Of its own: what is not Python's or the system's. The layers are the system, the packages of the lock, and Haystack."""
    found = client.images.get(image)
    assert found.attrs["Size"] <= MOST, f"{found.attrs['Size'] / MEGABYTE:.1f} MB"
    layers = [step["Size"] for step in reversed(found.history()) if step["Size"]]
    own = sum(layers[1:]) + sum(member.size for path, member in members.items() if "/libnghttp2." in path)
    assert len(layers) == 3
    assert own <= MOST_OWN, f"{own / MEGABYTE:.1f} MB"


def test_there_are_no_tests_sources_of_extensions_or_caches(members):
    names = r"tests?|pip|setuptools|Cython|testing\..*\.so|.*\.(c|h|a|pyx|pxd|pyi)"
    assert [path for path in members if re.fullmatch(names, path.rpartition("/")[2])] == []
    assert [path for path in members if path.startswith(("root/", "tmp/", "var/tmp/", "var/cache"))] == []


def test_beside_its_own_folder_it_has_only_what_runs(members):
    beside = sorted(path for path in members if path != "opt/haystack" and not path.startswith("opt/haystack/"))
    assert [path for path in beside if not re.fullmatch("|".join(WANTED), path)] == []


def test_python_is_the_only_program(members):
    """No shell, package manager, Perl or compiler: whoever has broken in finds nothing to go on with."""
    files = {path for path, member in members.items() if member.isfile() and member.mode & 0o111}
    runs = {path for path in files if ".so" not in path and not path.startswith("opt/haystack/lib/")}
    (interpreter,) = runs - {"opt/haystack/bin/haystack"}
    assert re.fullmatch(r"usr/(local/)?bin/python3\.\d+", interpreter)
    assert {path.rpartition("/")[2] for path in members if path.startswith("opt/haystack/bin/")} <= {
        "haystack",
        "python",
        "python3",
        interpreter.rpartition("/")[2],
    }


def test_no_program_gives_rights_and_nothing_but_the_state_is_anybodys_but_roots(members):
    assert [path for path, member in members.items() if member.isfile() and member.mode & 0o6000] == []
    assert {path: (member.uid, member.gid) for path, member in members.items() if (member.uid, member.gid) != (0, 0)} == {
        "var/lib/haystack": (OWN, 0)
    }
    modes = {path: member.mode & 0o7777 for path, member in members.items() if member.isdir() and member.mode & 0o022}
    assert modes == {"tmp": 0o1777, "var/tmp": 0o1777, "var/lib/haystack": 0o775}


def test_its_users_are_there(image):
    """By its number, which does not change: volumes hold it."""
    script = "import pwd, grp; u = pwd.getpwnam('haystack'); print(u.pw_uid, u.pw_gid, u.pw_dir, grp.getgrgid(u.pw_gid).gr_name)"
    assert python(image, script).split() == [str(OWN), str(OWN), "/var/lib/haystack", "haystack"]
    assert python(image, "import pwd; print(pwd.getpwuid(0).pw_name, pwd.getpwnam('nobody').pw_uid)").split() == ["root", "65534"]


def test_every_link_leads_somewhere(members, root):
    links = [root / path for path, member in members.items() if member.issym()]
    assert [path for path in links if not inside(root, path).exists()] == []


def inside(root, path):
    """What a link leads to, where this folder is the whole system."""
    for _ in range(10):
        if not path.is_symlink():
            break
        target = path.readlink()
        path = root / target.relative_to("/") if target.is_absolute() else path.parent / target
    return path


def begins(path, magic):
    """Whether a file begins so."""
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def test_every_library_that_is_linked_to_is_there(members, root):
    binaries = [root / path for path, member in members.items() if member.isfile() and begins(root / path, b"\x7fELF")]
    told = subprocess.run(["readelf", "--dynamic", "--wide", *binaries], capture_output=True, text=True, check=True, timeout=120).stdout
    needed = set(re.findall(r"\(NEEDED\)\s+Shared library: \[(.+)\]", told))
    assert "libnghttp2.so.14" in needed
    assert needed - {path.rpartition("/")[2] for path in members} == set()


@pytest.fixture(scope="module")
def imported(image):
    """Of each module that Python finds there: which can't be imported, and why. As the user haystack, who can write nothing."""
    flags = ["--network", "none", "--user", "haystack", "--read-only", "--cap-drop", "ALL"]
    count, user, standard, failed = json.loads(python(image, IMPORTS, *ELSEWHERE, *LOUD, *PROMPT, flags=flags).splitlines()[-1])
    assert count > 1500
    assert user == OWN
    return set(standard) - WINDOWS, failed


def test_haystack_and_the_standard_library_can_be_imported(imported):
    standard, failed = imported
    assert {name: why for name, why in failed.items() if name.partition(".")[0] in {*standard, "haystack"}} == {}


def test_no_package_of_the_lock_lacks_a_library_or_a_module_of_the_standard_library(imported):
    """Some have modules for other packages that are not in the lock, and for other systems."""
    standard, failed = imported
    lacking = {name: why for name, why in failed.items() if ".so" in why[1] or why[2].partition(".")[0] in standard}
    assert lacking == {}


def test_time_zones_are_known(image):
    """A key's expiry-time is in the container's."""
    script = "import time; print(time.localtime(1_780_000_000).tm_hour - time.gmtime(1_780_000_000).tm_hour)"
    assert [python(image, script, flags=["-e", f"TZ={zone}"]).strip() for zone in ("Europe/Berlin", "UTC")] == ["2", "0"]


def test_text_is_utf_8(image):
    script = "import locale, sys; print(locale.setlocale(locale.LC_ALL, ''), sys.getfilesystemencoding(), 'ü')"
    assert python(image, script) == "C.UTF-8 utf-8 ü\n"


def test_names_are_found_by_etc_hosts_and_by_the_nameserver(image, client, host):
    name = f"named{uuid.uuid4().hex[:8]}"
    network = client.networks.create(name)
    try:
        other = host.run("busybox", ["sleep", "60"], name=name, network=name)
        script = "import socket, sys; print(*(socket.getaddrinfo(name, 80, socket.AF_INET)[0][4][0] for name in sys.argv[1:]))"
        told = python(image, script, "written.example", name, flags=["--network", name, "--add-host", "written.example:192.0.2.7"])
        assert told.split() == ["192.0.2.7", other.attrs["NetworkSettings"]["Networks"][name]["IPAddress"]]
    finally:
        host.close()
        network.remove()


def test_it_trusts_the_authorities_of_its_base(image, root):
    command = ["docker", "run", "--rm", "--entrypoint", "cat", BASE, f"/{LIST}"]
    assert (root / LIST).read_bytes() == subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    script = "import ssl; print(ssl.create_default_context().cert_store_stats()['x509_ca'])"
    assert int(python(image, script)) == len(ssl.create_default_context(cafile=root / LIST).get_ca_certs()) > 100


class Hello(http.server.BaseHTTPRequestHandler):
    """Answers every GET."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        """Nothing is printed."""


@pytest.fixture
def site(client, tmp_path):
    """An https site of an authority that nobody knows; its URL as containers reach it, and the authority's file."""
    gateway = client.networks.get("bridge").attrs["IPAM"]["Config"][0].get("Gateway") or "172.17.0.1"
    authority = Authority(tmp_path)
    with http.server.ThreadingHTTPServer((gateway, 0), Hello) as server:
        server.socket = server_context(*authority.issue(gateway)).wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://{gateway}:{server.server_port}/", authority.path
        server.shutdown()
        thread.join()


def test_https_is_verified_by_the_systems_list_or_by_that_of_ssl_cert_file(image, site):
    url, file = site
    script = """import ssl, sys, urllib.request
try:
    print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=20).read().decode())
except OSError as error:
    print(error.reason.verify_message if isinstance(error.reason, ssl.SSLError) else error)"""
    named = ("-v", f"{file}:/own.pem:ro", "-e", "SSL_CERT_FILE=/own.pem")
    ways = {"as it comes": (), "mounted": ("-v", f"{file}:/{LIST}:ro"), "named": named}
    told = {how: python(image, script, url, flags=flags).strip() for how, flags in ways.items()}
    assert told == {"as it comes": "unable to get local issuer certificate", "mounted": "hello", "named": "hello"}


def fields(path):
    """Of what is told of a package: the values by their names."""
    return dict(re.findall(r"^([A-Z][\w-]*): (.*)$", path.read_text(), re.MULTILINE))


def test_scanners_find_the_packages_of_the_system_as_in_images_without_dpkg(root):
    """Each in a file of its own, in the form of dpkg's status; and which Debian it is."""
    found = {path.name: fields(path) for path in (root / "var/lib/dpkg/status.d").iterdir()}
    assert {name: each["Package"] for name, each in found.items()} == {name: name for name in found}
    assert all(each["Version"] and each["Architecture"] for each in found.values())
    assert {"libc6", "libnghttp2-14", "zlib1g", "ca-certificates", "tzdata", "base-files"} <= found.keys()
    assert [name for name in found if name.startswith("libssl3")]
    assert found["libnghttp2-14"]["Source"] == "nghttp2"
    assert (root / "usr/share/doc/libnghttp2-14/copyright").is_file()
    assert not {"bash", "dash", "apt", "dpkg", "perl-base", "gcc", "sed", "libsqlite3-0"} & found.keys()
    assert re.search(r"^ID=debian$", (root / "usr/lib/os-release").read_text(), re.MULTILINE)


def test_the_bill_of_materials_has_every_package_of_the_lock_with_a_hash_of_the_lock(image, client, root, tmp_path):
    made = client.containers.create(image)
    try:
        subprocess.run(["docker", "cp", f"{made.id}:/opt/haystack/share/sbom.cdx.json", tmp_path], check=True, timeout=60)
    finally:
        made.remove(v=True)
    told = json.loads((tmp_path / "sbom.cdx.json").read_text())
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
    references = [part["bom-ref"] for part in told["components"]]
    assert len(references) == len(set(references))
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", told["serialNumber"])


def test_the_bill_of_materials_has_the_systems_packages_and_python(root):
    """With Debian's release and the source, by which scanners know what is mended."""
    told = json.loads((root / "opt/haystack/share/sbom.cdx.json").read_text())
    found = {part["name"]: part for part in told["components"] if not part["purl"].startswith("pkg:pypi/")}
    known = {path.name: fields(path)["Version"] for path in (root / "var/lib/dpkg/status.d").iterdir()}
    assert {name: part["version"] for name, part in found.items() if name != "python"} == known
    assert re.fullmatch(r"pkg:deb/debian/libnghttp2-14@[^?]+\?arch=\w+&distro=debian-\w+&upstream=nghttp2", found["libnghttp2-14"]["purl"])
    assert [name for name in found if re.fullmatch(r"python|python3\.\d+-minimal", name)]
