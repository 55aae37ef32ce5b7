"""Connections of `requests` within TLS, verified by certificate_rules.py. Imported where `requests` is there already."""

from __future__ import annotations

from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context

from haystack.net.certificate_rules import usual


class HttpsAdapter(HTTPAdapter):
    """For `mount`."""

    def init_poolmanager(self, *sizes: Any, **more: Any) -> None:
        """With a context of its own, into which urllib3 loads the CA and the client's certificate."""
        super().init_poolmanager(*sizes, **more, ssl_context=usual(create_urllib3_context()))
