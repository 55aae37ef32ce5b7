"""Whether engines answer, for `haystack check` and `haystack auto`: one request each, before anything is started.

Imports the docker package, which a start without engines does without: so commands.py imports this module only where it asks.
"""

from __future__ import annotations

from haystack.discovery.docker import advice, client, engine_connection
from haystack.discovery.docker.tls import TlsError, TlsOptions, TunnelError
from haystack.settings.settings import Settings

PATIENCE = 5.0


def trouble(settings: Settings, host: str) -> str | None:
    """Why the engine does not answer, one line; None when it does."""
    options = TlsOptions.of(settings)
    try:
        with engine_connection.opened(host, options) as open_way:
            open_way.connect(PATIENCE).close()
    except (TlsError, TunnelError) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever the way to an engine is blocked by, the answer is its one line
        return "; ".join(filter(None, (client.explain(error), advice.hint(host, error))))
    return None


def answers(settings: Settings) -> bool:
    """Whether any engine answers now."""
    return any(trouble(settings, host) is None for host in settings.docker_host)
