"""Clients and endpoints that mean harm, or act as if: what they send costs them their own exchange only (RFC 9112, section 11)."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from tests.fakes.worker import Site, halt, resident

BAD = b"GET / HTTP/1.1\r\nbad field\r\n\r\n"


def test_a_bad_request_after_a_good_one_is_answered_too(site: Site) -> None:
    """RFC 9112, section 3: 400, on a connection that has had an answer as on a new one."""
    name, _ = site.one()
    with site.client() as client:
        assert client.get(name).status == 200
        assert client.send(BAD).response().status == 400


@pytest.mark.parametrize("size", [65527, 65528, 65535, 65536, 70000])
def test_a_head_of_just_too_many_bytes_behind_a_body_is_refused(site: Site, size: int) -> None:
    """RFC 9112, section 3: what comes behind a body in one piece is bounded like any other head."""
    name, _ = site.one()
    with site.client() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: {name}\r\nContent-Length: 2\r\n\r\nx".encode())
        client.send(b"y" + b"\r\n" * 4 + b"A" * size)
        assert client.response().status == 200
        client.send(b"B" * 65536)
        assert client.response().status in (414, 431)
    with site.client() as client:
        assert client.get(name).status == 200


def test_a_client_that_reads_no_answers_is_not_read_either(site: Site) -> None:
    """Design: a side that can't send stops the other from being read, for answers of Haystack's own too."""
    worker = site.haystack.workers()[0]
    before = resident(worker)
    with socket.create_connection(("127.0.0.1", site.haystack.port)) as rude:
        rude.setblocking(False)
        sent = 0
        request = b"GET / HTTP/1.1\r\nHost: x.y\r\n\r\n" * 2000
        while sent < 40_000_000:
            try:
                sent += rude.send(request)
            except BlockingIOError:
                break
        with site.client() as client:
            assert client.get("x.y").status == 404
        assert resident(worker) - before < 20_000_000


def test_bytes_on_a_pooled_connection_are_nobodys_answer(site: Site) -> None:
    """RFC 9112, section 9.2: a response without a request belongs to no client, even where both are seen at once."""
    name, origin = site.one()
    worker = site.haystack.workers()[0]
    with site.client() as first, site.client() as second:
        assert [first.get(name).status, second.get("x.y").status] == [200, 404]
        halt(worker)
        try:
            second.send(f"GET /mine HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            origin.shout(b"HTTP/1.1 299 Poison\r\nContent-Length: 6\r\n\r\npoison")
        finally:
            os.kill(worker, signal.SIGCONT)
        assert second.response().status == 200
