"""The table of pickers, and what tests and simulations do with one. Never connects and never waits."""
from libc.stdint cimport int64_t, uint64_t

from haystack._fast.endpoint.endpoint cimport MAX_TRIES, Cell, Member, Picker, Queue, let_go, take_on
from haystack._fast.util.random_numbers cimport mix
from haystack._fast.balance.random import P2C, Random
from haystack._fast.balance.ewma import Ewma
from haystack._fast.balance.hash import Hash
from haystack._fast.balance.round_robin import LeastConn, RoundRobin
from haystack._fast.net.poller cimport clock_ns

PICKERS = {"p2c": P2C, "random": Random, "roundrobin": RoundRobin, "leastconn": LeastConn, "ewma": Ewma, "hash": Hash}


def make(str balance, list members, list weights, Picker old=None):
    """A picker for these members by `balance`, the algorithm's name and after a colon what its key is made of.

    old: the one that it takes over from, whose turns go on; where nothing has changed for it, it is given back itself. KeyError: no such
    algorithm.
    """
    kind = PICKERS[balance.partition(":")[0]]
    if old is not None and type(old) is kind and old.serves(members, weights):
        return old
    return kind(members, weights, old)


def choose(Picker picker, list tried, uint64_t key=0):
    """Pick once, skipping the members in tried."""
    cdef void *pointers[MAX_TRIES]
    cdef int i
    for i in range(min(len(tried), <Py_ssize_t>MAX_TRIES)):
        pointers[i] = <void *>tried[i]
    return picker.pick(key, pointers, <int>len(tried))


def load(Cell cell, int by):
    """Put so many exchanges in flight on a cell, or take them away."""
    cdef int _i
    for _i in range(abs(by)):
        if by > 0:
            take_on(cell)
        else:
            let_go(cell)


def hear(Picker picker, Member member, double seconds):
    """Tell a picker that a member answered after so long, or failed where it is negative."""
    if seconds < 0:
        picker.failed(member)
    else:
        picker.answered(member, <int64_t>(seconds * 1e9))


def earn(Queue queue):
    """Tell a service's retry budget of a new request."""
    queue.earn()


def spend(Queue queue, double now):
    """Whether the budget lets a request be sent again. now: seconds of a clock that only grows."""
    return queue.spend(<int64_t>(now * 1000))


def spin(Picker picker, int64_t times):
    """Nanoseconds that so many picks took in all, and their taking on and letting go: each is in flight while 64 more are picked."""
    cdef void *held[64]
    cdef int64_t i, start
    cdef Member member
    for i in range(64):
        held[i] = NULL
    start = clock_ns()
    for i in range(times + 64):
        if held[i & 63] != NULL:
            let_go((<Member>held[i & 63]).cell)
            held[i & 63] = NULL
        if i < times:
            member = picker.pick(mix(i), NULL, 0)
            take_on(member.cell)
            held[i & 63] = <void *>member
    return clock_ns() - start
