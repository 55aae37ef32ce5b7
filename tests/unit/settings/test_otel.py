"""OpenTelemetry's variables: whether spans are recorded, and of which requests."""

from __future__ import annotations

import pytest

from haystack.model.reports import Sampling
from haystack.settings import otel
from haystack.settings.settings import SettingsError

ON = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"OTEL_SERVICE_NAME": "x"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        ON | {"OTEL_SDK_DISABLED": "True"},
        ON | {"OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_spans_are_off(given: dict[str, str]) -> None:
    assert otel.sampling(given) is None


@pytest.mark.parametrize(
    ("given", "ratio", "heeds_caller"),
    [
        (ON, 1.0, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector/x"}, 1.0, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, 1.0, True),
        (ON | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_SDK_DISABLED": "false"}, 1.0, True),
        (ON | {"OTEL_TRACES_SAMPLER": "always_on"}, 1.0, False),
        (ON | {"OTEL_TRACES_SAMPLER": "ALWAYS_OFF"}, 0.0, False),
        (ON | {"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, 0.0, True),
        (ON | {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}, 0.01, False),
        (ON | {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1e-3"}, 0.001, True),
        (ON | {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}, 1.0, True),
        (ON | {"OTEL_TRACES_SAMPLER_ARG": "nonsense, which always_on does not read"}, 1.0, True),
    ],
)
def test_spans_are_on(given: dict[str, str], ratio: float, heeds_caller: bool) -> None:
    assert otel.sampling(given) == Sampling(ratio, heeds_caller)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "http://HOST:PORT"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "http/protobuf"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"),
        ("OTEL_TRACES_SAMPLER", "traceidratoi", "did you mean traceidratio?"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "parentbased_always_on"),
        *(("OTEL_TRACES_SAMPLER_ARG", text, "from 0 to 1") for text in ("1.1", "-0", "nan", "1%", "inf", "1e9")),
    ],
)
def test_a_value_that_can_not_be_used_is_one_line(name: str, text: str, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        otel.sampling(ON | {"OTEL_TRACES_SAMPLER": "traceidratio"} | {name: text})
    assert str(error.value).startswith(f"{name}: {text!r} can't be used")
    assert told in str(error.value)
    assert "\n" not in str(error.value)
