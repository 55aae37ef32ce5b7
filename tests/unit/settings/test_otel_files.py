"""Headers of a collector, which hold its password, may be in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from haystack.settings import otel
from haystack.settings.settings import SettingsError


@pytest.mark.parametrize("name", otel.HEADERS)
@pytest.mark.parametrize("text", ["authorization=Bearer x,a=b\n", "authorization=Bearer x\na=b", " authorization=Bearer x,a=b\r\n"])
def test_headers_are_read_of_a_file(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "headers").write_text(text)
    environment = {f"{name}_FILE": str(tmp_path / "headers")}
    otel.take_files(environment)
    assert environment[name].replace("\r", "") == "authorization=Bearer x,a=b"


def test_without_a_file_nothing_changes() -> None:
    environment = {"OTEL_EXPORTER_OTLP_HEADERS": "a=b", "OTEL_EXPORTER_OTLP_HEADERS_FILE": ""}
    otel.take_files(environment)
    assert environment["OTEL_EXPORTER_OTLP_HEADERS"] == "a=b"


def test_a_file_that_can_not_be_read_and_both_of_them_stop_the_start(tmp_path: Path) -> None:
    name = otel.HEADERS[0]
    with pytest.raises(SettingsError, match=r"HEADERS_FILE: '.*none' can't be used: No such file or directory; it takes the file"):
        otel.take_files({f"{name}_FILE": str(tmp_path / "none")})
    with pytest.raises(SettingsError, match="it is a folder"):
        otel.take_files({f"{name}_FILE": str(tmp_path)})
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="it is not text in UTF-8"):
        otel.take_files({f"{name}_FILE": str(tmp_path / "binary")})
    with pytest.raises(SettingsError, match="are both set"):
        otel.take_files({f"{name}_FILE": "x", name: "secret=s3cret"})


@pytest.mark.parametrize("name", otel.FILES)
def test_certificates_are_files_only_where_spans_are_recorded(name: str) -> None:
    assert list(otel.files({name: "/x.pem"})) == []
    assert list(otel.files({name: "/x.pem", otel.ENDPOINTS[1]: "https://c:4318"})) == [(name, Path("/x.pem"))]
