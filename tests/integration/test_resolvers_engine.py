"""Resolvers in containers, with --dns=HAYSTACK and behind the engine's own server (127.0.0.11).

glibc, musl, busybox, Go's own, c-ares (Node), Java's, and systemd-resolved. Each asks for a service, a container by its name, in
any case, and a name that is not there, and has to get both families right.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

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
GO = """
package main
import ("context"; "errors"; "fmt"; "net"; "os"; "sort"; "strings")
func of(name, family string) string {
    found, err := net.DefaultResolver.LookupIP(context.Background(), family, name)
    var why *net.DNSError
    if errors.As(err, &why) && why.IsNotFound { return "none" }
    if err != nil { return strings.ReplaceAll(err.Error(), " ", "_") }
    texts := []string{}
    for _, each := range found { texts = append(texts, each.String()) }
    sort.Strings(texts)
    return strings.Join(texts, ",")
}
func main() {
    for _, name := range os.Args[1:] { fmt.Println(name, of(name, "ip"), of(name, "ip4"), of(name, "ip6")) }
}
"""
# dns.lookup is libc's, in Node's threads; dns.resolve is c-ares.
NODE = """
const {promises: dns} = require('node:dns');
const all = async (what, field) => {
  try { return (await what).map(each => field ? each[field] : each).sort().join(); } catch (error) { return error.code; }
};
const of = async name => [
  ...await Promise.all([0, 4, 6].map(family => all(dns.lookup(name, {family, all: true}), 'address'))),
  await all(dns.resolve4(name)), await all(dns.resolve6(name)), await all(dns.resolveSrv('_http._tcp.' + name), 'port'),
];
(async () => { for (const name of process.argv.slice(1)) console.log(JSON.stringify([name, ...await of(name)])); })();
"""
# With no server named, JNDI asks those of /etc/resolv.conf.
JAVA = """
import javax.naming.directory.*; import java.util.Hashtable;
class Ask {
  public static void main(String[] names) throws Exception {
    var settings = new Hashtable<String, String>();
    settings.put("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory");
    settings.put("java.naming.provider.url", "dns:");
    var context = new InitialDirContext(settings);
    for (var name : names) System.out.println(name + " " + of(context, name, "A") + " " + of(context, name, "AAAA"));
  }
  static String of(DirContext context, String name, String type) throws Exception {
    try {
      var found = context.getAttributes(name, new String[] {type}).get(type);
      return found == null ? "none" : found.get().toString();
    } catch (javax.naming.NameNotFoundException gone) { return "gone"; }
  }
}
"""
RESOLVED = f"FROM {PYTHON}\nRUN apt-get update -qq && apt-get install -y -qq --no-install-recommends systemd-resolved >/dev/null\n"
# As where systemd is: it asks the server that it is told of, and everybody else asks it, at 127.0.0.53.
BEHIND_RESOLVED = """
mkdir -p /etc/systemd/resolved.conf.d
{ echo '[Resolve]'; sed -n 's/^nameserver /DNS=/p' /etc/resolv.conf; } >/etc/systemd/resolved.conf.d/asked.conf
/lib/systemd/systemd-resolved 2>/tmp/log &
pid=$!
until [ -e /run/systemd/resolve/stub-resolv.conf ]; do kill -0 $pid || { cat /tmp/log; exit 1; }; sleep 0.05; done
cat /run/systemd/resolve/stub-resolv.conf >/etc/resolv.conf
exec python -c "$@"
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


@pytest.fixture(scope="module")
def python(client):
    """An image with glibc."""
    try:
        client.images.get(PYTHON)
    except docker.errors.ImageNotFound:
        pytest.skip(f"the image {PYTHON} is not there")
    return PYTHON


def test_glibc(host, place, python):
    printed, code = host.once(python, ["python", "-c", GLIBC, *place.names()], **place.options)
    assert (code, lines(printed)) == (0, place.names())


@pytest.fixture(scope="module")
def musl(tmp_path_factory):
    """A static program with musl's resolver. It takes NXDOMAIN for AAAA as "no such name" for A too; and asks both at once."""
    folder = tmp_path_factory.mktemp("musl")
    (folder / "ask.c").write_text(MUSL)
    subprocess.run([program("musl-gcc"), "-static", "-O1", "-o", folder / "ask", folder / "ask.c"], check=True)
    return folder / "ask"


@pytest.fixture(scope="module")
def go(tmp_path_factory):
    """A static program with Go's own resolver."""
    folder = tmp_path_factory.mktemp("go")
    (folder / "ask.go").write_text(GO)
    settings = {"CGO_ENABLED": "0", "GO111MODULE": "off", "GOCACHE": str(folder / "cache"), "GOPATH": str(folder)}
    subprocess.run(
        [program("go"), "build", "-tags", "netgo", "-o", folder / "ask", folder / "ask.go"], check=True, env=os.environ | settings
    )
    return folder / "ask"


def program(name):
    """One of this machine's: requirements/system sees to it."""
    path = shutil.which(name)
    assert path, f"{name} is not installed"
    return os.path.realpath(path)  # Debian's alternatives are links by way of /etc


@pytest.mark.parametrize("resolver", ["musl", "go"])
def test_a_static_program(host, place, resolver, request):
    container = host.run("busybox", ["sleep", "60"], **place.options)
    container.put_archive("/", packed(request.getfixturevalue(resolver)))
    code, printed = container.exec_run(["/ask", *place.names()])
    assert (code, lines(printed.decode())) == (0, place.names())


def packed(path):
    """A file as the engine takes it into a container."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        archive.add(path, arcname=path.name)
    return held.getvalue()


def test_node(host, place, python):
    """This machine's, with all its libraries."""
    volumes = ["/usr:/usr:ro", f"{program('node')}:/node:ro"]
    printed, code = host.once(python, ["/node", "-e", NODE, *place.names()], volumes=volumes, **place.options)
    assert (code, {name: found for name, *found in map(json.loads, printed.splitlines())}) == (0, node_finds(place))


def node_finds(place):
    """What dns.lookup finds of any family, of IPv4, of IPv6; and dns.resolve4, resolve6 and resolveSrv, with c-ares' own words."""
    found = {}
    for name, (any_family, v4, v6) in place.names().items():
        there = v4 != "none"
        looked_up = ["ENOTFOUND" if each == "none" else each for each in (any_family, v4, v6)]
        found[name] = [*looked_up, v4 if there else "ENOTFOUND", "ENODATA" if there else "ENOTFOUND"]
        found[name].append("80" if name == "nginx.services.haystack" else "ENOTFOUND")
    return found


def test_java(host, place, python, tmp_path):
    """This machine's runtime. Debian has its settings in /etc."""
    (tmp_path / "Ask.java").write_text(JAVA)
    settings = [f"{each}:{each}:ro" for each in Path("/etc").glob("java-*")]
    volumes = ["/usr:/usr:ro", f"{tmp_path}:/asks:ro", *settings]
    printed, code = host.once(python, [program("java"), "/asks/Ask.java", *place.names()], volumes=volumes, **place.options)
    gone = {"gone.services.haystack": ["gone", "gone"]}
    assert (code, lines(printed)) == (0, {name: found[1:] for name, found in place.names().items()} | gone)


@pytest.fixture(scope="module")
def resolved(client, python):
    """An image with systemd-resolved, which stays: it takes ten seconds to build."""
    client.images.build(fileobj=io.BytesIO(RESOLVED.encode()), tag="haystack-test-resolved")
    return "haystack-test-resolved"


def test_systemd_resolved(host, place, resolved):
    printed, code = host.once(resolved, ["sh", "-ec", BEHIND_RESOLVED, "sh", GLIBC, *place.names()], **place.options)
    assert (code, lines(printed)) == (0, place.names())


def test_busybox(host, place):
    printed, code = host.once("busybox", ["nslookup", place.name], **place.options)
    assert (code, printed.split()[-1]) == (0, place.address), printed
    printed, code = host.once("busybox", ["nslookup", "gone.services.haystack"], **place.options)
    assert code != 0, printed
    printed, code = host.once("busybox", ["wget", "-q", "-O", "/dev/stdout", f"http://{place.name}/"], **place.options)
    assert (code, "nginx" in printed.lower()) == (0, True), printed
