"""Whether spans are recorded, and of which requests: OpenTelemetry's own variables, as its specification has them. Pure.

The exporter reads the others itself: headers, certificates, compression, time limits, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path

from haystack.model import spelling
from haystack.model.reports import Sampling
from haystack.settings import unreadable
from haystack.settings.settings import SettingsError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"
ROOTS = ("always_on", "always_off", "traceidratio")
PARENT = "parentbased_"
SAMPLERS = (*ROOTS, *(PARENT + root for root in ROOTS))
HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")  # they hold a collector's password or token
FILES = tuple(
    f"OTEL_EXPORTER_OTLP_{of}{name}" for of in ("TRACES_", "") for name in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE")
)  # read by the exporter at each connection
RATIO = re.compile(r"[0-9]*\.?[0-9]+(?:e-?[0-9]{1,3})?")


def sampling(environment: Mapping[str, str]) -> Sampling | None:
    """How requests are sampled; None: no spans are recorded. Raises SettingsError with one line about a value that can't be used."""
    if not _is_on(environment):
        return None
    _check_transport(environment)
    name = environment.get("OTEL_TRACES_SAMPLER", "").strip().lower() or PARENT + "always_on"
    if name not in SAMPLERS:
        right = spelling.nearest(name, SAMPLERS)
        raise _refused(environment, "OTEL_TRACES_SAMPLER", ", ".join(SAMPLERS), f"did you mean {right}?" if right else "")
    root = name.removeprefix(PARENT)
    ratio = _ratio(environment) if root == "traceidratio" else float(root == "always_on")
    return Sampling(ratio=ratio, heeds_caller=name != root)


def files(environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """What the exporter reads while Haystack runs, by the variables that name it. Raises SettingsError."""
    if _is_on(environment):
        yield from ((name, Path(path)) for name in FILES if (path := environment.get(name, "").strip()))


def take_files(environment: MutableMapping[str, str]) -> None:
    """Set the headers that files hold, as NAME_FILE says: the exporter reads variables alone. Raises SettingsError."""
    for name in HEADERS:
        path = environment.get(f"{name}_FILE", "").strip()
        if not path:
            continue
        if environment.get(name, "").strip():
            raise SettingsError(f"{name} and {name}_FILE are both set: one of them is to say it")
        try:
            environment[name] = ",".join(Path(path).read_text(encoding="utf-8").split("\n")).strip(", \t\r")
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"{name}_FILE: {path!r} can't be used: {unreadable.why(error)}; it takes the file that holds {name}"
            ) from None


def _is_on(environment: Mapping[str, str]) -> bool:
    """Whether somebody named a collector, or the exporter to it, and did not switch it off again."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter not in ("", "otlp", "none"):
        raise _refused(environment, "OTEL_TRACES_EXPORTER", "otlp or none")
    return exporter == "otlp" or (not exporter and any(environment.get(name, "").strip() for name in ENDPOINTS))


def _check_transport(environment: Mapping[str, str]) -> None:
    for name in ENDPOINTS:
        given = environment.get(name, "").strip()
        if given and not re.match(r"https?://[^/\s]+", given, re.IGNORECASE):
            raise _refused(environment, name, "http://HOST:PORT or https://HOST:PORT")
    for name in PROTOCOLS:
        if environment.get(name, "").strip() not in ("", PROTOCOL):
            raise _refused(environment, name, f"{PROTOCOL}, which collectors take at port 4318")


def _ratio(environment: Mapping[str, str]) -> float:
    name = "OTEL_TRACES_SAMPLER_ARG"
    written = environment.get(name, "").strip().lower()
    if not written:
        return 1.0
    if not RATIO.fullmatch(written) or not 0 <= float(written) <= 1:
        raise _refused(environment, name, "a number from 0 to 1")
    return float(written)


def _refused(environment: Mapping[str, str], name: str, takes: str, why: str = "") -> SettingsError:
    detail = f": {why}" if why else ""
    return SettingsError(f"{name}: {environment[name]!r} can't be used{detail}; it takes {takes}")
