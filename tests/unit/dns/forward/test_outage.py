"""The log says once when no nameserver of a group answers, and once when one does again."""

from structlog.testing import capture_logs

from haystack.dns.forward.nameservers import Nameserver
from haystack.dns.forward.outage import Outages
from haystack.dns.forward.standing import Failure, Standing

FIRST, SECOND = Standing(Nameserver("10.0.0.1")), Standing(Nameserver("10.0.0.2", 5353))


def told(outages, *standings):
    with capture_logs() as logs:
        outages.look(standings)
    return [(line["event"], line["nameservers"]) for line in logs]


def test_when_all_are_silent_and_when_one_is_back():
    outages = Outages()
    assert told(outages, FIRST, SECOND) == []
    FIRST.failed(Failure.UNREACHABLE, 1.0)
    assert told(outages, FIRST, SECOND) == []
    SECOND.silent(0.5, 2, 1.0)
    assert told(outages, FIRST, SECOND) == [("nameservers.silent", ["10.0.0.1:53", "10.0.0.2:5353"])]
    assert told(outages, FIRST, SECOND) == []
    assert told(outages, FIRST) == [("nameservers.silent", ["10.0.0.1:53"])]  # those of another domain
    SECOND.heard(2.0, None)
    assert told(outages, FIRST, SECOND) == [("nameservers.back", ["10.0.0.2:5353"])]
    assert told(outages, FIRST, SECOND) == []


def test_without_a_nameserver_there_is_nobody_to_be_silent():
    assert told(Outages()) == []
