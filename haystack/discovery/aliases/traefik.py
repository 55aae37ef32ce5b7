"""Traefik's labels: rules of HTTP routers as hosts and a path, what a service says of its server, enable and docker.network. Pure.

(doc.traefik.io, Docker provider, routing configuration.) What may have restricted who comes in, such as a middleware, is never just left
out: its router is, and a problem says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from haystack.discovery.aliases import traefik_rule
from haystack.discovery.aliases.records import Alias, Carried, Meant
from haystack.discovery.aliases.traefik_rule import RuleError, Target
from haystack.discovery.label_values import SHOWN
from haystack.model.records import Problem

PREFIX = "traefik."
ROUTERS, SERVICES, MIDDLEWARES = "traefik.http.routers.", "traefik.http.services.", "traefik.http.middlewares."
PLAIN = {"traefik.enable": "haystack.enable", "traefik.docker.network": "haystack.network", "traefik.swarm.network": "haystack.network"}
SERVED = {  # of a service
    ".loadbalancer.server.port": "haystack.port",
    ".loadbalancer.server.scheme": "haystack.protocol",
    ".loadbalancer.healthcheck.path": "haystack.health.path",
    ".loadbalancer.healthcheck.port": "haystack.health.port",
    ".loadbalancer.healthcheck.interval": "haystack.health.interval",
    ".loadbalancer.healthcheck.timeout": "haystack.health.timeout",
    ".loadbalancer.sticky.cookie.name": "haystack.sticky",
}
SERVER = tuple(SERVED)[:2]  # port and scheme: where it is in the container
DEFAULTS = {SERVER[1]: "http"}  # where a service has no port, Traefik takes what the image exposes
OLD = ("traefik.frontend.", "traefik.backend.", "traefik.port", "traefik.protocol")
MIDDLE = "middlewares"
REDIRECT = "redirectscheme"
OPEN = frozenset({REDIRECT, "compress", "retry"})  # kinds of middlewares that keep nobody out
GUARDS = {MIDDLE: "may have kept people out", "tls.options": "may have asked for client certificates"}  # of a router
HARMLESS = (
    "rule",
    "entrypoints",
    "tls",
    "service",
    "middlewares",
    "priority",
    "rulesyntax",
)  # of a router: read here, or for Traefik's own side


def read(carried: Carried) -> Meant:
    """What these labels mean."""
    labels = {key.lower(): (key, text.strip()) for key, text in sorted(carried.labels.items()) if key.lower().startswith(PREFIX)}
    found = {PLAIN[key]: Alias(text=text, origin=f"label {name}") for key, (name, text) in labels.items() if key in PLAIN}
    problems: list[Problem] = []
    routers = sorted({key.removeprefix(ROUTERS).partition(".")[0] for key in labels if key.startswith(ROUTERS)})
    led = _Routers(labels, found, problems)
    led.take(routers)
    _take_server(labels, found, problems, led.service, routed=bool(routers))
    problems += _unknown({key: name for key, (name, _) in labels.items() if not _is_known(key)})
    return found, problems


def _unknown(names: Mapping[str, str]) -> Iterator[Problem]:
    """A Problem for each reason why labels are not understood. names: as they are written, by their lower case."""
    by_reason: dict[str, list[str]] = {}
    for key, name in names.items():
        by_reason.setdefault(_reason(key), []).append(name)
    for reason, alike in by_reason.items():
        more = f", and {len(alike) - 1} more like it" if len(alike) > 1 else ""
        yield Problem(subject=f"label {alike[0][:SHOWN]}", message=f"{reason}; ignored{more}")


def _reason(key: str) -> str:
    if key.startswith(("traefik.tcp.", "traefik.udp.")):
        return "Haystack proxies HTTP only; TLS can be passed through (haystack.https=passthrough)"
    if key.startswith(OLD):
        return "labels of Traefik 1 are not understood: set haystack.host and haystack.port"
    return "HAYSTACK_ALIASES does not read this label"


class _Routers:
    """Takes hosts and the path of routers: the first one with a rule that can be had decides on the path, and on the service.

    service: the one that those routers lead to, empty: it has no name; None: none of them leads to the container.
    """

    def __init__(self, labels: Mapping[str, tuple[str, str]], found: dict[str, Alias], problems: list[Problem]) -> None:
        self._labels, self._found, self._problems = labels, found, problems
        self._hosts: dict[str, str] = {}  # and the label that they are of
        self._path: str | None = None
        self._open = OPEN
        self.service: str | None = None

    def take(self, routers: list[str]) -> None:
        if guarded := self._guarded(routers):  # a redirect leads nobody to the container: what it leads to may be one of these
            self._open = OPEN - {REDIRECT}
            guarded = self._guarded(routers)
        unguarded = [router for router in routers if router not in guarded]
        redirecting = [router for router in unguarded if REDIRECT in self._of_kinds(router)]
        serving = [router for router in unguarded if router not in redirecting] or redirecting
        for router in routers:
            name, rule = self._rule(router)
            for guard in self._guards(router):
                what = f"its {guard} ({self._labels[f'{ROUTERS}{router}.{guard}'][1][:SHOWN]})"
                self._odd(name, f"{what} are not understood, and {GUARDS[guard]}: set haystack.host where they are not needed", whole=True)
            if rule and router in serving:
                self._take(router, name, rule)
            elif router in guarded and not self._guards(router):
                service = self._labels[f"{ROUTERS}{router}.service"][1]
                self._odd(name, f"it leads to the service {service[:SHOWN]}, which is none of this container's labels", whole=True)
        for router in guarded:  # others would serve what these have kept
            self._keep(router)
        if self._hosts:
            self._found["haystack.host"] = Alias(text=",".join(self._hosts), origin=f"label {next(iter(self._hosts.values()))}")
            if redirecting:
                self._found["haystack.https"] = Alias(text="redirect", origin=f"label {next(iter(self._hosts.values()))}")
            if self._path and self._path != "/":
                self._found["haystack.path"] = Alias(text=self._path, origin=f"label {next(iter(self._hosts.values()))}")

    def _take(self, router: str, name: str, rule: str) -> None:
        service = _service(self._labels, router)
        if service is None:
            self._odd(name, "it names none of the services of these labels, of which there are several", whole=True)
            return
        here, there = (_server(self._labels, each) for each in (self.service or service, service))
        if here != there:
            where = "on another port" if here[0] != there[0] else "in another protocol"
            shown = f"the service {service[:SHOWN]}, {where} than {self.service[:SHOWN] if self.service else ''}"
            self._odd(name, f"it leads to {shown}, and a container has one haystack.port", whole=True)
            return
        self._take_rule(name, rule)
        if self._hosts and self.service is None:
            self.service = service

    def _take_rule(self, name: str, rule: str) -> None:
        try:
            targets = traefik_rule.read(rule)
        except RuleError as error:
            self._odd(name, f"its rule can't be read: {error}")
            return
        for target in targets:
            self._take_target(name, target)

    def _take_target(self, name: str, target: Target) -> None:
        if other := tuple(dict.fromkeys(target.other)):
            self._odd(name, f"{', '.join(other)} {'is' if len(other) == 1 else 'are'} not understood")
        elif not target.hosts:
            self._odd(name, "a rule without Host would be for every host")
        else:
            for prefix in target.prefixes or ("/",):
                path = prefix.rstrip("/") or "/"
                self._path = path if self._path is None else self._path
                if path == self._path:
                    self._hosts.update({host: self._hosts.get(host, name) for host in target.hosts})
                else:
                    self._odd(name, f"a container has one path prefix, which is {self._path[:SHOWN]} here, and not {path[:SHOWN]}")

    def _rule(self, router: str) -> tuple[str, str]:
        """The label, and the rule; empty: it has none."""
        key = f"{ROUTERS}{router}.rule"
        return self._labels.get(key, (key, ""))

    def _guards(self, router: str) -> list[str]:
        """What of a router may have restricted who comes in."""
        given = [guard for guard in GUARDS if f"{ROUTERS}{router}.{guard}" in self._labels]
        return [guard for guard in given if guard != MIDDLE or not self._of_kinds(router) <= self._open]

    def _guarded(self, routers: list[str]) -> list[str]:
        """Routers that may restrict who comes in, or that lead to another service."""
        return [router for router in routers if self._guards(router) or not _is_own(self._labels, router)]

    def _of_kinds(self, router: str) -> set[str]:
        """The kinds of its middlewares, by the labels of this container; an empty one: it is defined elsewhere."""
        given = self._labels.get(f"{ROUTERS}{router}.{MIDDLE}", ("", ""))[1]
        names = [name.strip().lower().removesuffix("@docker") for name in given.split(",")] if given else []
        return {kind for name in names for kind in self._kinds(name) or {""}}

    def _kinds(self, middleware: str) -> set[str]:
        prefix = f"{MIDDLEWARES}{middleware}."
        kinds = {key.removeprefix(prefix).partition(".")[0] for key in self._labels if key.startswith(prefix)}
        scheme = self._labels.get(f"{prefix}{REDIRECT}.scheme", ("", ""))[1].strip().lower()
        return kinds if scheme == "https" else {kind if kind != REDIRECT else "" for kind in kinds}  # elsewhere, it is not understood

    def _keep(self, router: str) -> None:
        """Leave out hosts of which a guarded router, or one to elsewhere, is for a part: here, all of a host would be as open as the rest.

        One with middlewares for the whole host is the usual redirect to HTTPS. With a priority, or with tls.options, it is not.
        """
        name, rule = self._rule(router)
        strict = self._guards(router) != [MIDDLE] or f"{ROUTERS}{router}.priority" in self._labels
        try:
            targets = traefik_rule.read(rule) if rule else []
        except RuleError:
            targets = [Target(other=("its rule",))]
        lost = [host for host in self._hosts if any(_is_for(target, host) and (strict or self._is_part(target)) for target in targets)]
        for host in lost:
            del self._hosts[host]
        if lost:
            shown = ", ".join(lost)[:SHOWN]
            self._odd(
                name, f"other routers would serve what it is for, so {shown} is left out: set haystack.host if all may have all of it"
            )

    def _is_part(self, target: Target) -> bool:
        """Whether it is for less than what is served of its hosts."""
        served = (self._path or "/").rstrip("/") + "/"
        below = any(prefix.startswith(served) and prefix.rstrip("/") + "/" != served for prefix in target.prefixes)
        return below or not set(target.other) <= {"HostRegexp"}

    def _odd(self, name: str, why: str, *, whole: bool = False) -> None:
        """whole: all of the router is left out, and not a part of its rule alone."""
        ignored = "router" if whole else "part"
        self._problems.append(Problem(subject=f"label {name[:SHOWN]}", message=f"{why}; this {ignored} ignored"))


def _is_for(target: Target, host: str) -> bool:
    """Whether requests to this host, which may have a wildcard, may be for the target. One without hosts may be for any."""
    host = host.lower()
    return not target.hosts or any(
        each == host or (host.startswith("*.") and each.endswith(host[1:])) for each in map(str.lower, target.hosts)
    )


def _is_own(labels: Mapping[str, tuple[str, str]], router: str) -> bool:
    """Whether a router leads to the container that has its labels: to a service of these, or to none that is named."""
    given = labels.get(f"{ROUTERS}{router}.service")
    if given is None:
        return True
    name, _, provider = given[1].lower().partition("@")
    return provider in ("", "docker", "swarm") and any(key.startswith(f"{SERVICES}{name}.") for key in labels)


def _service(labels: Mapping[str, tuple[str, str]], router: str) -> str | None:
    """The service that a router leads to: the one that it names, else the only one, empty where there is none; None: it can't be told."""
    given = labels.get(f"{ROUTERS}{router}.service")
    if given is not None:
        return given[1].partition("@")[0].lower()
    services = _services(labels)
    return None if len(services) > 1 else next(iter(services), "")


def _services(labels: Mapping[str, tuple[str, str]]) -> list[str]:
    return sorted({key.removeprefix(SERVICES).partition(".")[0] for key in labels if key.startswith(SERVICES)})


def _server(labels: Mapping[str, tuple[str, str]], service: str) -> tuple[str, ...]:
    """Where a service's requests go to in the container."""
    return tuple(_said(labels, service, suffix) for suffix in SERVER)


def _said(labels: Mapping[str, tuple[str, str]], service: str, suffix: str) -> str:
    """What a label of a service says, or what counts where it is not there; empty: nothing."""
    return labels.get(f"{SERVICES}{service}{suffix}", ("", ""))[1].lower() or DEFAULTS.get(suffix, "")


def _take_server(
    labels: Mapping[str, tuple[str, str]], found: dict[str, Alias], problems: list[Problem], service: str | None, *, routed: bool
) -> None:
    """What this service says; where there are no routers, what the first one does that says so.

    routed: there are routers. Where none of them leads here, the first service may be the one that only a guarded one leads to.
    """
    for suffix, label in SERVED.items():
        given = {name: labels[key] for name in _services(labels) if (key := f"{SERVICES}{name}{suffix}") in labels}
        chosen = given.get(service) if service is not None else next(iter(given.values()), None)
        if chosen is None:
            continue
        name, text = chosen
        if service is None and routed and len({_said(labels, each, suffix) for each in _services(labels)}) > 1:
            message = f"no router that is read here leads to one of these services, which differ in {label}; ignored"
            problems.append(Problem(subject=f"label {name}", message=message))
            continue
        found[label] = Alias(text=text, origin=f"label {name}")
        if len({text for _, text in given.values()}) > 1:
            problems.append(Problem(subject=f"label {name}", message=f"{text[:SHOWN]!r} is used: a container has one {label}"))


def _is_known(key: str) -> bool:
    if key.startswith(ROUTERS):
        return key.removeprefix(ROUTERS).partition(".")[2].partition(".")[0] in HARMLESS
    return key in PLAIN or key.startswith(MIDDLEWARES) or (key.startswith(SERVICES) and key.endswith(tuple(SERVED)))
