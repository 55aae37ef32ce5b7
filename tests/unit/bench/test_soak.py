import asyncio
from collections import Counter

import pytest

from bench.soak import wire
from bench.soak.bodies import LENGTH, Check, Order, WrongBodyError, piece, pieces
from bench.soak.origin import answer
from bench.soak.watch import PIPE_ENDS, complaint, extra

SIZE = 200_001


@pytest.mark.parametrize("step", [1000, 1003, 64 * 1024])
def test_a_body_is_the_same_in_whatever_pieces(step):
    assert b"".join(pieces(7, SIZE, step)) == b"".join(pieces(7, SIZE))


def test_a_body_goes_on_past_the_end_of_the_block():
    assert piece(0, LENGTH - 2, 4) == piece(0, LENGTH - 2, 2) + piece(0, 0, 2)


def test_the_right_body_passes():
    check = Check(7)
    for part in pieces(7, SIZE, 999):
        check.feed(part)
    check.end(SIZE)


def swapped(body):
    return body[:100] + body[200:300] + body[100:200] + body[300:]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body[:500] + bytes([body[500] ^ 1]) + body[501:],
        lambda body: body[:500] + body[501:],
        lambda body: body[:500] + body[400:500] + body[500:],
        lambda body: body[:-1],
        lambda body: body + b"x",
        lambda _: b"".join(pieces(8, SIZE)),
        swapped,
    ],
    ids=["bit", "missing", "doubled", "short", "long", "another's", "swapped"],
)
def test_a_wrong_body_is_told(spoil):
    with pytest.raises(WrongBodyError):
        compared(spoil(b"".join(pieces(7, SIZE))))


def compared(body):
    check = Check(7)
    check.feed(body)
    check.end(SIZE)


def test_an_order_survives_its_target():
    order = Order(12, 34, 56, "ct")
    assert Order.read(order.target) == order


@pytest.mark.parametrize("manner", ["", "c", "ct", "x"])
async def test_what_the_origin_sends_is_what_the_client_expects(manner):
    order = Order(12, down=70_000, manner=manner)
    reader = asyncio.StreamReader(limit=wire.ROOM)
    reader.feed_data(b"".join(answer(order, b"GET")))
    reader.feed_eof()
    line, fields = await wire.head(reader)
    check = Check(order.answer_seed)
    await wire.body(reader, fields, check)
    check.end(order.down)
    assert line == b"HTTP/1.1 200 OK"
    assert await reader.read() == b""


def test_memory_that_goes_up_and_down_has_not_grown():
    assert not complaint("worker", [30_000 + 400 * (n % 2) for n in range(100)])


def test_memory_that_grows_by_two_percent_is_told():
    assert "grew from 30" in complaint("worker", [30_000 + 10 * n for n in range(100)])


def test_memory_before_the_second_tenth_does_not_count():
    assert not complaint("worker", [20_000] * 10 + [30_000] * 90)


def test_too_few_samples_are_no_proof():
    assert "samples" in complaint("worker", [1.0] * 19)


def test_a_socket_more_than_before_is_told():
    assert extra(Counter(socket=5), Counter(socket=6)) == "1 more of socket than before the work"


def test_fewer_descriptors_and_the_pipes_that_are_kept_are_no_fault():
    assert not extra(Counter(socket=5, anon_inode=2), Counter(socket=4, anon_inode=2, pipe=PIPE_ENDS))
    assert extra(Counter(), Counter(pipe=PIPE_ENDS + 1))
