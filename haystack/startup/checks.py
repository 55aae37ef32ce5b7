"""Mistakes that only this machine can tell: files and folders that are not there, ports taken twice. `run` refuses them before it starts.

`found` yields each as the one line that a person sees; `warnings` yields what is odd and stops nothing. Reads files, leaves nothing behind,
and contacts nobody. The commands ask; what a single value may be is settings.py's.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import structlog

from haystack.discovery.docker.tls import NAMES, Certificates, TlsError, TlsOptions
from haystack.dns import special_names
from haystack.loop.turns import at_once
from haystack.net import descriptors
from haystack.proxy import landlock, sandbox
from haystack.settings import authorities, engine_url, otel, variables
from haystack.settings.masking import masked
from haystack.settings.parsers import NOT_PUBLIC, PRIVATE_KEY
from haystack.settings.settings import OTHER_PORTS, Settings, SettingsError, refusal, variable
from haystack.settings.unreadable import FOLDER
from haystack.settings.unreadable import why as why_unreadable
from haystack.startup import memory_limit
from haystack.tls import sources

_log = structlog.get_logger("haystack")


def refuse(settings: Settings) -> None:
    """Raises SettingsError for the first mistake."""
    for line in found(settings):
        raise SettingsError(line)


def found(settings: Settings) -> Iterator[str]:
    """Each mistake that stops the start, one line each."""
    yield from _limit(settings)
    yield from _ports(settings)
    if why := special_names.why_no_origin(settings.origin):
        yield refusal("origin", settings.origin, why)
    for field in ("static", "ssh_authorized_keys_file", "dns_records", "acme_ca", "tls_client_ca"):
        if (path := getattr(settings, field)) and (why := unreadable(path)):
            yield refusal(field, str(path), why)
    keys = settings.ssh_authorized_keys_file
    if keys and not unreadable(keys) and PRIVATE_KEY in keys.read_bytes():
        yield refusal("ssh_authorized_keys_file", str(keys), NOT_PUBLIC)
    elif not keys or not unreadable(keys):
        yield from _keys(settings)
    yield from _certificates(settings)
    yield from _records(settings)
    yield from _spans()
    yield from _certs(settings)
    yield from _acme(settings)
    yield from _client_ca(settings)
    if settings.given("state_dir") and (why := unwritable(settings.state_dir)):
        yield refusal("state_dir", str(settings.state_dir), why)


def tell(settings: Settings) -> None:
    """Log the warnings, once each."""
    for line in warnings(settings):
        _log.warning("setting.odd", message=line)


def warnings(settings: Settings) -> Iterator[str]:
    """What is odd, and stops nothing."""
    yield from variables.lines(os.environ)
    if why := memory_limit.warning(settings):
        yield why
    yield from _open_engines(settings)
    if why := special_names.why_odd_origin(settings.origin):
        yield f"HAYSTACK_ORIGIN={settings.origin}: {why}"
    yield from _own_domains(settings)
    if settings.tls_client_ca is not None and not sources.wanted(settings):
        yield "HAYSTACK_TLS_CLIENT_CA has no effect: HTTPS is off without a certificate, such as by HAYSTACK_CERTS or HAYSTACK_ACME"
    if why := sources.why_no_redirect(settings):
        yield f"HAYSTACK_HTTPS=redirect has no effect: {why}"
    if settings.access_log_fields and settings.access_log not in ("json", "ecs"):
        yield f"HAYSTACK_ACCESS_LOG_FIELDS is ignored with HAYSTACK_ACCESS_LOG={settings.access_log}: it is for json and ecs"
    if not settings.given("state_dir") and (why := unwritable(settings.state_dir)):
        lost = "the shell's host key changes at each start; set it to a writable folder"
        yield f"HAYSTACK_STATE_DIR: {settings.state_dir} can't be written: {why}: {lost}"
    if folder := next((each for each in landlock.readable(sandbox.PACKAGE) if _is_within(settings.state_dir, each)), None):
        yield f"HAYSTACK_STATE_DIR: {settings.state_dir} is within {folder}, which workers may read, and so the keys: choose another folder"


def _is_within(path: Path, folder: str) -> bool:
    return path.resolve().is_relative_to(Path(folder).resolve())


def _open_engines(settings: Settings) -> Iterator[str]:
    """Engines that whoever reaches their port may command. A socket proxy is spoken to in the same way, and can't be told apart here."""
    options = TlsOptions.of(settings)
    for host in settings.docker_host if settings.static is None else ():
        if not host.startswith("unix:") and not engine_url.is_ssh(host) and not options.wanted(host):
            risk = "unless a socket proxy is there, whoever reaches that port is root on the engine's machine"
            yield f"DOCKER_HOST: {masked(host)} is without TLS: {risk}; mount the engine's socket, or use TLS or a socket proxy"


def _own_domains(settings: Settings) -> Iterator[str]:
    """Domains whose names are never asked of anybody else."""
    for domain in settings.dns_forward or ():
        if f".{domain.name}".endswith(f".{settings.origin}"):
            yield f"HAYSTACK_DNS_FORWARD: {domain.name} has no effect: Haystack answers for {settings.origin} and all names below itself"


def _limit(settings: Settings) -> Iterator[str]:
    """So few files may be open that nothing would work."""
    engines = 0 if settings.static is not None else len(settings.docker_host)
    needed = descriptors.needed(settings.workers, engines, 5 * (len(settings.bind) or 2) + 1)
    if (allowed := descriptors.allowed()) < needed:
        yield (
            f"the limit of open files is {allowed}, and HAYSTACK_WORKERS={settings.workers} needs {needed} at least: "
            f"raise it with `ulimit -n` or `docker run --ulimit nofile=65536`"
        )


def web_ports(settings: Settings) -> tuple[str, ...]:
    """Those of HTTP, as attributes of settings."""
    return ("http_port", "http_alt_port", "https_port") if sources.wanted(settings) else ("http_port", "http_alt_port")


def _certs(settings: Settings) -> Iterator[str]:
    """A folder of certificates that is none. What is in it may change, and stops nothing."""
    folder = settings.certs
    if folder is not None and not folder.is_dir():
        yield refusal("certs", str(folder), "it is not a folder" if _exists(folder) else "there is no such folder")


def _ports(settings: Settings) -> Iterator[str]:
    """Each listener has a TCP port of its own, DNS too."""
    for one, other in combinations((*web_ports(settings), *OTHER_PORTS), 2):
        number = getattr(settings, one)
        if number and number == getattr(settings, other):
            yield f"{variable(one)} and {variable(other)} are both {number}: each needs its own port (0: any free one)"


def _spans() -> Iterator[str]:
    try:
        otel.sampling(os.environ)
        for name, path in otel.files(os.environ):
            if why := unreadable(path):
                yield f"{name}: {str(path)!r} can't be used: {why}; it takes the path of a PEM file"
    except SettingsError as error:
        yield str(error)


def _acme(settings: Settings) -> Iterator[str]:
    """What no certificate could be had with."""
    if settings.acme != authorities.OFF and settings.acme_challenges == ("dns-01",) and settings.acme_dns_zone is None:
        yield "HAYSTACK_ACME_CHALLENGES: dns-01 needs a zone that is delegated to Haystack: set HAYSTACK_ACME_DNS_ZONE, or add http-01"
    path = settings.acme_ca
    if path is None or unreadable(path):
        return
    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        yield refusal("acme_ca", str(path), _reason(error))


def _client_ca(settings: Settings) -> Iterator[str]:
    """Whose certificates clients are to have, which can't be read: nobody would get in."""
    path = settings.tls_client_ca
    if path is None or unreadable(path):
        return
    from haystack.tls import client_authorities  # noqa: PLC0415 - what this start does not use is not loaded

    try:
        client_authorities.read(path)
    except (OSError, client_authorities.ClientAuthoritiesError) as error:
        yield refusal("tls_client_ca", str(path), client_authorities.complaint(error))


def _records(settings: Settings) -> Iterator[str]:
    """A line of the zone file that can't be used."""
    path = settings.dns_records
    if path is None or unreadable(path):
        return
    from haystack.dns import master_file, records_file  # noqa: PLC0415 - what this start does not use is not loaded

    try:
        at_once(records_file.RecordsFile(path, settings.origin, settings.dns_ttl).read())
    except (OSError, master_file.MasterFileError) as error:
        yield f"{variable('dns_records')}: {records_file.complaint(path, error)}"


def _keys(settings: Settings) -> Iterator[str]:
    """A line of the shell's keys that lets nobody in: whoever it is meant for would be locked out without a word."""
    if settings.ssh_authorized_keys or settings.ssh_authorized_keys_file:
        from haystack.console import keys  # noqa: PLC0415 - as above

        yield from (f"{line}; it takes a line of an authorized_keys file" for line in keys.read(settings).refused)


def unreadable(path: Path) -> str:
    """Why the file can't be read; empty: it can."""
    try:
        if path.is_dir():
            return FOLDER
        path.open("rb").close()
    except OSError as error:
        return why_unreadable(error)
    return ""


def unwritable(folder: Path) -> str:
    """Why files can't be made in the folder, or the folder itself in what there is of its parents; empty: they can."""
    nearest = next((path for path in (folder, *folder.parents) if _exists(path)), Path("/"))
    if not nearest.is_dir():
        return f"{nearest} is not a folder"
    try:
        tempfile.TemporaryFile(dir=nearest).close()  # without a name: nothing is left of it
    except OSError as error:
        return f"{(error.strerror or str(error)).lower()} at {nearest}, for user {os.geteuid()}"
    return ""


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder above it can't be looked into
        return False


def _certificates(settings: Settings) -> Iterator[str]:
    """What a client certificate is made of, where an engine is spoken to over TLS."""
    folder = settings.docker_cert_path
    if folder is not None and not folder.is_dir():
        yield refusal("docker_cert_path", str(folder), "it is not a folder" if _exists(folder) else "there is no such folder")
        return
    options = TlsOptions.of(settings)
    if not any(options.wanted(host) for host in settings.docker_host):
        return
    if folder is not None and not any((folder / name).is_file() for name in NAMES):
        yield refusal("docker_cert_path", str(folder), f"it holds none of {', '.join(NAMES)}")
        return
    if folder is not None and (barred := [each for name in NAMES if (each := folder / name).exists() and unreadable(each)]):
        yield from (f"DOCKER_CERT_PATH: {each} can't be read: {unreadable(each)}" for each in barred)
        return
    try:
        with Certificates(options) as certificates:
            yield from _unusable(certificates, folder)
    except TlsError as error:
        yield str(error)


def _unusable(certificates: Certificates, folder: Path | None) -> Iterator[str]:
    """What OpenSSL can't read."""
    place = f"DOCKER_CERT_PATH: {folder}/" if folder else "DOCKER_"
    context = ssl.create_default_context()
    try:
        if certificates.ca:
            context.load_verify_locations(certificates.ca)
    except (OSError, ssl.SSLError) as error:
        yield f"{place}{'ca.pem' if folder else 'CA'} can't be used: {_reason(error)}; it takes a certificate as PEM text"
    try:
        if certificates.client:
            context.load_cert_chain(*certificates.client, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        names = "cert.pem and key.pem" if folder else "CERT and DOCKER_KEY"
        yield f"{place}{names} can't be used: {_reason(error)}; they take a certificate and its own key, without a password, as PEM text"


def _reason(error: OSError) -> str:
    """OpenSSL's words for it, which hold nothing of what was read."""
    reason = getattr(error, "reason", None)
    return str(reason).lower().replace("_", " ") if reason else error.strerror or str(error)
