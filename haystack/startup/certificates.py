"""Who gets certificates, as the settings have it: an authority by ACME, and one of Haystack's own. Put together here, for app.py.

Nothing of it is loaded that this start does not use.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from haystack.catalog.registry import Reader, Registry
from haystack.discovery import own_place
from haystack.dns import challenges
from haystack.dns.challenges import Challenges
from haystack.dns.outside import Outside
from haystack.dns.service import DnsService
from haystack.model.records import Problem
from haystack.proxy.supervisor import Supervisor
from haystack.settings import authorities
from haystack.settings.settings import Settings
from haystack.tls import redirects, sources
from haystack.tls.redirects import Redirects
from haystack.tls.store import Store

if TYPE_CHECKING:
    from haystack.tls.acme.start import Acme
    from haystack.tls.local_ca import LocalCa
    from haystack.tls.local_names import LocalNames

COMPLAINTS, OF_REDIRECTS = "certificates", "redirects"  # sources of problems


class Certifying:
    """ca: the certificate of Haystack's own authority, PEM, empty without one.

    answers: to authorities, None: none asks; instance: what tells this Haystack from others.
    """

    def __init__(self, settings: Settings, store: Store, registry: Registry, proxy: Supervisor, dns: DnsService, instance: str) -> None:
        self._settings = settings
        self._registry, self._proxy, self._dns = registry, proxy, dns
        self._store = store
        self._acme = self._with_acme(instance) if settings.acme != authorities.OFF else None
        self._ca = self._with_ca() if settings.tls_local else None
        self._local: LocalNames | None = None
        self._redirects = Redirects(
            store,
            registry.take_service_problems,
            usual=settings.https,
            sealed=sources.wanted(settings),
            grace=redirects.ORDERED if self._acme is not None else redirects.AT_ONCE,
        )

    @property
    def ca(self) -> bytes:
        """As above."""
        return self._ca.pem if self._ca is not None else b""

    @property
    def answers(self) -> Callable[[str, str], str | None] | None:
        """As above."""
        return self._acme.http.answer if self._acme is not None else None

    def readers(self) -> Iterator[Reader]:
        """Who follows snapshots."""
        yield self._redirects.follow
        if self._acme is not None:
            yield self._acme.issuer.follow
        if self._ca is not None:
            from haystack.tls.local_names import LocalNames  # noqa: PLC0415 - as above

            self._local = LocalNames(self._ca, self._store, self._settings.origin)
            yield self._local.follow

    async def start(self) -> None:
        """Have what is kept in the state folder served, before anybody is."""
        if self._acme is not None:
            await self._acme.issuer.load()

    def work(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What goes on as long as Haystack does, once it serves."""
        if why := sources.why_no_redirect(self._settings):
            problem = Problem(subject="HAYSTACK_HTTPS", message=f"'redirect' has no effect: {why}")
            self._registry.take_problems((problem,), OF_REDIRECTS)
        yield self._redirects.run()
        if self._acme is not None:
            yield self._acme.issuer.run()
            yield self._acme.share()
        if self._local is not None:
            yield self._local.run()

    def _with_acme(self, instance: str) -> Acme:
        from haystack.tls.acme.start import Acme, House  # noqa: PLC0415 - as above

        registry = self._registry
        house = House(
            store=self._store,
            challenges=Challenges(partial(registry.take_records, source=challenges.SOURCE)),
            records=lambda: registry.snapshot.records,
            prove=self._proxy.prove,
            heard=self._proxy.refresh,
            world=Outside(self._dns),
            addresses=own_place.addresses,
            complain=partial(registry.take_problems, source=COMPLAINTS),
            name=instance,
        )
        return Acme(self._settings, house)

    def _with_ca(self) -> LocalCa:
        from haystack.tls import local_ca  # noqa: PLC0415 - as above

        return local_ca.load(self._settings.state_dir, self._settings.origin)
