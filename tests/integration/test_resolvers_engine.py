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
    made.remove()


@pytest.fixture(scope="module")
def haystack(host, image, engine_url, network, eventually, address_of):
    """On the default bridge, where all can reach it."""
    options = {"environment": {"DOCKER_HOST": engine_url}} if engine_url else {"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}
    container = host.run(image, **options)
    eventually(lambda: "ready" in container.logs().decode(), 30, "it never became ready")
    return address_of(container)


@pytest.fixture(scope="module")
def web(host, address_of, eventually, haystack):
    """A container with a name of its own."""
    container = host.run("nginx", name=f"resolved-{id(host)}")
    name = f"{container.name}.containers.haystack"
    eventually(lambda: address_of(container) in host.once("busybox", ["nslookup", name], dns=[haystack])[0], 30, "it has no name")
    return name, address_of(container)


@pytest.fixture(params=["--dns", "127.0.0.11"])
def where(request, haystack, network):
    """Options of a container that asks Haystack, by itself or by the engine's own server."""
    return {"dns": [haystack]} | ({"network": network.name} if request.param == "127.0.0.11" else {})


def lines(printed):
    """By name: what was found of any family, of IPv4, of IPv6."""
    return {name: found for name, *found in map(str.split, printed.splitlines())}


def expected(web):
    """What each of the resolvers finds; Haystack's own address has no IPv6 here."""
    name, address = web
    short = name.upper()
    return {name: [address, address, "none"], short: [address, address, "none"], "gone.services.haystack": ["none"] * 3}


def test_glibc(client, host, where, web):
    try:
        client.images.get(PYTHON)
    except docker.errors.ImageNotFound:
        pytest.skip(f"the image {PYTHON} is not there")
    names = [*expected(web), "nginx.services.haystack"]
    printed, code = host.once(PYTHON, ["python", "-c", GLIBC, *names], **where)
    assert code == 0, printed
    found = lines(printed)
    assert found.pop("nginx.services.haystack") == [where["dns"][0], where["dns"][0], "none"]
    assert found == expected(web)


def test_musl(host, where, web, tmp_path):
    """musl takes NXDOMAIN for AAAA as "no such name" for A too; and asks both at once."""
    compiler = shutil.which("musl-gcc")
    assert compiler, "requirements/system sees to it"
    (tmp_path / "ask.c").write_text(MUSL)
    subprocess.run([compiler, "-static", "-O1", "-o", tmp_path / "ask", tmp_path / "ask.c"], check=True)
    names = [*expected(web), "nginx.services.haystack"]
    container = host.run("busybox", ["sleep", "60"], **where)
    container.put_archive("/", packed(tmp_path / "ask"))
    code, printed = container.exec_run(["/ask", *names])
    assert code == 0, printed
    found = lines(printed.decode())
    assert found.pop("nginx.services.haystack") == [where["dns"][0], where["dns"][0], "none"]
    assert found == expected(web)


def packed(path):
    """A file as the engine takes it into a container."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        archive.add(path, arcname=path.name)
    return held.getvalue()


def test_busybox(host, where, web):
    name, address = web
    printed, code = host.once("busybox", ["nslookup", name], **where)
    assert (code, address in printed) == (0, True), printed
    printed, code = host.once("busybox", ["nslookup", "gone.services.haystack"], **where)
    assert code != 0, printed
    printed, code = host.once("busybox", ["wget", "-q", "-O", "/dev/stdout", f"http://{name}/"], **where)
    assert (code, "nginx" in printed.lower()) == (0, True), printed
