"""Every setting, from the environment or from the flag of the same name, checked before anything starts.

Reads no file but those of secrets (NAME_FILE) and never contacts anybody: `load` turns texts into one frozen Settings or one SettingsError,
whose message is the one line that a person sees. cli.py calls it; all other modules only read attributes. Parsers of single values are in
haystack/settings/parsers.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from haystack.net import access
from haystack.settings import addresses, authorities, balance, engine_url, forwarding, masking, parsers, unreadable
from haystack.settings import aliases as aliases_of
from haystack.settings.addresses import Networks
from haystack.settings.kinds import Addresses, Balance, Clients, Count, Folder, Level, Pem, Port, Switch, Time, TimeOrOff
from haystack.settings.parsers import Texts

SECRET = frozenset({"docker_key", "acme_eab"})
FILED = ("docker_cert", "docker_key", "docker_ca", "acme_eab")  # also as NAME_FILE
KEPT = dict.fromkeys(FILED, parsers.pem) | {"acme_eab": authorities.binding}
LONG = frozenset({"docker_key", "docker_cert", "docker_ca", "ssh_authorized_keys", "acme_eab"})
TIME = "a duration from 10ms to 24h, such as 500ms, 5s or 1h30m"
TIME_OR_OFF = f"{TIME} (0: no limit)"
OTHER_PORTS = ("dns_port", "ssh_port")  # beside those of HTTP


class Told(NamedTuple):
    """A setting for a person: its variable, its value, and where that came from. unset: it has no value, and ``-`` stands for that."""

    name: str
    value: str
    source: str
    unset: bool = False


class SettingsError(Exception):
    """A value that can't be used. str() is one line: the variable, its value and what it takes."""


def variable(field: str) -> str:
    """The environment variable of an attribute."""
    return field.upper() if field.startswith("docker_") else f"HAYSTACK_{field.upper()}"


def flag(field: str) -> str:
    """The command line flag of an attribute."""
    return "--" + field.replace("_", "-")


def cpus() -> int:
    """The CPUs that this process may use, which in a container can be fewer than the machine has."""
    return len(os.sched_getaffinity(0))


def takes(what: str, default: object = None, **more: Any) -> Any:
    """A field whose description says what it takes: help and error messages quote it."""
    return Field(default, description=what, **more)


class Settings(BaseSettings):
    """All settings in effect. `model_fields_set` names the attributes that were given and are not defaults."""

    model_config = SettingsConfigDict(alias_generator=variable, case_sensitive=True, env_ignore_empty=True, frozen=True, extra="ignore")

    docker_host: Annotated[Texts, NoDecode, BeforeValidator(addresses.docker_hosts)] = takes(
        "comma separated unix://PATH, tcp://HOST:PORT, http://HOST:PORT, https://HOST:PORT (without a port: 2375, with TLS 2376) or ssh://USER@HOST",
        (engine_url.SOCKET,),
    )
    docker_tls_verify: Switch | None = takes("on or off")
    docker_cert_path: Folder | None = takes("a folder with key.pem, cert.pem and ca.pem")
    docker_cert: Pem | None = takes("the client certificate as PEM text")
    docker_key: Pem | None = takes("the client's private key as PEM text", repr=False)
    docker_ca: Pem | None = takes("the CA certificate as PEM text")
    docker_cert_file: Folder | None = takes("the file that holds DOCKER_CERT")
    docker_key_file: Folder | None = takes("the file that holds DOCKER_KEY")
    docker_ca_file: Folder | None = takes("the file that holds DOCKER_CA")
    swarm: Switch = takes("on or off", default=True)
    origin: Annotated[str, BeforeValidator(parsers.origin)] = takes("DNS labels of letters, digits and dashes", "haystack")
    bind: Addresses = takes("comma separated IP addresses to listen on (unset: all)", ())
    http_port: Port = takes("a port, 0 to 65535 (0: any free one)", 80)
    http_alt_port: Port = takes("a port, 0 to 65535 (0: any free one)", 8080)
    https_port: Port = takes("a port, 0 to 65535 (0: any free one)", 443)
    dns_port: Port = takes("a port, 0 to 65535 (0: any free one)", 53)
    ssh_port: Port = takes("a port, 0 to 65535 (0: any free one)", 22)
    certs: Folder | None = takes("a folder with NAME.crt and NAME.key, or NAME.pem with both")
    https: Annotated[Literal["off", "on", "redirect"], BeforeValidator(parsers.switch_or("redirect"))] = takes("off, on or redirect", "on")
    tls_min: Annotated[Literal["1.2", "1.3"], BeforeValidator(parsers.tls_version)] = takes("1.2 or 1.3", "1.2")
    tls_client_ca: Folder | None = takes("a PEM file with the certificates of one or more authorities")
    address: Addresses = takes("comma separated IP addresses", ())
    peers: Annotated[Texts, NoDecode, BeforeValidator(addresses.nameservers)] = takes(
        "comma separated IP addresses, each with an optional :PORT", ()
    )
    dns_nameservers: Annotated[Texts, NoDecode, BeforeValidator(addresses.nameservers)] = takes(
        "comma separated IP addresses, each with an optional :PORT", ()
    )
    dns_forward: Annotated[forwarding.Domains, NoDecode, BeforeValidator(forwarding.read)] | None = takes(forwarding.TAKES)
    dns_ttl: Annotated[int, BeforeValidator(parsers.seconds)] = takes("whole seconds, 0 to 86400, or a duration such as 5s or 1m", 5)
    dns_records: Folder | None = takes("a zone file (RFC 1035) of A, AAAA, CNAME, TXT and SRV records")
    workers: Annotated[int, BeforeValidator(parsers.workers)] = Field(
        default_factory=cpus, description="a number of worker processes, 1 to 256"
    )
    balance: Balance = takes(balance.TAKES, "p2c")
    aliases: Annotated[Texts, NoDecode, BeforeValidator(aliases_of.read)] = takes(aliases_of.TAKES, ())
    locality: Switch = takes("on or off", default=True)
    engine_grace: TimeOrOff = takes(TIME_OR_OFF, 3600.0)
    static: Folder | None = takes("a TOML file that lists containers, instead of a Docker engine")
    ssh_authorized_keys: Annotated[str, BeforeValidator(parsers.keys)] | None = takes("the text of an authorized_keys file")
    ssh_authorized_keys_file: Annotated[Path, BeforeValidator(parsers.keys_file)] | None = takes("the path of an authorized_keys file")
    ssh_idle_timeout: TimeOrOff = takes(TIME_OR_OFF, 1800.0)
    state_dir: Folder = takes("a folder for the host key and the control socket", Path("/var/lib/haystack"))
    admin: Annotated[bool | str, BeforeValidator(addresses.admin)] = takes("on, off, or ADDRESS:PORT for a separate listener", default=True)
    admin_hosts: Annotated[Texts, NoDecode, BeforeValidator(parsers.hosts)] = takes("comma separated host names", ())
    trusted_proxies: Annotated[Networks, NoDecode, BeforeValidator(addresses.networks)] = takes("comma separated networks in CIDR form", ())
    proxy_protocol: Annotated[Networks, NoDecode, BeforeValidator(addresses.networks)] = takes("comma separated networks in CIDR form", ())
    allow: Clients = takes(access.TAKES, access.INSIDE)
    admin_allow: Clients = takes(access.TAKES, access.INSIDE)
    expose: Annotated[Literal["all", "labelled"], BeforeValidator(parsers.expose)] = takes("all or labelled", "all")
    dns_recursion: Clients = takes(access.TAKES, access.INSIDE)
    max_head: Annotated[int, BeforeValidator(parsers.size(1024, 65536))] = takes("bytes, 1024 to 65536 (64k)", 65536)
    max_headers: Annotated[int, BeforeValidator(parsers.whole(1, 128))] = takes("a number of header fields, 1 to 128", 128)
    max_streams: Annotated[int, BeforeValidator(parsers.whole(1, 1000))] = takes("a number of requests, 1 to 1000", 128)
    h2c: Switch = takes("on or off", default=False)
    max_connections: Count = takes("a number of clients, 0 to 10000000 (0: no limit)", 50_000)
    max_client_connections: Count | None = takes("a number of connections, 0 to 10000000 (0: no limit; unset: a share of the free ones)")
    head_timeout: Time = takes(TIME, 10.0)
    idle_timeout: Time = takes(TIME, 75.0)
    body_rate: Annotated[int, BeforeValidator(parsers.size(0, 1 << 30))] = takes(
        "bytes per second such as 256 or 1k, up to 1G (0: no minimum)", 256
    )
    read_rate: Annotated[int, BeforeValidator(parsers.size(0, 1 << 30))] = takes(
        "bytes per second such as 256 or 1k, up to 1G (0: no minimum)", 256
    )
    answer_memory: Annotated[int, BeforeValidator(parsers.size(0, 1 << 40))] = takes(
        "a size such as 256M, up to 1024G (0: no limit)", 1 << 28
    )
    connect_timeout: Time = takes(TIME, 1.0)
    timeout: Time = takes(TIME, 60.0)
    wait: TimeOrOff = takes("a duration from 10ms to 24h (0: requests don't wait)", 10.0)
    tunnel_timeout: TimeOrOff = takes(TIME_OR_OFF, 3600.0)
    pool_size: Annotated[int, BeforeValidator(parsers.whole(0, 100_000))] = takes("a number of connections, 0 to 100000", 4096)
    pool_idle: TimeOrOff = takes(f"{TIME} (0: no pool)", 20.0)
    pool_age: TimeOrOff = takes(TIME_OR_OFF, 0.0)
    drain: TimeOrOff = takes("a duration from 10ms to 24h (0: don't wait)", 9.0)
    queue_size: Annotated[int, BeforeValidator(parsers.whole(0, 1_000_000))] = takes("a number of requests, 0 to 1000000", 1000)
    queue_timeout: TimeOrOff = takes(f"{TIME} (0: requests don't wait)", 5.0)
    kept_body: Annotated[int, BeforeValidator(parsers.size(0, 1 << 20))] = takes("bytes, 0 to 1048576 (1M)", 65536)
    trace: Switch = takes("on or off", default=False)
    log_level: Annotated[Level, BeforeValidator(parsers.level)] = takes("debug, info, warning, error or critical", "info")
    log_format: Annotated[Literal["console", "json"], BeforeValidator(parsers.lower)] = takes("console or json", "console")
    access_log: Annotated[Literal["off", "json", "ecs", "common", "combined"], BeforeValidator(parsers.or_off)] = takes(
        "off, json, ecs, common or combined", "off"
    )
    access_log_fields: Annotated[Texts, NoDecode, BeforeValidator(parsers.log_fields)] = takes(
        "comma separated names of fields of the access log, such as time,client,status", ()
    )
    dns_log: Annotated[Literal["off", "json", "text"], BeforeValidator(parsers.or_off)] = takes("off, json or text", "off")
    acme: Annotated[str, BeforeValidator(authorities.authority)] = takes(authorities.TAKES, "off")
    acme_email: Annotated[str, BeforeValidator(authorities.email)] | None = takes("an email address")
    acme_ca: Folder | None = takes("a PEM file with the certificates that the authority's own is verified by")
    acme_eab: Annotated[str, BeforeValidator(authorities.binding)] | None = takes("KID:HMAC, as the authority has given them", repr=False)
    acme_eab_file: Folder | None = takes("the file that holds HAYSTACK_ACME_EAB")
    acme_challenges: Annotated[Texts, NoDecode, BeforeValidator(authorities.challenges)] = takes(
        "comma separated http-01, tls-alpn-01 and dns-01, the preferred one first", authorities.CHALLENGES
    )
    acme_dns_zone: Annotated[str, BeforeValidator(parsers.origin)] | None = takes("a DNS zone that is delegated to Haystack")
    acme_profile: Annotated[str, BeforeValidator(authorities.word)] | None = takes("the name of a profile that the authority has")
    acme_chain: Annotated[str, BeforeValidator(authorities.word)] | None = takes("the common name of an issuer")
    tls_local: Switch = takes("on or off", default=False)
    cors_origin: Annotated[str, BeforeValidator(addresses.web_origin)] | None = takes("a web origin such as https://HOST, or *")

    _flags: frozenset[str] = PrivateAttr(frozenset())  # attributes that flags gave,
    _at_start: frozenset[str] = PrivateAttr(frozenset())  # and those that the start chose, where nobody had set them

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then the environment: nothing else, so that nothing in a working directory changes what runs."""
        del settings_cls, dotenv_settings, file_secret_settings
        return init_settings, env_settings

    def given(self, field: str) -> bool:
        """Whether a person set it."""
        return field in self.model_fields_set

    def with_defaults(self, defaults: Mapping[str, object]) -> Settings:
        """A copy in which these stand where nobody set anything else."""
        chosen = {name: value for name, value in defaults.items() if not self.given(name)}
        copy = self.model_copy(update=chosen)
        copy._at_start = self._at_start | chosen.keys()  # noqa: SLF001 - its own
        return copy

    def told(self) -> list[Told]:
        """Each setting with its value for a person, and where that came from."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return [Told(variable(name), display(name, value), self._source(name), is_unset(value)) for name, value in values.items()]

    def _source(self, field: str) -> str:
        if field in self._flags:
            return f"the flag {flag(field)}"
        if field in self._at_start:
            return "chosen at start"
        if self.given(field):
            return "the environment"
        if field in FILED and self.given(f"{field}_file"):
            return f"the file in {variable(field)}_FILE"
        return "default"

    def shown(self) -> dict[str, str]:
        """VARIABLE → text for a person; what is secret is masked, what is long is counted."""
        return {variable(name): display(name, getattr(self, name)) for name in type(self).model_fields}


def load(flags: Mapping[str, str] | None = None) -> Settings:
    """Settings from flags (attribute → text) over the environment. Raises SettingsError."""
    given = cast("dict[str, Any]", {variable(name): text for name, text in (flags or {}).items()})
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsError(complaint(error.errors()[0])) from None
    settings._flags = frozenset(flags or ())  # noqa: SLF001 - this module's own
    changed = {name: text for name in FILED if (text := _kept(settings, name)) is not None}
    settings = settings.model_copy(update=changed)
    if (settings.docker_key is None) != (settings.docker_cert is None):
        missing = "docker_key" if settings.docker_key is None else "docker_cert"
        raise SettingsError(f"{variable(missing)} is not set: DOCKER_KEY and DOCKER_CERT go together, each PEM text")
    return _with_ports(settings)


def _with_ports(settings: Settings) -> Settings:
    """Engines without a port have the one that Docker's own client would take."""
    tls = bool(settings.docker_tls_verify or settings.docker_cert_path or settings.docker_cert or settings.docker_ca)
    urls = tuple(dict.fromkeys(engine_url.with_port(url, tls=tls) for url in settings.docker_host))
    return settings if urls == settings.docker_host else settings.model_copy(update={"docker_host": urls})


def _kept(settings: Settings, field: str) -> str | None:
    """The text that is kept in a file; None: no file is named. Raises SettingsError where that can't be read, or both are set."""
    text, path = getattr(settings, field), getattr(settings, f"{field}_file")
    name = variable(field)
    if path is None:
        return None
    if text is not None:
        raise SettingsError(f"{name} and {name}_FILE are both set: one of them is to say it")
    try:
        found = path.read_text(encoding="utf-8")
        if not found.strip():
            raise ValueError("it is empty")  # noqa: TRY301 - one of several reasons
        return KEPT[field](found)
    except (OSError, ValueError) as error:
        raise SettingsError(refusal(f"{field}_file", str(path), unreadable.why(error))) from None


def complaint(error: ErrorDetails) -> str:
    """The one line about a value that was refused."""
    name = str(error["loc"][0])
    field = next(field for field in Settings.model_fields if variable(field) == name)
    return refusal(field, error["input"], str(error.get("ctx", {}).get("error", "")))


def refusal(field: str, value: object, why: str) -> str:
    """The one line about a value that can't be used: the variable, the value, why, and what it takes."""
    masked = masking.masked_anywhere if field == "docker_host" else masking.masked
    text = "its value" if field in LONG else masked(repr(value))
    detail = f": {masked(why)}" if why else ""
    return f"{variable(field)}: {text} can't be used{detail}; it takes {Settings.model_fields[field].description}"


def is_unset(value: object) -> bool:
    """Whether a setting has no value."""
    return value is None or value == ()


def display(field: str, value: object) -> str:
    """A value for a person."""
    if is_unset(value):
        return "-"
    if field in SECRET:
        return "(set, not shown)"
    if field in LONG:
        return f"({len(str(value))} characters)"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return masking.masked(",".join(str(item) for item in value))
    return f"{value:g}s" if isinstance(value, float) else str(value)
