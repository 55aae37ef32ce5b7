"""Other people's resolvers ask Haystack here: dig, kdig, drill, c-ares (Node's dns module), Java. Those of libc: tests/integration."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.nameserver import Nameserver
from tests.fakes.worker import Haystack, Member, host

WEB = host("web")
NODE = """
const {Resolver} = require('node:dns').promises; const resolver = new Resolver(); resolver.setServers(['127.0.0.1:' + process.argv[1]]);
const of = what => what.catch(error => error.code);
(async () => console.log(JSON.stringify({
  A: await of(resolver.resolve4(process.argv[2])), AAAA: await of(resolver.resolve6(process.argv[2])),
  SRV: await of(resolver.resolveSrv('_http._tcp.' + process.argv[2])), gone: await of(resolver.resolve4('gone.services.haystack')),
  PTR: await of(resolver.resolvePtr('1.0.0.127.in-addr.arpa')), other: await of(resolver.resolve4('www.example')),
})))();
"""
JAVA = """
import javax.naming.directory.*; import java.util.Hashtable;
class Ask {
  public static void main(String[] words) throws Exception {
    var settings = new Hashtable<String, String>();
    settings.put("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory");
    settings.put("java.naming.provider.url", "dns://127.0.0.1:" + words[0]);
    var context = new InitialDirContext(settings);
    for (int at = 1; at < words.length; at += 2)
      try { System.out.println(context.getAttributes(words[at], new String[] {words[at + 1]}).getAll().next().get()); }
      catch (javax.naming.NameNotFoundException gone) { System.out.println("gone"); }
      catch (java.util.NoSuchElementException none) { System.out.println("none"); }
  }
}
"""


@pytest.fixture(scope="module")
def nameserver() -> Iterator[Nameserver]:
    with Nameserver() as made:
        yield made


@pytest.fixture(scope="module")
def port(nameserver: Nameserver) -> Iterator[str]:
    """Of a Haystack with one service at a port where nobody has to listen: DNS is asked, and nothing else."""
    with Haystack([Member("web", 9)], HAYSTACK_DNS_NAMESERVERS=f"127.0.0.1:{nameserver.port}") as haystack:
        yield str(haystack.wait("ready")["dns"])


def found(name: str) -> str:
    """The program: requirements/system sees to it."""
    path = shutil.which(name)
    assert path, f"{name} is not installed"
    return path


def run(*words: str | Path) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout


Tool = Callable[..., list[str]]


def dig(port: str, name: str, rtype: str, *more: str) -> list[str]:
    return run(found("dig"), "+short", "-p", port, "@127.0.0.1", name, rtype, *more).splitlines()


def kdig(port: str, name: str, rtype: str, *more: str) -> list[str]:
    return run(found("kdig"), "+short", "-p", port, "@127.0.0.1", name, rtype, *more).splitlines()


def drill(port: str, name: str, rtype: str, *more: str) -> list[str]:
    """It has no short form: the data of the answer section."""
    words = ["-t" if word == "+tcp" else word for word in more]
    answer = run(found("drill"), *words, "-p", port, name, "@127.0.0.1", rtype).partition(";; ANSWER SECTION:\n")[2].partition(";;")[0]
    return [line.split("\t")[-1] for line in answer.splitlines() if line]


@pytest.mark.parametrize("more", [(), ("+tcp",)])
@pytest.mark.parametrize("tool", [dig, kdig, drill])
def test_tools(port: str, tool: Tool, more: tuple[str, ...]) -> None:
    assert tool(port, WEB, "A", *more) == ["127.0.0.1"]
    assert tool(port, WEB, "AAAA", *more) == []
    assert tool(port, "gone.services.haystack", "A", *more) == []
    assert tool(port, "haystack", "NS", *more) == ["ns.haystack."]
    assert tool(port, "haystack", "SOA", *more)[0].startswith("ns.haystack. hostmaster.haystack. ")
    assert tool(port, "www.example", "A", *more) == ["192.0.2.1"]
    (target,) = tool(port, f"_9._tcp.{WEB}", "SRV", *more) or tool(port, f"_discard._tcp.{WEB}", "SRV", *more)
    assert target.startswith("100 100 9 ")
    assert tool(port, target.split()[-1], "A", *more) == ["127.0.0.1"]


def test_a_cookie_and_other_edns_of_the_tools(port: str) -> None:
    assert dig(port, WEB, "A", "+cookie", "+nsid", "+subnet=10.0.0.0/8", "+dnssec", "+bufsize=512") == ["127.0.0.1"]
    assert kdig(port, WEB, "A", "+cookie", "+nsid", "+padding=64", "+dnssec", "+bufsize=512") == ["127.0.0.1"]


def test_c_ares(port: str) -> None:
    """Node's dns.Resolver is c-ares."""
    told = json.loads(run(found("node"), "-e", NODE, port, WEB))
    assert told["A"] == ["127.0.0.1"]
    assert (told["AAAA"], told["gone"]) == ("ENODATA", "ENOTFOUND")
    assert told["SRV"] == "ENOTFOUND"
    assert "localhost" in told["PTR"]
    assert told["other"] == ["192.0.2.1"]


def test_java(port: str, tmp_path: Path) -> None:
    """Its own client, by JNDI; its usual look-ups are libc's. Debian's runtime has what compiles a file that is to be run, and no javac."""
    source = tmp_path / "Ask.java"
    source.write_text(JAVA)
    words = [WEB, "A", WEB, "AAAA", "gone.services.haystack", "A", "haystack", "NS", "www.example", "A"]
    assert run(found("java"), source, port, *words).splitlines() == ["127.0.0.1", "none", "gone", "ns.haystack.", "192.0.2.1"]
