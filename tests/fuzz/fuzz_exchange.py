"""Fuzz target: a script of what clients, endpoints and the table do, through a whole data plane; judged by what each of them saw.

An endpoint saw requests that our reader, llhttp and h11 read as the same ones, in normal form, each of them one that a client sent, and
none twice that might do harm. A client saw responses that h11 reads, no more than it has asked for, each one an endpoint's or Haystack's
own. Nothing failed, nothing is left, nothing goes on for ever: every exchange ends although nobody does anything more.
"""

from __future__ import annotations

import atexit
from random import Random

from tests.fuzz import mutate, oracles, run, script
from tests.fuzz.ends import End, Places
from tests.fuzz.rig import ANSWER, FLOOD, Rig
from tests.fuzz.script import Deed

PLACES = Places()
atexit.register(PLACES.close)
MOST_AT_ONCE = 8


def one(data: bytes) -> None:
    """Play one script, then look at what everybody saw."""
    rig = Rig(PLACES)
    at_once = 0
    for deed, payload in script.read(data):
        if deed == Deed.AT_ONCE:
            at_once = 1 + (payload[0] if payload else 1) % MOST_AT_ONCE
        play(rig, deed, payload)
        at_once = max(0, at_once - 1)
        if not at_once:
            rig.settle()
    rig.close()
    oracles.judge(rig.clients, rig.endpoints)
    rig.assert_empty()


def play(rig: Rig, deed: Deed, payload: bytes) -> None:
    """Do one deed. What nobody is there to do is not done."""
    endpoint = rig.endpoint()
    match deed:
        case Deed.CLIENT_SENDS:
            rig.client().send(payload)
        case Deed.CLIENT_FLOODS if payload:
            rig.client().send(payload * (FLOOD // len(payload)))
        case Deed.CLIENT_ENDS:
            rig.client().half_close()
        case Deed.CLIENT_GOES:
            rig.drop(rig.client())
        case Deed.CLIENT_COMES:
            rig.connect()
        case Deed.OTHER_CLIENT:
            rig.turn_to_another()
        case Deed.ENDPOINT_SENDS | Deed.ENDPOINT_ANSWERS | Deed.ENDPOINT_FLOODS | Deed.ENDPOINT_ENDS | Deed.ENDPOINT_GOES if endpoint:
            endpoint_does(rig, endpoint, deed, payload)
        case Deed.ENDPOINT_RESETS if endpoint:
            endpoint.reset()
            rig.drop(endpoint)
        case Deed.OTHER_ENDPOINT:
            rig.leave_endpoint()
        case _:
            surroundings_do(rig, deed, payload)


def endpoint_does(rig: Rig, endpoint: End, deed: Deed, payload: bytes) -> None:
    match deed:
        case Deed.ENDPOINT_SENDS:
            endpoint.send(payload)
        case Deed.ENDPOINT_ANSWERS:
            endpoint.send(ANSWER)
        case Deed.ENDPOINT_FLOODS if payload:
            endpoint.send(payload * (FLOOD // len(payload)))
        case Deed.ENDPOINT_ENDS:
            endpoint.half_close()
        case Deed.ENDPOINT_GOES:
            rig.drop(endpoint)


def surroundings_do(rig: Rig, deed: Deed, payload: bytes) -> None:
    """What is neither a client's nor an endpoint's."""
    match deed:
        case Deed.TIME_IS_UP:
            rig.sweep()
        case Deed.NOBODY_READS:
            rig.reading = not rig.reading
        case Deed.TRACED:
            rig.worker.traces.switch(True)
        case Deed.LOGGED:
            rig.log()
        case Deed.TABLE:
            rig.service.change(*(payload + b"\0\0")[:2])
        case Deed.DRAINS:
            rig.drain()
        case Deed.TELLS:
            rig.take_all()
        case Deed.RESTS:
            rig.rest()


def changed(data: bytes, max_size: int, seed: int) -> bytes:
    """atheris's custom mutator: damage to deeds and to what they send."""
    return script.changed(Random(seed), data, OTHERS)[:max_size]


OTHERS: list[bytes] = []

if __name__ == "__main__":
    OTHERS += mutate.corpus("exchange").values()
    run.main(one, changed, explain=script.told)
