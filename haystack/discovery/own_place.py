"""Where Haystack itself stands: in which container, with which addresses, behind which gateway. Read from /proc.

Never does: asking Docker, changing anything; what can't be read is as if it were not there. The docker provider asks it
once a connection, to leave Haystack out of the list and to choose addresses that it can reach.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from pathlib import Path

from haystack.model.records import Network

PROC = Path("/proc")
LOOPBACK = "127.0.0.1"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Docker mounts these three from its own folder of the container. On the host other mounts hold /containers/ID/ too.
_OWN_FILE = re.compile(r"/containers/([0-9a-f]{64})/\S* /etc/(?:hostname|hosts|resolv\.conf) ")
_CGROUP = re.compile(r"[/-]([0-9a-f]{64})(?:\.scope)?$", re.MULTILINE)
_SHORT = re.compile(r"[0-9a-f]{12}")
_LOCAL4 = re.compile(r"\|-- ([0-9.]+)\n\s+/32 host LOCAL")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def container_id(proc: Path = PROC, hostname: str | None = None) -> str:
    """The id of the container that this process runs in, 64 or 12 hex digits; empty outside of any."""
    for name, pattern in (("mountinfo", _OWN_FILE), ("cgroup", _CGROUP)):
        match = pattern.search(_text(proc / "self" / name))
        if match:
            return match.group(1)
    name = socket.gethostname() if hostname is None else hostname
    return name if _SHORT.fullmatch(name) else ""


def addresses(proc: Path = PROC) -> tuple[Address, ...]:
    """The addresses of this machine's or container's interfaces, loopback left out."""
    texts = _LOCAL4.findall(_text(proc / "net" / "fib_trie"))
    for line in _text(proc / "net" / "if_inet6").splitlines():
        digits = line.partition(" ")[0]
        texts.append(":".join(digits[i : i + 4] for i in range(0, len(digits), 4)))
    found = {a for a in map(_address, texts) if a is not None and not a.is_loopback and not a.is_link_local}
    return tuple(sorted(found, key=lambda a: (a.version, int(a))))


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def gateway(proc: Path = PROC) -> str | None:
    """The IPv4 default gateway, which in a container is the machine that its engine runs on."""
    for line in _text(proc / "net" / "route").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1] == "00000000" and fields[7] == "00000000":  # noqa: PLR2004 - columns of /proc
            return str(ipaddress.IPv4Address(bytes.fromhex(fields[2])[::-1]))
    return None


def attached(proc: Path = PROC) -> tuple[str, ...]:
    """The subnets that the interfaces here are on, in CIDR form: what is in them is reached without a router. IPv4 and IPv6."""
    found = [_route4(line.split()) for line in _text(proc / "net" / "route").splitlines()[1:]]
    found += [_route6(line.split()) for line in _text(proc / "net" / "ipv6_route").splitlines()]
    return tuple(sorted({each for each in found if each}))


def _route4(fields: list[str]) -> str:
    """Of a line of /proc/net/route; empty where a router, or everything, is behind it."""
    if len(fields) < 8 or fields[2] != "00000000" or fields[7] == "00000000":  # noqa: PLR2004 - columns of /proc
        return ""
    at, mask = (ipaddress.IPv4Address(bytes.fromhex(fields[n])[::-1]) for n in (1, 7))
    return str(ipaddress.ip_network(f"{at}/{mask}", strict=False))


def _route6(fields: list[str]) -> str:
    """Of a line of /proc/net/ipv6_route; empty for single addresses, link-local and multicast ones too."""
    if len(fields) < 10 or int(fields[4], 16) or fields[9] == "lo":  # noqa: PLR2004 - columns of /proc
        return ""
    block = ipaddress.IPv6Network((int(fields[0], 16), int(fields[1], 16)), strict=False)
    return str(block) if 0 < block.prefixlen < block.max_prefixlen and not (block.is_link_local or block.is_multicast) else ""


def is_here(host: str, address: str | None, inside: bool, proc: Path = PROC) -> bool:
    """Whether the engine at `host`, whose address is this, runs on the host that Haystack runs on, by what an address can tell.

    An engine whose address is not known counts as one of another host: the addresses of its containers may be those of others here.
    """
    if host.startswith(("unix://", "npipe://", "http+unix://")):
        return True
    if address is None:
        return False
    there = ipaddress.ip_address(address)
    return there.is_loopback or there in addresses(proc) or (inside and address == gateway(proc))


def engine_address(host: str, inside: bool) -> str | None:
    """The address of the engine at `host` as seen from here. inside: Haystack runs in a container."""
    scheme, _, rest = host.partition("://")
    if scheme in ("unix", "npipe", "http+unix"):
        return (gateway() or LOOPBACK) if inside else LOOPBACK
    name = rest.partition("/")[0].rpartition("@")[2]
    name = name.rpartition(":")[0].strip("[]") if ":" in name else name
    try:
        return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return None


def networks_of(networks: Iterable[Network], here: Iterable[Address]) -> frozenset[str]:
    """The ids of the networks that the addresses `here` are on.

    A bridge's machine has the bridge's own address, the gateway: in a subnet alone many machines are, for engines all use the same ones.
    """
    own = tuple(here)
    return frozenset(n.id for n in networks if _on(n, own))


def _on(network: Network, here: tuple[Address, ...]) -> bool:
    gateway = _address(network.gateway.partition("/")[0]) if network.driver == "bridge" and network.gateway else None
    return gateway in here if gateway is not None else any(_holds(subnet, here) for subnet in network.subnets)


def _holds(subnet: str, here: tuple[Address, ...]) -> bool:
    try:
        block = ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        return False
    return any(a.version == block.version and a in block for a in here)
