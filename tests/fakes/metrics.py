"""A State of which each family of /metrics has a sample."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

from msgspec.structs import replace

from haystack.dns.forward.figures import CacheFigures, Figures, NameserverFigures
from haystack.dns.forward.nameservers import Nameserver
from haystack.dns.messages import DnsCounts
from haystack.dns.peers import Standing
from haystack.model.services import Cause, Service
from haystack.proxy.counters import Counts, Place
from haystack.proxy.traffic import Now
from haystack.tls import certificates
from haystack.tls.store import Certificates, Entry
from haystack.views.state import State
from tests.fakes.pki import self_signed
from tests.fakes.state import ENDPOINT, NAME, picture, state

TALLY = ((0, 0, 1, 0, 0, 0), 1, 1, 1, 1_000_000, (20, 1))


def all_figures() -> State:
    """With traffic, an endpoint that is out, one in by panic, an ejection, and a nameserver that fails."""
    seen = picture()
    out = replace(ENDPOINT, id="b:80/tcp", ready=False, cause=Cause.EJECTED)
    panicked = replace(ENDPOINT, id="c:80/tcp", cause=Cause.UNWELL)
    seen.services = {NAME: Service(name=NAME, endpoints=(ENDPOINT, out, panicked))}
    server = NameserverFigures(Nameserver("10.0.0.2"), 1, {"timeout": 1}, 1, 0.1, None)
    figures = Figures((server,), CacheFigures(0, 0, 0, 0, 0, 0), 0, 0, 0)
    responder = SimpleNamespace(figures=lambda: figures)
    one = certificates.read(*self_signed("x", names=("x.example",)))
    kept = SimpleNamespace(picture=Certificates(entries={("acme", "x"): Entry("acme", "x", one)}))
    made = dataclasses.replace(state(snapshot=seen), responder=responder, ejections={(NAME, "silent"): 1}, certificates=kept)
    made = dataclasses.replace(made, peers=lambda: [Standing(name="10.0.0.2")])
    proxy = made.proxy
    proxy.errors = {("x", 404): 1}
    proxy.dns_counts = DnsCounts((("A", 0, "zone", 1),))
    proxy.requests = {("x", 80): Counts({Place("a:80/tcp", "b", 80): 1})}
    proxy.traffic.put(NAME, ENDPOINT.id, TALLY, 0.0)
    proxy.traffic.put_service((NAME, None, (2, 1), 0, 0, 0, 0), 0.0)
    proxy.traffic.gauges.loads[ENDPOINT.id] = Now(1, 1)
    return made
