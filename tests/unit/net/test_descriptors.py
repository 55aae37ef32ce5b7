"""Rooms and shares add up to less than the limit, however small it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack.net import descriptors
from haystack.net.descriptors import BASE, ENGINE, LEAST, RESERVE, WORKER


@given(limit=st.integers(400, 2_000_000), workers=st.integers(1, 8), engines=st.integers(1, 3))
def test_rooms_of_the_control_process_leave_a_reserve(limit: int, workers: int, engines: int) -> None:
    rooms = descriptors.control(limit, workers, engines)
    fixed = BASE + ENGINE * engines + WORKER * (workers + 1)
    assert sum(rooms) + fixed + RESERVE <= limit + LEAST * len(rooms)
    assert min(rooms) >= LEAST


@given(limit=st.integers(160, 2_000_000), sockets=st.integers(1, 16), clients=st.integers(0, 100_000))
def test_a_worker_has_a_connection_to_an_endpoint_for_each_client(limit: int, sockets: int, clients: int) -> None:
    shares = descriptors.worker(limit, sockets, clients)
    own = descriptors.OWN + descriptors.LISTENER * sockets
    assert shares.clients + shares.endpoints + 2 * shares.pipes + own <= limit
    assert shares.endpoints >= shares.clients >= 1
    assert shares.clients <= (clients or limit)


@pytest.mark.parametrize(("limit", "clients"), [(20_000, 5000), (1_048_576, 50_000)])
def test_where_there_is_enough_as_many_clients_come_in_as_are_wanted(limit: int, clients: int) -> None:
    assert descriptors.worker(limit, 4, clients).clients == clients
    assert descriptors.worker(limit, 4, clients).pipes == descriptors.PIPES
