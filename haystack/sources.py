"""Which sources of containers a Haystack has: the demo, a static file, or one provider for each engine.

Never runs one: app.py does. The imports are where they are used, so that a run with a static file never loads `docker`.
"""

from __future__ import annotations

from haystack.discovery.provider import Provider
from haystack.settings import Settings


def providers(settings: Settings, *, demo: bool) -> list[Provider]:
    """The providers, in order of precedence."""
    if demo:
        from haystack.discovery.demo import DemoProvider  # noqa: PLC0415 - see above

        return [DemoProvider()]
    if settings.static is not None:
        from haystack.discovery.static import StaticProvider  # noqa: PLC0415 - see above

        return [StaticProvider(settings.static)]
    from haystack.discovery.docker import DockerProvider  # noqa: PLC0415 - see above
    from haystack.discovery.tls import TlsOptions  # noqa: PLC0415 - see above

    return [DockerProvider(host, TlsOptions.of(settings)) for host in settings.docker_host]
