"""What a worker counts of each exchange, for its service and for its endpoint, and what it tells of those that go on."""

from __future__ import annotations

import pytest

from haystack.proxy import worker_counts
from haystack.proxy.traffic import CLASSES, METHODS
from tests.fuzz.ends import End
from tests.fuzz.rig import ANSWER, Rig
from tests.fuzz.service import Manner

ONE, BOTH = 0b1, 0b11


def ask(rig: Rig, data: bytes = b"GET / HTTP/1.1\r\nHost: 1\r\n\r\n") -> End:
    client = rig.connect()
    client.send(data)
    rig.settle()
    return client


def answer(rig: Rig, data: bytes = ANSWER) -> None:
    end = next(end for end in reversed(rig.endpoints) if end.there)
    end.send(data)
    rig.settle()


def cells(row) -> dict[tuple[str, str], int]:
    found = row[2]
    return {(METHODS[at // len(CLASSES)], CLASSES[at % len(CLASSES)]): n for at, n in zip(found[::2], found[1::2], strict=True)}


def test_an_exchange_counts_for_its_service_and_for_its_endpoint(rig: Rig) -> None:
    rig.service.change(ONE, Manner(0))
    ask(rig, b"POST / HTTP/1.1\r\nHost: 1\r\nContent-Length: 3\r\n\r\nabc")
    answer(rig)
    ((member, requests, tally),) = rig.worker.traffic.take_members()
    classes, received, sent, retries, ns, slots = tally
    assert (member, requests) == (rig.service.members[0], 1)
    assert (classes, received, sent, retries) == ((0, 0, 1, 0, 0, 0), 3, 2, 0)
    assert ns > 0
    assert slots[1::2] == (1,)
    ((name, alone, *_),) = rows = rig.worker.traffic.take_services()
    assert (name, alone, cells(rows[0])) == ("fuzz", None, {("POST", "2xx"): 1})


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ("other", "CONNECT", "HEAD", "TRACE")] + ["PROPFIND", "get"])
def test_methods_are_counted_by_their_names_and_unknown_ones_together(rig: Rig, method: str) -> None:
    rig.service.change(ONE, Manner(0))
    ask(rig, b"%s / HTTP/1.1\r\nHost: 1\r\nContent-Length: 0\r\n\r\n" % method.encode())
    answer(rig)
    (row,) = rig.worker.traffic.take_services()
    assert cells(row) == {(method if method in METHODS else "other", "2xx"): 1}


def test_what_was_told_is_not_told_again(rig: Rig) -> None:
    rig.service.change(ONE, Manner(0))
    ask(rig)
    answer(rig)
    rig.worker.traffic.take_members()
    rig.worker.traffic.take_services()
    assert rig.worker.traffic.take_members() == []
    assert rig.worker.traffic.take_services() == []


def test_a_request_that_no_endpoint_had_counts_for_the_service_alone(rig: Rig) -> None:
    rig.service.change(0, Manner.HASTY)
    ask(rig)
    (row,) = rig.worker.traffic.take_services()
    assert (row[1][0], cells(row)) == ((0, 0, 0, 0, 0, 1), {("GET", "5xx"): 1})
    assert rig.worker.traffic.take_members() == []


def test_a_client_that_leaves_before_its_answer_got_none(rig: Rig) -> None:
    rig.service.change(ONE, Manner(0))
    client = ask(rig)
    rig.drop(client)
    rig.settle()
    (row,) = rig.worker.traffic.take_services()
    assert cells(row) == {("GET", "none"): 1}
    ((_, requests, tally),) = rig.worker.traffic.take_members()
    assert (requests, tally[0]) == (0, (1, 0, 0, 0, 0, 0))


def test_a_try_that_came_to_nothing_is_a_retry_of_both(rig: Rig) -> None:
    rig.service.change(BOTH, Manner.RETRYING)
    ask(rig)
    answer(rig, b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    answer(rig)
    (row,) = rig.worker.traffic.take_services()
    assert (row[3], cells(row)) == (1, {("GET", "2xx"): 1})
    rows = rig.worker.traffic.take_members()
    assert sorted((tally[3], sum(tally[0])) for _, _, tally in rows) == [(0, 1), (1, 0)]


def test_who_waits_is_told_of_and_for_how_long_it_did(rig: Rig) -> None:
    rig.service.change(ONE, Manner.LIMITED)
    ask(rig)
    ask(rig)
    (row,) = rig.worker.traffic.take_services()
    assert row[6] == 1, "one more waits"
    answer(rig)
    (row,) = rig.worker.traffic.take_services()
    assert (row[4], row[6]) == (0, -1)
    answer(rig)
    (row,) = rig.worker.traffic.take_services()
    assert (row[4], row[6]) == (1, 0)
    assert 0 <= row[5] < 60_000


def test_exchanges_in_flight_and_pooled_connections_are_told_as_they_change(rig: Rig) -> None:
    rig.service.change(ONE, Manner(0))
    ask(rig)
    name = rig.service.endpoints[0].key
    assert rig.worker.traffic.take_loads() == [(name, 1, 0)]
    assert rig.worker.traffic.take_loads() == []
    answer(rig)
    assert rig.worker.traffic.take_loads() == [(name, -1, 1)]
    rig.service.change(0, Manner.HASTY)  # which closes what is pooled
    rig.settle()
    assert rig.worker.traffic.take_loads() == [(name, 0, -1)]
    assert rig.worker.traffic.take_loads() == []


def test_a_tunnel_counts_at_its_end_and_its_time_is_no_duration(rig: Rig) -> None:
    rig.service.change(ONE, Manner(0))
    client = ask(rig, b"GET / HTTP/1.1\r\nHost: 1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    answer(rig, b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    client.send(b"hello")
    rig.settle()
    ((_, requests, tally),) = rig.worker.traffic.take_members()
    assert (requests, tally) == (1, None)
    rig.drop(client)
    rig.endpoints[0].half_close()
    rig.settle()
    ((_, _, tally),) = rig.worker.traffic.take_members()
    assert (tally[0], tally[1], tally[4:]) == ((0, 1, 0, 0, 0, 0), 5, (0, ()))


def test_many_are_told_of_a_part_at_a_time(rig: Rig, monkeypatch) -> None:
    monkeypatch.setattr(worker_counts, "MOST", 1)
    report = worker_counts.Report(rig.worker, list)
    for _ in range(8):  # of two endpoints, each gets some
        ask(rig)
    for end in rig.endpoints:
        end.send(ANSWER)
    rig.settle()
    monkeypatch.setattr(worker_counts, "inet", lambda endpoint: (str(endpoint.address), 0))
    told = [(part.members, part.ended, report.behind) for _ in range(3) for part in report.parts(0)]
    assert [(len(members), len(ended), behind) for members, ended, behind in told] == [(1, 1, True), (1, 1, True)]
    assert not report.behind


def test_who_asks_is_told_of_all(rig: Rig, monkeypatch) -> None:
    monkeypatch.setattr(worker_counts, "MOST", 1)
    monkeypatch.setattr(worker_counts, "inet", lambda endpoint: (str(endpoint.address), 0))
    report = worker_counts.Report(rig.worker, list)
    for _ in range(8):
        ask(rig)
    for end in rig.endpoints:
        end.send(ANSWER)
    rig.settle()
    (part,) = report.parts(7)
    assert (part.number, len(part.members), len(part.ended)) == (7, 2, 2)
