"""Which sources of containers a Haystack has: the demo, a static file, or one provider for each engine.

Never runs one: app.py does. The imports are where they are used, so that a run with a static file never loads `docker`.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

from haystack.discovery.provider import Provider
from haystack.settings import Settings


async def providers(settings: Settings, stack: AsyncExitStack, *, demo: bool) -> list[Provider]:
    """The providers; what must be closed after them goes onto the stack."""
    if demo:
        return [await demo_provider(stack)]
    if settings.static is not None:
        from haystack.discovery.static import StaticProvider  # noqa: PLC0415 - see above

        return [StaticProvider(settings.static)]
    from haystack.discovery.docker import DockerProvider  # noqa: PLC0415 - see above
    from haystack.discovery.tls import TlsOptions  # noqa: PLC0415 - see above

    return [DockerProvider(host, TlsOptions.of(settings)) for host in settings.docker_host]


async def demo_provider(stack: AsyncExitStack) -> Provider:
    """The five demo instances."""
    from haystack.discovery.demo import DemoProvider  # noqa: PLC0415 - see above

    del stack
    return DemoProvider()
