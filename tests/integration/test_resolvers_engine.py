"""Resolvers in containers, with --dns=HAYSTACK and behind the engine's own server (127.0.0.11): glibc, musl, busybox.

Each asks for a service, a container by its name, an alias, and a name that is not there, and has to get both families right.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile

import docker
import pytest

PYTHON = "python:3.11-slim"
GLIBC = """
import socket, sys
def of(name, family):
    try:
        return ",".join(sorted({row[4][0] for row in socket.getaddrinfo(name, 80, family, socket.SOCK_STREAM)}))
    except socket.gaierror as error:
        return {socket.EAI_NONAME: "none", socket.EAI_NODATA: "none"}.get(error.errno, str(error))
for name in sys.argv[1:]:
    print(name, of(name, socket.AF_UNSPEC), of(name, socket.AF_INET), of(name, socket.AF_INET6), flush=True)
"""
MUSL = r"""
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
static void of(const char *name, int family) {
    char text[64] = "none";
    struct addrinfo hints, *found, *each;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    int code = getaddrinfo(name, "80", &hints, &found);
    if (code == EAI_AGAIN || code == EAI_FAIL) strcpy(text, gai_strerror(code));
    for (each = code ? NULL : found; each; each = each->ai_next)
        if (each->ai_family == AF_INET)
            inet_ntop(AF_INET, &((struct sockaddr_in *)each->ai_addr)->sin_addr, text, sizeof text);
        else
            inet_ntop(AF_INET6, &((struct sockaddr_in6 *)each->ai_addr)->sin6_addr, text, sizeof text);
    printf(" %s", text);
}
int main(int count, char **words) {
    for (int n = 1; n < count; n++) {
        printf("%s", words[n]);
        of(words[n], AF_UNSPEC); of(words[n], AF_INET); of(words[n], AF_INET6);
        puts("");
    }
}
"""


@pytest.fixture(scope="module")
def network(client):
    made = client.networks.create(f"haystack-test-resolvers-{id(client)}")
    yield made
    made.reload()
    for container in made.containers:
        made.disconnect(container, force=True)
    made.remove()


@pytest.fixture(scope="module")
def running(host, image, engine_url, network, eventually):
    """On the default bridge and on that network: containers of one reach nobody on another."""
    options = {"environment": {"DOCKER_HOST": engine_url}} if engine_url else {"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}
    container = host.run(image, **options)
    network.connect(container)
    container.reload()
    eventually(lambda: "ready" in container.logs().decode(), 30, "it never became ready")
    return container


@pytest.fixture(scope="module")
def web(host, running, network, eventually):
    """A container with a name of its own, on both networks."""
    container = host.run("nginx", name=f"resolved{id(host)}")
    network.connect(container)
    container.reload()
    name, places = f"{container.name}.containers.haystack", addresses(container).values()
    eventually(lambda: found_by_busybox(host, running, name) in places, 30, "it has no name")
    return container


def found_by_busybox(host, running, name):
    """The address that busybox finds on the default bridge; empty: none."""
    printed, _ = host.once("busybox", ["nslookup", name], dns=[addresses(running)["bridge"]])
    return printed.split()[-1] if name in printed else ""


def addresses(container):
    """By network."""
    return {name: place["IPAddress"] for name, place in container.attrs["NetworkSettings"]["Networks"].items()}


class Place:
    """Where a resolver is. options: of its container; own: Haystack's address there; name, address: what the container there is."""

    def __init__(self, running, web, network, options):
        self.own = addresses(running)[network]
        self.options = {"dns": [self.own]} | options
        self.name, self.address = f"{web.name}.containers.haystack", addresses(web)[network]

    def names(self):
        """What is asked for, and what each resolver finds: of any family, of IPv4, of IPv6. Haystack has no IPv6 here."""
        there, own = [self.address, self.address, "none"], [self.own, self.own, "none"]
        return {self.name: there, self.name.upper(): there, "nginx.services.haystack": own, "gone.services.haystack": ["none"] * 3}


@pytest.fixture(params=["--dns", "127.0.0.11"])
def place(request, running, web, network):
    """A resolver that asks Haystack itself, and one that asks the engine's own server, which only networks of users have."""
    if request.param == "--dns":
        return Place(running, web, "bridge", {})
    return Place(running, web, network.name, {"network": network.name})


def lines(printed):
    """By name: what was found of any family, of IPv4, of IPv6."""
    return {name: found for name, *found in map(str.split, printed.splitlines())}


def test_glibc(client, host, place):
    try:
        client.images.get(PYTHON)
    except docker.errors.ImageNotFound:
        pytest.skip(f"the image {PYTHON} is not there")
    printed, code = host.once(PYTHON, ["python", "-c", GLIBC, *place.names()], **place.options)
    assert (code, lines(printed)) == (0, place.names())


def test_musl(host, place, tmp_path):
    """musl takes NXDOMAIN for AAAA as "no such name" for A too; and asks both at once."""
    compiler = shutil.which("musl-gcc")
    assert compiler, "requirements/system sees to it"
    (tmp_path / "ask.c").write_text(MUSL)
    subprocess.run([compiler, "-static", "-O1", "-o", tmp_path / "ask", tmp_path / "ask.c"], check=True)
    container = host.run("busybox", ["sleep", "60"], **place.options)
    container.put_archive("/", packed(tmp_path / "ask"))
    code, printed = container.exec_run(["/ask", *place.names()])
    assert (code, lines(printed.decode())) == (0, place.names())


def packed(path):
    """A file as the engine takes it into a container."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        archive.add(path, arcname=path.name)
    return held.getvalue()


def test_busybox(host, place):
    printed, code = host.once("busybox", ["nslookup", place.name], **place.options)
    assert (code, printed.split()[-1]) == (0, place.address), printed
    printed, code = host.once("busybox", ["nslookup", "gone.services.haystack"], **place.options)
    assert code != 0, printed
    printed, code = host.once("busybox", ["wget", "-q", "-O", "/dev/stdout", f"http://{place.name}/"], **place.options)
    assert (code, "nginx" in printed.lower()) == (0, True), printed
