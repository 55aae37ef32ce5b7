"""The names that are asked for, as each server takes them: a static file, a zone file, a configuration. Pure.

The same names everywhere: a third has an IPv4 address, a third an IPv6 address, a third is an SRV record whose target has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from haystack.discovery.static import identity

ORIGIN = "haystack"
TTL = 5
PORT, SERVICE = 5432, "postgresql"
FORWARDED, LONG = "bench.example", 86_400
KINDS = ("A", "AAAA", "SRV")
CONTAINER = '[[container]]\nname = "c{n}"\nimage = "s{n}"\naddress = "{address}"\nports = ["{port}/tcp"]\n'
SOA = "{zone}. {ttl} SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 {ttl}\n{zone}. {ttl} NS ns.{zone}.\nns.{zone}. {ttl} A 127.0.0.1\n"


class Record(NamedTuple):
    """One answer: name without trailing dot, type, and its data as in a zone file."""

    name: str
    kind: str
    data: str


def address(number: int) -> str:
    """Of the container of that number: every third one has an IPv6 address."""
    return f"fd00::{number + 1:x}" if number % 3 == 1 else f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def target(number: int) -> str:
    """The id name of that container: where its SRV record leads."""
    return f"c{identity(f'c{number}')[:12]}.containers.{ORIGIN}"


@dataclass(frozen=True)
class Zone:
    """So many names of Haystack's own zone."""

    count: int

    def records(self) -> Iterator[Record]:
        """What is asked for, with its answer."""
        for n in range(self.count):
            if KINDS[n % 3] == "SRV":
                yield Record(f"_{SERVICE}._tcp.s{n}.services.{ORIGIN}", "SRV", f"100 100 {PORT} {target(n)}.")
            else:
                yield Record(f"c{n}.containers.{ORIGIN}", KINDS[n % 3], address(n))

    def static(self) -> str:
        """HAYSTACK_STATIC."""
        return "\n".join(CONTAINER.format(n=n, address=address(n), port=PORT) for n in range(self.count))

    def targets(self) -> Iterator[Record]:
        """The addresses behind the SRV records."""
        return (Record(target(n), "A", address(n)) for n in range(2, self.count, 3))

    def zone_file(self) -> str:
        """For Knot and CoreDNS."""
        return written(ORIGIN, TTL, [*self.records(), *self.targets()])

    def dnsmasq(self) -> tuple[str, str]:
        """Lines of the configuration, and of the file of hosts."""
        found = list(self.records())
        hosts = "".join(f"{r.data} {r.name}\n" for r in [*found, *self.targets()] if r.kind != "SRV")
        services = (f"srv-host={r.name},{target(n)},{PORT},100,100\n" for n, r in enumerate(found) if r.kind == "SRV")
        return f"local=/{ORIGIN}/\nlocal-ttl={TTL}\n{''.join(services)}", hosts


@dataclass(frozen=True)
class Forwarded:
    """So many names of somebody else's zone, with long lives."""

    count: int

    def records(self) -> Iterator[Record]:
        """What is asked for, with its answer."""
        for n in range(self.count):
            yield Record(f"h{n}.{FORWARDED}", "AAAA" if n % 2 else "A", f"2001:db8::{n:x}" if n % 2 else f"192.0.{n >> 8}.{n & 255}")

    def zone_file(self) -> str:
        """For the nameserver that all of them ask."""
        return written(FORWARDED, LONG, list(self.records()))


def written(zone: str, ttl: int, records: list[Record]) -> str:
    """A zone file."""
    return SOA.format(zone=zone, ttl=ttl) + "".join(f"{r.name}. {ttl} {r.kind} {r.data}\n" for r in records)


def questions(records: Iterator[Record]) -> str:
    """A file for dnsperf."""
    return "".join(f"{r.name} {r.kind}\n" for r in records)
