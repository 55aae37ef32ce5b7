"""How connections and streams of HTTP/2 end: endpoints that die, retries, drains in two steps, time-outs, other protocols."""

from __future__ import annotations

import socket
import subprocess
import threading
import time

import pytest
from hyperframe.frame import DataFrame, GoAwayFrame, PingFrame

from tests.fakes.client import Client
from tests.fakes.h2c import WEB, house
from tests.fakes.http2 import PREFACE, Http2Client, Rude
from tests.fakes.origin import Origin, held, never, reset, respond, respond_and_close
from tests.fakes.worker import Haystack, Member, host, until

NO_ERROR, INTERNAL_ERROR = 0, 2


@pytest.fixture(scope="module")
def web(fakes):
    with house(fakes, respond(), respond(), HAYSTACK_IDLE_TIMEOUT="30s") as made:
        yield made


@pytest.fixture(autouse=True)
def plain_answer(web):
    web.origin.script = respond()
    web.origin.requests.clear()


# Endpoints.


def test_an_endpoint_that_dies_within_its_response_resets_its_stream_alone(web):
    gate = threading.Event()
    web.origins[1].script = held(gate)

    async def script(call):
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nsome of it")
        await call.reader.read(1)

    web.origin.script = script
    with web.client() as client:
        other, number = client.begin(host("web1")), client.begin(WEB)
        client.hear(lambda: client.answers[number].body)
        web.origin.cut()
        answer = client.answer(number)
        assert (answer.status, bytes(answer.body), answer.reset) == (200, b"some of it", INTERNAL_ERROR)
        gate.set()
        assert client.answer(other).status == 200
        assert not client.goaways
    web.origins[1].script = respond()


def test_one_that_breaks_off_in_its_chunks_does_so_too(web):
    web.origin.script = respond_and_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nwo")
    with web.client() as client:
        assert client.get(WEB).reset == INTERNAL_ERROR
        assert client.get(host("web1")).status == 200


def test_one_that_never_answers_is_a_504_and_one_that_breaks_off_a_502(fakes):
    with house(fakes, never(), reset(), HAYSTACK_TIMEOUT="1s", HAYSTACK_WAIT="0s") as web, web.client() as client:
        slow, broken = client.begin(WEB), client.begin(host("web1"), method="POST")
        assert client.answer(broken).status == 502
        assert client.answer(slow).status == 504
        assert client.answers[slow].get("proxy-status").startswith("haystack; error=http_response_timeout")


def test_a_request_goes_to_another_endpoint_where_one_breaks_off(fakes):
    origins = [Origin(fakes, respond()).start() for _ in range(2)]
    with Haystack([Member("web", origin.port) for origin in origins], HAYSTACK_H2C="on") as haystack, Http2Client(haystack.port) as client:
        origins[0].script = reset()
        numbers = [client.begin(WEB) for _ in range(20)]
        assert [client.answer(number).status for number in numbers] == [200] * 20
        origins[0].stop()
        numbers = [client.begin(WEB) for _ in range(20)]
        assert [client.answer(number).status for number in numbers] == [200] * 20
    origins[1].stop()


# The end of Haystack.


def test_a_drain_is_told_in_two_steps_and_what_is_under_way_is_answered(fakes):
    gate = threading.Event()
    with house(fakes, held(gate)) as web, web.rude() as client:
        client.send(client.head(WEB))
        until(lambda: web.origin.requests, 9, "it never came")
        web.haystack.terminate()
        assert client.hear(lambda: client.of(GoAwayFrame) and [f for f in client.of(PingFrame) if "ACK" not in f.flags])
        first = client.of(GoAwayFrame)[0]
        assert (first.last_stream_id, first.error_code) == (2**31 - 1, NO_ERROR)
        client.send(client.head(WEB))  # was on its way
        ping = next(f for f in client.of(PingFrame) if "ACK" not in f.flags)
        client.send(PingFrame(0, ping.opaque_data, flags=["ACK"]))
        assert client.hear(lambda: len(client.of(GoAwayFrame)) == 2)
        assert (client.of(GoAwayFrame)[1].last_stream_id, client.of(GoAwayFrame)[1].error_code) == (3, NO_ERROR)
        gate.set()
        assert (client.status(1), client.status(3)) == (200, 200)
        assert client.ended() == NO_ERROR


def test_a_client_that_does_not_answer_the_ping_is_told_all_the_same(fakes):
    gate = threading.Event()
    with house(fakes, held(gate)) as web, web.rude() as client:
        client.send(client.head(WEB))
        until(lambda: web.origin.requests, 9, "it never came")
        web.haystack.terminate()
        assert client.hear(lambda: len(client.of(GoAwayFrame)) == 2)
        gate.set()
        assert client.status(1) == 200
        assert client.ended() == NO_ERROR


def test_who_is_idle_at_the_end_hears_goaway(fakes):
    with house(fakes) as web, web.rude() as client:
        client.send(client.head(WEB))
        assert client.status(1) == 200
        web.haystack.terminate()
        assert client.ended() == NO_ERROR


def test_a_drain_does_not_wait_for_ends_that_never_come(fakes):
    """The body has come by its length and is answered: its stream's end may be on the way, or never be."""
    with house(fakes) as web, web.client(timeout=20) as client:
        number = client.begin(WEB, method="POST", end=False, fields=[("content-length", "200000")])
        client.upload(number, b"u" * 200_000)
        client.hear(lambda: client.answers[number].ended)
        assert (client.answers[number].status, client.answers[number].reset) == (200, None)
        web.haystack.terminate()
        client.hear(lambda: client.answers[number].reset is not None, 9)
        assert client.answers[number].reset == NO_ERROR
        assert {goaway.error_code for goaway in client.goaways} == {NO_ERROR}
        web.haystack.ended(9)
        web.haystack.stop = lambda: None


class Load(threading.Thread):
    """Asks again and again, several at once; heeds GOAWAY and then makes a new connection. wrong: what was not answered well."""

    def __init__(self, port: int, streams: int = 4) -> None:
        super().__init__(daemon=True)
        self.port, self.streams = port, streams
        self.over = threading.Event()
        self.wrong: list[str] = []
        self.right = self.connections = 0

    def run(self) -> None:
        while not self.over.is_set():
            self.connections += 1
            try:
                with Http2Client(self.port) as client:
                    self.use(client)
            except ConnectionRefusedError:
                self.wrong.append("refused")
            except (OSError, TimeoutError) as error:
                self.wrong.append(repr(error))

    def use(self, client: Http2Client) -> None:
        open_: set[int] = set()
        while True:
            leaving = bool(client.goaways) or self.over.is_set()
            while not leaving and len(open_) < self.streams:
                open_.add(client.begin(WEB, fields=[("content-length", "0")]))
            if leaving:
                last = min((goaway.last_stream_id for goaway in client.goaways), default=2**31)
                open_ = {number for number in open_ if number <= last}  # others may be sent again elsewhere
            if leaving and not open_:
                return
            self.over.wait(0.01)
            heard = len(client.goaways)
            client.hear(lambda: any(client.answers[n].over for n in open_) or len(client.goaways) > heard)  # noqa: B023
            for number in [n for n in open_ if client.answers[n].over]:
                open_.discard(number)
                answer = client.answers.pop(number)
                if answer.status == 200 and bytes(answer.body) == b"ok":
                    self.right += 1
                elif answer.reset != 7:  # REFUSED_STREAM may be sent again
                    self.wrong.append(f"{answer.status} {answer.reset}")


def test_a_replacement_under_load_fails_no_request(origin):
    members = [Member("web", origin.port)]
    with Haystack(members, HAYSTACK_H2C="on", HAYSTACK_WORKERS="2") as old:
        loads = [Load(old.port) for _ in range(2)]
        for load in loads:
            load.start()
        until(lambda: all(load.right > 50 for load in loads), 20, "it never began")
        with Haystack(members, instead_of=old, HAYSTACK_H2C="on", HAYSTACK_WORKERS="2"):
            old.ended(20)
            before = [load.right for load in loads]
            until(lambda: all(load.right > was + 50 for load, was in zip(loads, before, strict=True)), 20, "it did not go on")
            for load in loads:
                load.over.set()
            for load in loads:
                load.join(15)
    assert [load.wrong for load in loads] == [[]] * 2
    assert all(load.connections > 1 for load in loads)


# Time.


def test_an_idle_connection_is_told_and_closed(fakes):
    with house(fakes, HAYSTACK_IDLE_TIMEOUT="1s") as web, web.rude() as client:
        client.send(client.head(WEB))
        assert client.status(1) == 200
        began = time.monotonic()
        assert client.ended(8) == NO_ERROR
        assert time.monotonic() - began > 0.7
        assert client.of(GoAwayFrame)[-1].last_stream_id == 1


@pytest.mark.parametrize("data", [b"", PREFACE[:16], PREFACE[:20], PREFACE, PREFACE + b"\0\0\0\4\0\0\0\0\0" + b"\0\0\5\1\0\0\0\0\1\x82"])
def test_who_does_not_go_on_has_the_time_of_a_head(fakes, data):
    with house(fakes, HAYSTACK_HEAD_TIMEOUT="1s", HAYSTACK_IDLE_TIMEOUT="1s") as web, web.rude(begin=False) as client:
        client.socket.sendall(data)
        client.socket.settimeout(8)
        while client.socket.recv(65536):
            pass


# What else clients say.


def test_without_the_setting_a_preface_is_an_unknown_version(site):
    with Client(site.port) as client:
        assert client.send(PREFACE).response().status == 505


@pytest.mark.parametrize("data", [PREFACE[:20] + b"XXXX" + b"\0" * 100, PREFACE + b"GET / HTTP/1.1\r\n\r\n", PREFACE + b"\xff" * 100])
def test_who_speaks_no_http2_behind_a_preface_is_sent_away(web, data):
    with web.rude(begin=False) as client:
        client.send(data)
        assert client.hear(lambda: client.over) or client.over
    with web.client() as other:
        assert other.get(WEB).status == 200


def test_a_preface_behind_a_request_of_http1_is_no_preface(web):
    with Client(web.port) as client:
        assert client.get(WEB).status == 200
        assert client.send(PREFACE).response().status == 505


def test_http1_goes_on_at_the_same_port(web):
    with Client(web.port) as client:
        assert [client.get(WEB).status for _ in range(3)] == [200] * 3
        assert web.origin.requests[-1].fields("via")[0].startswith("1.1 ")


@pytest.mark.parametrize("pieces", [1, 3, 24])
def test_a_preface_may_come_in_pieces(web, pieces):
    with Rude(web.port, begin=False) as client:
        data = PREFACE + b"\0\0\0\4\0\0\0\0\0" + client.head(WEB).serialize()
        for at in range(0, len(data), pieces):
            client.send(data[at : at + pieces])
            time.sleep(0.0005)
        assert client.status(1) == 200


def test_a_client_that_goes_in_the_middle_leaves_nothing(web):
    web.origin.script = never()
    before = web.origin.open
    with web.rude() as client:
        for _ in range(20):
            client.send(client.head(WEB, method="POST", end=False))
        client.send(DataFrame(1, b"abc"))
        until(lambda: len(web.origin.requests) == 20, 9, "they never came")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: web.origin.open <= before, 9, "endpoints are at work for nobody")


def test_a_client_that_says_goaway_is_answered_still(web):
    with web.rude() as client:
        client.send(client.head(WEB), GoAwayFrame(0))
        assert client.status(1) == 200
        assert client.body(1) == b"ok"


def test_curl_speaks_it_by_prior_knowledge(web):
    command = ["curl", "-sS", "--http2-prior-knowledge", "-H", f"Host: {WEB}", "-w", "%{http_version}", f"http://127.0.0.1:{web.port}/"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"ok2"
