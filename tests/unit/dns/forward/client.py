"""A client of a forwarder: a question in, a message of dnspython's out."""

import asyncio

import dns.message

from haystack.dns import wire
from haystack.dns.forward.forwarder import Forwarder
from haystack.dns.forward.routes import Routes
from haystack.dns.forward.times import TIMES
from tests.oracles.dns_answer import render
from tests.unit.dns.nameserver import FakeNameserver

# More than a second for an answer, for a busy machine; short enough for a test.
FAST = TIMES.scaled(1 / 4)
CLIENT = "10.9.9.9"


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def forwarding(*upstreams, **more):
    """A forwarder that asks these FakeNameservers, or Nameservers, in order."""
    return Forwarder(Routes(addresses(*upstreams)), **more)


def addresses(*upstreams):
    return tuple(each.address if isinstance(each, FakeNameserver) else each for each in upstreams)


def parsed(name="example.com", rdtype="A", **more):
    return wire.parse(dns.message.make_query(name, rdtype, **more).to_wire())


async def resolved(forwarder, name="example.com", rdtype="A", *, client=CLIENT, hot=False, **more):
    return await forwarder.resolve(parsed(name, rdtype, **more), client, hot=hot)


async def resolve(forwarder, name="example.com", rdtype="A", *, tcp=False, client=CLIENT, **more):
    query = dns.message.make_query(name, rdtype, **more)
    taken = wire.parse(query.to_wire())
    found = await forwarder.resolve(taken, client)
    message = dns.message.from_wire(render(found.packed, taken, tcp, options=found.options))
    assert query.is_response(message)
    return message


async def until(condition):
    """Let everybody else have a turn until this is so."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)
