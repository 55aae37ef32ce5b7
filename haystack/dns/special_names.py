"""Names that are never asked of a nameserver, and what is said of them instead: a table, with the document that says so for each row.

Each is a zone of its own that holds nothing: what is not there does not exist (NXDOMAIN), with the zone's SOA, and is not forwarded. The
lists of IANA: Locally-Served DNS Zones, and Special-Use Domain Names. `example` is not here: resolvers treat it as any name (RFC 6761,
section 6.5). Pure. The zone reads it, and the check of HAYSTACK_ORIGIN.
"""

from __future__ import annotations

from typing import NamedTuple

from haystack.dns import wire

LOCALHOST = "localhost"


class Special(NamedTuple):
    """A name, and all below it.

    source: the document. below: what every name below it is: empty (NXDOMAIN), `same` (it holds what the name itself does) or `nothing`
    (it is there, and holds nothing: NODATA). fixed: HAYSTACK_DNS_FORWARD can't open it, and no haystack.host is below it. origin: empty,
    or why HAYSTACK_ORIGIN can't be it or below it.
    """

    name: str
    source: str
    below: str = ""
    fixed: bool = False
    origin: str = ""


_REVERSE = "is for the names of addresses"
# RFC 6303, section 4: what is asked about these helps nobody on the internet, and tells it about us.
_IPV4 = (
    *(Special(f"{name}.in-addr.arpa", "RFC 1918, RFC 6303 section 4.1", origin=_REVERSE)
      for name in ("10", *(f"{n}.172" for n in range(16, 32)), "168.192")),
    *(Special(f"{name}.in-addr.arpa", "RFC 6303 section 4.2", origin=_REVERSE)
      for name in ("0", "127", "254.169", "2.0.192", "100.51.198", "113.0.203", "255.255.255.255")),
    *(Special(f"{n}.100.in-addr.arpa", "RFC 7793 section 2", origin=_REVERSE) for n in range(64, 128)),
)  # fmt: skip
_IPV6 = (
    *(Special(f"{name}.ip6.arpa", "RFC 6303 section 4.3", origin=_REVERSE) for name in ("0." * 31 + "0", "1." + "0." * 30 + "0")),
    Special("d.f.ip6.arpa", "RFC 6303 section 4.4", origin=_REVERSE),
    Special("c.f.ip6.arpa", "RFC 4193 section 3.2: the other half of fc00::/7, in no list", origin=_REVERSE),
    *(Special(f"{n}.e.f.ip6.arpa", "RFC 6303 section 4.5", origin=_REVERSE) for n in "89ab"),
    Special("8.b.d.0.1.0.0.2.ip6.arpa", "RFC 6303 section 4.6", origin=_REVERSE),
    Special("0.f.f.f.3.ip6.arpa", "RFC 9637 section 3: another prefix for examples", origin=_REVERSE),
)
_OTHERS = (
    Special("empty.as112.arpa", "RFC 7535 section 8.2", origin=_REVERSE),
    Special("home.arpa", "RFC 8375 section 4"),
    Special("service.arpa", "RFC 9665 section 10", origin="is for the registration of services (RFC 9665)"),
    # Any name below it has no data: we have no encrypted DNS, and that of a nameserver is not ours.
    Special("resolver.arpa", "RFC 9462 section 6.4", below="nothing", origin="is for the discovery of encrypted DNS (RFC 9462)"),
    Special(LOCALHOST, "RFC 6761 section 6.3", below="same", fixed=True),
    Special("test", "RFC 6761 section 6.2"),
    Special("invalid", "RFC 6761 section 6.4", fixed=True, origin="never exists (RFC 6761)"),
    Special("local", "RFC 6762 section 22.1"),
    Special("onion", "RFC 7686 section 2", origin="is never asked for in DNS (RFC 7686)"),
)
SPECIAL = (*_IPV4, *_IPV6, *_OTHERS)

# Domains of the internet that people like to name their own after: real names would not be found any more.
_PUBLIC = frozenset(("com", "net", "org", "edu", "gov", "int", "mil", "info", "biz", "name", "pro", "app", "cloud", "dev", "page", "zip"))
_COUNTRY = 2  # letters: ISO 3166 has the domains of countries, and those of two letters are for them


def apexes(opened: tuple[bytes, ...] = ()) -> dict[bytes, Special]:
    """The zones that are ours by this table, by their names in lower-case wire form, without those that are opened."""
    found = {wire.name(each.name): each for each in SPECIAL}
    return {key: each for key, each in found.items() if each.fixed or key not in opened}


def is_fixed(name: str) -> bool:
    """Whether a name in text belongs to a zone that nobody may add to: localhost is loopback, invalid does not exist."""
    return any(_within(name, each.name) for each in SPECIAL if each.fixed)


def why_no_origin(origin: str) -> str:
    """Why no names can be below this HAYSTACK_ORIGIN; empty: they can."""
    for each in SPECIAL:
        if each.origin and _within(origin, each.name):
            return f"{each.name} {each.origin}"
    if _within(origin, "arpa") and not _within(origin, "home.arpa"):
        return "arpa is for the names of addresses and the like (RFC 3172)"
    return ""


def why_odd_origin(origin: str) -> str:
    """What to think of with this HAYSTACK_ORIGIN; empty: nothing."""
    if _within(origin, "local"):
        return "many clients ask for names below local by multicast alone (mDNS, RFC 6762), and never ask Haystack: take another one"
    if "." not in origin and (origin in _PUBLIC or (len(origin) == _COUNTRY and origin.isalpha())):
        return "it is a domain of the internet, and clients of Haystack find nothing else of it: take a name below it, or another one"
    return ""


def _within(name: str, above: str) -> bool:
    return f".{name}".endswith(f".{above}")
