"""Compiled functions of DNS for Python: for tests and fuzz targets alone. Nothing of Haystack imports this.

Questions and answers have just as much memory here as in a worker's data plane: a sanitizer sees what is beyond.
"""
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from haystack._fast.dns.asker cimport Asker
from haystack._fast.dns.cache cimport Entry, key_of, write
from haystack._fast.dns.pending cimport Pending, Waiter
from haystack._fast.dns.question cimport HEADER, LONGEST, PAYLOAD, Question, limit as limit_of, parse
from haystack._fast.dns.rate_limit cimport Limited, RateLimit, is_outside
from haystack._fast.dns.responder cimport Responder


def answer(Responder responder, bytes packet, bytes local=b"", *, bint tcp=False, int rights=0, int network=0):
    """As Responder.ask: the answer's octets; None: it is to be forwarded."""
    cdef Asker asker
    cdef Py_ssize_t size = len(packet)
    cdef uint8_t *question = <uint8_t *>malloc(size or 1)
    cdef uint8_t *p = <uint8_t *>malloc(LONGEST if tcp else PAYLOAD)
    memset(&asker, 0, sizeof(asker))
    asker.tcp, asker.rights, asker.network, asker.local_size = tcp, rights, network, <int>len(local)
    memcpy(asker.local, <const char *>local, len(local))
    try:
        memcpy(question, <const char *>packet, size)
        octets = responder.answer(question, size, &asker, p)
        return p[:octets] if octets >= 0 else None
    finally:
        free(question)
        free(p)


def kept(tuple told, bytes packet, int64_t age, *, bint tcp=False, int limit=0, bint stale=False):
    """What is made of an answer of a nameserver, so many milliseconds old, for whoever sent that packet.

    told: as Pending.told, without the number; limit: of octets, 0: the asker's own; stale: as with cache.write. None: it is no query.
    """
    cdef Question q
    cdef Entry entry = Entry(b"", *told[:len(told) - 1], 0, <int64_t>told[len(told) - 1] * 1000)
    cdef uint8_t *p
    if len(packet) < HEADER or not parse(packet, len(packet), &q):
        return None
    limit = limit or limit_of(&q, tcp)
    p = <uint8_t *>malloc(limit)
    try:
        return p[:write(entry, p, &q, limit, age, stale)]
    finally:
        free(p)


cdef class Heard(Waiter):
    """A client that remembers what it is told."""

    cdef list replies

    cdef int reply(self, Question *_q, uint8_t *p, int size, Limited *_verdict) except -1:
        self.replies.append((self.packet, p[:size]))
        return 0


def ask(Pending pending, bytes packet, list replies):
    """Have this asked as by a client that gets no answer at once; (packet, answer) comes to replies. False: it is no query."""
    cdef Question q
    cdef Heard waiter = Heard()
    memset(&waiter.asker, 0, sizeof(Asker))
    waiter.packet, waiter.key, waiter.replies = packet, b"%d" % id(waiter), replies
    if len(packet) < HEADER or not parse(packet, len(packet), &q):
        return False
    pending.ask(waiter, key_of(&q), None)
    return True


cdef int set_ip(Asker *asker, bytes ip, int rights) except -1:
    memset(asker, 0, sizeof(Asker))
    asker.size, asker.rights = len(ip), rights
    memcpy(asker.ip, <const char *>ip, len(ip))
    return 0


def rate_limited(RateLimit limit, bytes ip, int answer, int64_t now):
    """What becomes of an answer to this address at that millisecond: 0: it is sent, 1: a truncated one is, 2: nothing is."""
    cdef Asker asker
    set_ip(&asker, ip, 0)
    return <int>limit.judge(&asker, answer, now)


def outside(bytes ip, int rights):
    """Whether answers to this address are limited."""
    cdef Asker asker
    set_ip(&asker, ip, rights)
    return bool(is_outside(&asker))
