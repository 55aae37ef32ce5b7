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


def engine_address(host: str, inside: bool) -> str | None:
    """The address of the engine at `host` as seen from here. inside: Haystack runs in a container."""
    scheme, _, rest = host.partition("://")
    if scheme in ("unix", "npipe", "ssh", "http+unix"):
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
