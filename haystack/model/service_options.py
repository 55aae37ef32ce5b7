"""The options of services, which labels may ask for: of each its type, its default, and how people see its value.

Pure. discovery/labels.py reads the labels, catalog/service.py finds out on what the containers of a service agree, and workers do what
is in effect (`Route` of _fast/endpoint/endpoint.pyx, for the most part).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

RETRIED = (500, 502, 503, 504)  # answers that say that the endpoint failed, rather than what it was asked (RFC 9110, section 15.6)
OFF = "off"  # as labels have it

Value = TypeVar("Value")


class ServiceOptions(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What labels ask for a service as a whole, of its containers, which have to agree, and of the service; None: not asked.

    Also what is in effect (`effective`), where nothing is None: workers are told that.

    balance: as balance.read gives it; sticky: the name of the cookie, empty: there is none; max_connections: exchanges at once an
    endpoint, of all workers together, 0: any number; timeout: seconds for an endpoint's first byte and between its bytes; wait: seconds
    that a request waits for an endpoint once the service has lost its last one, 0: not at all; retry: statuses from 500 to 504 after which
    a request that only reads asks another endpoint; upgrade: protocols beside websocket that an Upgrade may name, in lower case, `any`:
    all but h2c and TLS; https: on, off, redirect or passthrough; hsts_max_age: max-age of Strict-Transport-Security (RFC 6797), in
    seconds, 0: the field is not sent.
    """

    balance: str | None = None
    sticky: str | None = None
    max_connections: int | None = None
    timeout: float | None = None
    wait: float | None = None
    retry: tuple[int, ...] | None = None
    upgrade: tuple[str, ...] | None = None
    https: str | None = None
    hsts_max_age: int | None = None


FIELDS = ServiceOptions.__struct_fields__


class Defaults(Protocol):
    """The settings that are for services that say nothing else; times in seconds."""

    @property
    def balance(self) -> str: ...  # noqa: D102 - docs/settings.md
    @property
    def timeout(self) -> float: ...  # noqa: D102
    @property
    def wait(self) -> float: ...  # noqa: D102
    @property
    def https(self) -> str: ...  # noqa: D102


class Spec(NamedTuple, Generic[Value]):
    """What there is to know of an option beside its type.

    default: its value where no label asks for one, by the settings, and whether the service has a public name; shown: a value as people
    see it, as a label has it; quiet: people see it only where a label asks for it.
    """

    default: Callable[[Defaults, bool], Value]
    shown: Callable[[Value], str]
    quiet: bool = False


def always(value: Value) -> Callable[[Defaults, bool], Value]:
    """A default in which no setting has a say."""
    return lambda _settings, _public: value


def _seconds(seconds: float) -> str:
    return f"{seconds:.10g}s" if seconds else OFF


SPECS: Mapping[str, Spec[Any]] = MappingProxyType(
    {  # in the order in which people see them
        "balance": Spec[str](lambda settings, _: settings.balance, str),
        "sticky": Spec[str](always(""), lambda name: name or OFF),
        "timeout": Spec[float](lambda settings, _: settings.timeout, _seconds),
        "wait": Spec[float](lambda settings, _: settings.wait, _seconds),
        "retry": Spec[tuple[int, ...]](always(RETRIED), lambda statuses: ",".join(map(str, statuses)) or OFF),
        "max_connections": Spec[int](always(0), lambda most: str(most or "unlimited")),
        "https": Spec[str](lambda settings, public: settings.https if public else "on", str),
        "hsts_max_age": Spec[int](always(0), _seconds),
        "upgrade": Spec[tuple[str, ...]](always(()), ",".join, quiet=True),
    }
)


def usual(settings: Defaults, *, public: bool) -> ServiceOptions:
    """The defaults of all options, by the settings. public: of a service with a public name."""
    return ServiceOptions(**{name: spec.default(settings, public) for name, spec in SPECS.items()})


def effective(asked: ServiceOptions, otherwise: ServiceOptions) -> ServiceOptions:
    """The options in effect: those that labels ask for, and `otherwise`, which is complete, for the rest."""
    own = {name: value for name in FIELDS if (value := getattr(asked, name)) is not None}
    return msgspec.structs.replace(otherwise, **own) if own else otherwise
