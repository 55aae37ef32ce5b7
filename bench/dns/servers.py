"""The servers that are measured, and the nameserver that they ask: each in the foreground on a free port, with one thread that answers."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterable

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from bench.dns.names import FORWARDED, ORIGIN, Record, Zone
from bench.macro.peers import program
from bench.macro.process import Haystack, Process
from tests.fakes.ports import free_port

READY = 60.0
KNOT = """server:
    listen: 127.0.0.1@{port}
    rundir: {folder}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {folder}
control:
    listen: {folder}/control
log:
  - target: stderr
    any: error
zone:
  - domain: {zone}
    file: {folder}/zone
    zonefile-sync: -1
    journal-content: none
"""
DNSMASQ = """port={port}
listen-address=127.0.0.1
bind-interfaces
user={user}
pid-file
no-resolv
no-hosts
cache-size=10000
dns-forward-max=10000
addn-hosts={folder}/hosts
{more}
"""
UNBOUND = """server:
    interface: 127.0.0.1
    port: {port}
    num-threads: 1
    do-daemonize: no
    use-syslog: no
    chroot: ""
    username: ""
    pidfile: ""
    directory: {folder}
    module-config: iterator
    do-not-query-localhost: no
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@{upstream}
"""
COREDNS = ".:{port} {{\n    bind 127.0.0.1\n    {more}\n}}\n"


class Knot(Process):
    """Debian's Knot DNS, with one zone."""

    name = "Knot"

    def __init__(self, text: str, zone: str = ORIGIN) -> None:
        super().__init__()
        self.text, self.zone = text, zone

    def start(self) -> None:
        """Start on a free port."""
        self.port = free_port()
        (self.folder / "zone").write_text(self.text)
        (self.folder / "conf").write_text(KNOT.format(port=self.port, folder=self.folder, zone=self.zone))
        self.launch(program("knotd"), "-c", str(self.folder / "conf"))


class Dnsmasq(Process):
    """Debian's dnsmasq. more: lines of its configuration; hosts: of its file of hosts."""

    name = "dnsmasq"

    def __init__(self, more: str, hosts: str = "") -> None:
        super().__init__()
        self.more, self.hosts = more, hosts

    def start(self) -> None:
        """Start on a free port."""
        self.port = free_port()
        (self.folder / "hosts").write_text(self.hosts)
        text = DNSMASQ.format(port=self.port, folder=self.folder, user=getpass.getuser(), more=self.more)
        (self.folder / "conf").write_text(text)
        self.launch(program("dnsmasq"), "--keep-in-foreground", f"--conf-file={self.folder}/conf")


class Unbound(Process):
    """Debian's unbound, which asks that nameserver."""

    name = "unbound"

    def __init__(self, upstream: int) -> None:
        super().__init__()
        self.upstream = upstream

    def start(self) -> None:
        """Start on a free port."""
        self.port = free_port()
        (self.folder / "conf").write_text(UNBOUND.format(port=self.port, folder=self.folder, upstream=self.upstream))
        self.launch(program("unbound"), "-d", "-c", str(self.folder / "conf"))


class CoreDns(Process):
    """CoreDNS, which is not in Debian: measured where it is on the PATH. more: plugins; text: of its zone file."""

    name = "CoreDNS"

    def __init__(self, more: str, text: str = "") -> None:
        super().__init__()
        self.more, self.text = more, text
        self.environment = {"GOMAXPROCS": "1"}

    def start(self) -> None:
        """Start on a free port."""
        self.port = free_port()
        (self.folder / "zone").write_text(self.text)
        (self.folder / "conf").write_text(COREDNS.format(port=self.port, more=self.more.format(folder=self.folder)))
        self.launch(program("coredns"), "-conf", str(self.folder / "conf"))


class HaystackDns(Haystack):
    """Haystack with these names. `port` is that of DNS."""

    def __init__(self, zone: Zone, **settings: str) -> None:
        super().__init__(**settings)
        (self.folder / "static.toml").write_text(zone.static())
        self.settings["HAYSTACK_STATIC"] = str(self.folder / "static.toml")

    def start(self) -> None:
        """Start; what it knows comes later (`prove`)."""
        super().start()
        self.port = int(self.told["dns"])


def zone_servers(zone: Zone) -> dict[str, Process]:
    """Those that have the zone, by their names."""
    text = zone.zone_file()
    more = f"file {{folder}}/zone {ORIGIN}"
    return {"Knot": Knot(text), "dnsmasq": Dnsmasq(*zone.dnsmasq()), "CoreDNS": CoreDns(more, text), "Haystack": HaystackDns(zone)}


def forwarding_servers(upstream: int) -> dict[str, Process]:
    """Those that ask this nameserver of FORWARDED, by their names."""
    return {
        "unbound": Unbound(upstream),
        "dnsmasq": Dnsmasq(f"server=127.0.0.1#{upstream}"),
        "CoreDNS": CoreDns(f"forward . 127.0.0.1:{upstream}\n    cache"),
        "Haystack": HaystackDns(Zone(3), HAYSTACK_DNS_FORWARD=f"{FORWARDED}=127.0.0.1:{upstream}"),
    }


def prove(server: Process, records: Iterable[Record]) -> None:
    """Wait until it gives these very answers: a fast NXDOMAIN is no figure. Raises RuntimeError."""
    end = time.monotonic() + READY
    for record in records:
        while (got := answer(server.port, record)) != [record.data]:
            if time.monotonic() > end:
                raise RuntimeError(f"{server.name} answers {record} with {got}")
            time.sleep(0.02)  # nothing announces that it knows its names


def answer(port: int, record: Record) -> list[str]:
    """The data of the answer's records."""
    query = dns.message.make_query(record.name, record.kind)
    try:
        made = dns.query.udp(query, "127.0.0.1", timeout=2, port=port)
    except (OSError, dns.exception.DNSException) as error:
        return [repr(error)]
    return [data.to_text() for rrset in made.answer for data in rrset if rrset.rdtype == dns.rdatatype.from_text(record.kind)]
