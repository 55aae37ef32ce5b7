"""Questions for other nameservers: a worker has the control process ask, and gives the answer to all who wait for it.

Equal questions of one client are one, or two. Those of several are told apart, for there each client has its turn, and a nameserver that
asks what it is asked is a loop; the control process asks them once. One client never takes all places: it may have as many as are free.
Never opens a socket, never chooses a nameserver (haystack/dns/ does).
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp

from haystack._fast.dns.cache cimport KEY_END, is_spare
from haystack._fast.dns.question cimport HEADER, LONGEST, Question, Rcode, parse, put32
from haystack._fast.dns.rate_limit cimport Limited
from haystack._fast.dns.responder cimport Source
from haystack._fast.net.networks cimport Right
from haystack._fast.net.poller cimport clock_ns
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book

cdef enum:
    FEW = 32                # places that any client may have
    CROWD = 32              # equal questions that the control process has at once: each takes some of its time
    TWICE = 2               # of these a client's: the second one tells that it asks again while it waits, as in a loop
    STALE_MS = 1800         # a newer answer is waited for so long (RFC 8767, section 5)
    LATE_MS = 6000          # the control process gives up after 5 s

cdef bytes NO_ANSWER = b"\0\x0f\0\x02\0\x17"        # RFC 8914, section 4.24


cdef class Waiter:
    """One question that waits for its answer. Subclasses know the way back."""

    def __cinit__(self):
        if IS_DEBUG:
            book(Asset.WAITER, 1)

    def __dealloc__(self):
        if IS_DEBUG:
            book(Asset.WAITER, -1)

    cdef int reply(self, Question *q, uint8_t *p, int size, Limited *verdict) except -1:
        """Send the answer, as far as the rate limit lets it; verdict, PASSED before, says what that has done."""
        raise NotImplementedError


cdef class Asked(Pollable):
    """One question that the control process is asked."""

    cdef int on_deadline(self) except -1:
        """It is late: who waits gets what has ended, or an error."""
        if self.stale is not None and not self.gave_stale:
            self.gave_stale = True
            self.deadline = self.pending.poller.now + LATE_MS - STALE_MS
            return self.pending.give(self, self.stale, True)
        self.pending.end(self)          # first: whoever asks in the meantime is not to wait for this one
        return self.pending.give(self, failure(self.key), False)

    cdef int close(self) except -1:
        return self.pending.end(self)


cdef class Pending:
    """send: called soon with (number, packet, client's address, hot) rows; most: questions that wait at once."""

    def __cinit__(self):
        self.work = <uint8_t *>malloc(LONGEST)
        if self.work == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.work)

    def __init__(self, Poller poller, Responder responder, send, Py_ssize_t most):
        self.poller, self.responder, self.send, self.most = poller, responder, send, most
        self.times = Times(waited=True)
        self.rows, self.crowds, self.by_number, self.clients = [], {}, {}, {}

    cdef bint has_room(self, Asker *asker) except -1:
        """Whether this client may have one more question wait: half of the places at most, two a third each. Others always find some."""
        cdef Py_ssize_t mine = self.clients.get(client_of(asker), 0)
        return self.waiting < self.most and (mine < FEW or mine < self.most - self.waiting)

    cdef int ask(self, Waiter waiter, bytes key, Entry stale) except -1:
        """Have this question answered; the answer goes to the waiter."""
        cdef bytes client = client_of(&waiter.asker)
        cdef Asked asked = self.joined(waiter, crowd_of(key, waiter.packet, &waiter.asker), client)
        if asked is None:
            asked = self.begin(key, waiter.packet, &waiter.asker, False)
        if asked.stale is None and stale is not None:
            asked.stale = stale
            asked.deadline = min(asked.deadline, self.poller.now + STALE_MS)
        if waiter.key not in asked.waiters:     # else it has been sent again
            asked.waiters[waiter.key] = waiter
            waiter.since = clock_ns()
            self.waiting += 1
            self.clients[client] = self.clients.get(client, 0) + 1
        return self.give(asked, asked.stale, True) if asked.gave_stale else 0

    cdef int renew(self, bytes key, bytes packet, Asker *asker) except -1:
        """Have a question asked before its answer ends: nobody waits."""
        if crowd_of(key, packet, asker) not in self.crowds:
            self.begin(key, packet, asker, True)
        return 0

    cdef Asked joined(self, Waiter waiter, bytes crowd, bytes client):
        """The question whose answer is this waiter's too; None: it is to be asked as this client's own."""
        cdef Asked each, own = None
        cdef int owned = 0
        cdef list equal = self.crowds.get(crowd)
        if equal is None:
            return None
        for each in equal:
            if each.gave_stale or waiter.key in each.waiters:
                return each
            if each.client == client:
                own, owned = own or each, owned + 1
        if owned < TWICE and len(equal) < CROWD:
            return None
        return own or equal[0]

    cdef Asked begin(self, bytes key, bytes packet, Asker *asker, bint hot):
        cdef Asked asked = Asked()
        self.last += 1
        asked.pending, asked.key, asked.number, asked.waiters = self, key, self.last, {}
        asked.crowd, asked.client, asked.generation = crowd_of(key, packet, asker), client_of(asker), self.generation
        asked.deadline = self.poller.now + LATE_MS
        self.by_number[asked.number] = asked
        self.crowds.setdefault(asked.crowd, []).append(asked)
        self.poller.enlist(asked)
        if not self.rows:
            self.poller.called = True           # the loop is to have its turn
            self.poller.loop.call_soon(self.flush)
        self.rows.append((asked.number, packet, PyBytes_FromStringAndSize(<const char *>asker.ip, asker.size), hot))
        return asked

    def flush(self):
        """Tell the control process what there is to ask."""
        rows, self.rows = self.rows, []
        self.send(rows)

    def told(self, int64_t number, int flags, bytes body, bytes ends, bytes ages, counts, bytes options, int64_t lifetime):
        """The answer to a question, as in wire.Packed. lifetime: seconds; 0: for those who wait alone."""
        cdef Asked asked = self.by_number.get(number)
        cdef Entry entry
        if asked is None:
            return
        entry = Entry(asked.key, flags, body, ends, ages, counts, options, self.poller.now, self.poller.now + lifetime * 1000)
        if lifetime and asked.generation == self.generation:
            self.keep(entry)
        self.end(asked)                 # first, as with on_deadline
        self.give(asked, entry, False)

    cdef int keep(self, Entry entry) except -1:
        """Keep an answer; a failure never in the place of a good one, though that has ended."""
        cdef Entry old = self.responder.cache.find(entry.key)
        if old is None or is_spare(entry, self.poller.now) or not is_spare(old, self.poller.now):
            self.responder.cache.keep(entry)
        return 0

    def forget(self):
        """Let go of what is kept, and of what is still to come in answer to questions asked before."""
        self.generation += 1
        self.responder.cache.clear()

    cdef int give(self, Asked asked, Entry entry, bint stale) except -1:
        """Answer all who wait. stale: as with cache.write."""
        cdef Waiter waiter
        cdef Question question
        cdef dict waiters = asked.waiters
        cdef Source source = Source.CACHE if stale else Source.UPSTREAM
        cdef Limited verdict
        cdef int size
        cdef int64_t now = clock_ns()
        asked.waiters = {}
        self.waiting -= len(waiters)
        self.responder.now = self.poller.now
        for waiter in waiters.values():
            client = client_of(&waiter.asker)
            left = self.clients.pop(client) - 1
            if left:
                self.clients[client] = left
            parse(<const uint8_t *>PyBytes_AS_STRING(waiter.packet), PyBytes_GET_SIZE(waiter.packet), &question)
            size = self.responder.give(entry, &question, &waiter.asker, self.work, source, stale)
            verdict = Limited.PASSED
            waiter.reply(&question, self.work, size, &verdict)
            if verdict != Limited.DROPPED:
                self.times.took(now - waiter.since, 1)
            if self.responder.log is not None:
                self.responder.record(&question, &waiter.asker, verdict, now - waiter.since)
        return 0

    cdef int end(self, Asked asked) except -1:
        cdef list equal
        if self.by_number.pop(asked.number, None) is not None:
            equal = self.crowds[asked.crowd]
            equal.remove(asked)
            if not equal:
                del self.crowds[asked.crowd]
            self.poller.delist(asked)
        return 0


cdef bytes crowd_of(bytes key, bytes packet, Asker *asker):
    """What tells questions apart that need answers of their own: a CNAME may lead to a name of ours, not the same for all.

    Those with capital letters stand apart too: that is how our own come back, and no crowd of clients may hide them.
    """
    cdef uint8_t apart[6]
    apart[0] = asker.rights & <int>Right.INSIDE
    apart[1] = memcmp(PyBytes_AS_STRING(packet) + HEADER, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key) - KEY_END) != 0
    put32(apart + 2, asker.network)
    return key + PyBytes_FromStringAndSize(<const char *>apart, 6)


cdef Entry failure(bytes key):
    return Entry(key, <int>Rcode.SERVFAIL, b"", b"", b"", (0, 0, 0), NO_ANSWER, 0, 0)


cdef bytes client_of(Asker *asker):
    """What stands for a client: an IPv4 address, or the /64 of an IPv6 one, for that is what one client has."""
    return PyBytes_FromStringAndSize(<const char *>asker.ip, min(asker.size, 8))
