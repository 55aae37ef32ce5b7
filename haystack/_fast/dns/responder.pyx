"""Answers DNS queries from the zone and from the cache of other nameservers' answers: octets in, octets out.

It never opens a socket and never waits. For a query that it can't answer it returns FORWARD, and pending.pyx forwards the query.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memcpy, memset

from haystack._fast.dns.cache cimport is_spare, key_of, write
from haystack._fast.dns.message cimport POINTABLE, Section, begin, finish, refusal
from haystack._fast.dns.question cimport HEADER, LONGEST, Flag, Rcode, Type, limit, parse, set_name
from haystack._fast.dns.records cimport (
    Own, addresses, authority, nameserver, nothing_of_all, others, pointers, reverse, services,
)
from haystack._fast.dns.zone cimport Mark, Node, View
from haystack._fast.net.networks cimport Right

cdef enum:
    CLASS_IN = 1
    ARPA_SIZE = 6
    CHAIN = 16              # CNAMEs that lead to one another
    UNREAD = 11             # the kind of what is no query
    MOST = 64               # Haystacks in an answer
    HOT_PART = 12           # of an answer's life the last twelfth: who asks then has it asked for anew (the forwarder: a tenth)

cdef const char *ARPA = b"\4arpa\0"
cdef bytes PROHIBITED = b"\0\x0f\0\x02\0\x12"      # RFC 8914, section 4.19

KIND_NAMES = ("A", "AAAA", "SRV", "PTR", "TXT", "SOA", "NS", "MX", "CNAME", "HTTPS", "ANY", "none", "other")
SOURCE_NAMES = ("zone", "cache", "upstream", "none")


cdef int kind_of(int qtype) noexcept nogil:
    """The index of a type among those that are counted separately."""
    if qtype == Type.A:
        return 0
    if qtype == Type.AAAA:
        return 1
    if qtype == Type.SRV:
        return 2
    if qtype == Type.PTR:
        return 3
    if qtype == Type.TXT:
        return 4
    if qtype == Type.SOA:
        return 5
    if qtype == Type.NS:
        return 6
    if qtype == Type.MX:
        return 7
    if qtype == Type.CNAME:
        return 8
    if qtype == Type.HTTPS:
        return 9
    return 10 if qtype == Type.ANY else 12


cdef class Responder:
    """own4, own6: Haystack's own addresses, 4 and 16 octets each; both empty: the address that the query was sent to.

    Serial 0 of the zone: nothing is known yet.
    on_fault: called with an internal exception, and the query is answered with SERVFAIL; None: the exception is raised.
    """

    def __init__(self, Zone zone, Cache cache, Rotation rotation, bytes own4=b"", bytes own6=b""):
        self.zone, self.cache, self.rotation = zone, cache, rotation
        self.own4, self.own6 = own4, own6
        self.own_set = bool(own4 or own6)
        self.askers = Askers()

    cdef int answer(self, const uint8_t *packet, Py_ssize_t size, Asker *asker, uint8_t *p) except -2:
        """Write the answer to p, which has room for LONGEST octets with TCP and PAYLOAD with UDP. Returns the length, or a Verdict."""
        cdef Question *q = &self.question
        self.stale = None
        self.hot = False
        if size < HEADER or packet[2] & 0x80:
            return Verdict.SILENCE      # to answer an answer could go on for ever between two servers
        if not parse(packet, size, q) or q.flags & <int>Flag.OPCODE:
            return self.refuse_unread(q, p)
        if q.version > 0:
            return self.refuse(q, asker, p, Rcode.BADVERS, b"")
        if q.qtype == Type.OPT:
            return self.refuse(q, asker, p, Rcode.FORMERR, b"")
        if q.qclass != CLASS_IN or q.qtype == Type.AXFR or q.qtype == Type.IXFR:
            return self.refuse(q, asker, p, Rcode.REFUSED, b"")
        if asker.size and asker.rights & (<int>Right.INSIDE | <int>Right.RECURSION):
            self.askers.note(q, asker, kind_of(q.qtype), self.now)     # strangers may ask under any address
        try:
            return self.look_up(q, asker, p)
        except Exception as error:
            if self.on_fault is None:
                raise
            self.on_fault(error)
            return self.refuse(q, asker, p, Rcode.SERVFAIL, b"")

    cdef void count(self, Source source, int kind, int rcode) noexcept:
        """Count an answer."""
        self.source, self.rcode = source, rcode
        self.counts[<int>source][kind][rcode] += 1

    cdef void record(self, Question *q, Asker *asker, int limited, int64_t ns) noexcept:
        """Log the last answer, which took this many nanoseconds. May only be called if there is a log."""
        self.log.write(q, asker, self.source, self.rcode, limited, ns)

    cdef int refuse_unread(self, Question *q, uint8_t *p) except -2:
        """The answer to a message that is not a query: FORMERR, or NOTIMP for another opcode."""
        cdef int rcode = Rcode.NOTIMP if q.flags & <int>Flag.OPCODE else Rcode.FORMERR
        self.count(Source.NOBODY, UNREAD, rcode)
        return refusal(p, q, rcode)

    cdef int refuse(self, Question *q, Asker *asker, uint8_t *p, int rcode, bytes options) except -2:
        """An answer without records. options: EDNS options in wire form."""
        cdef Message m
        begin(&m, p, q, limit(q, asker.tcp), <int>PyBytes_GET_SIZE(options))
        m.flags = Flag.RA if asker.rights & <int>Right.RECURSION else 0
        self.count(Source.NOBODY, kind_of(q.qtype), rcode)
        return finish(&m, rcode, <const uint8_t *>PyBytes_AS_STRING(options), <int>PyBytes_GET_SIZE(options))

    cdef int look_up(self, Question *q, Asker *asker, uint8_t *p) except -2:
        """The answer to a query of a client with access: from the zone, else from the cache."""
        cdef Node node = self.zone.at(q.key, q.name_size)
        cdef Entry entry = None
        cdef bytes key
        if node is None or node.marks & <int>Mark.EMPTY:
            if asker.rights & <int>Right.RECURSION:
                key = key_of(q)
                entry = self.cache.find(key)
                if entry is not None and entry.borders == self.zone.borders and not self.is_own_reverse(q, asker):
                    return self.give_kept(entry, q, asker, p)
            if self.zone.apex(q) < 0 and not self.is_own_reverse(q, asker):
                return self.look_beyond(entry, q, asker, p)
            if node is None:
                node = self.zone.wild(q)
        if not asker.rights & <int>Right.INSIDE and (node is None or not node.marks & <int>Mark.PUBLIC):
            return self.refuse(q, asker, p, Rcode.REFUSED, PROHIBITED)
        return self.tell(node, q, asker, p)

    cdef int look_beyond(self, Entry entry, Question *q, Asker *asker, uint8_t *p) except -2:
        """The answer for a name outside the zone: from the cache, or FORWARD."""
        if not asker.rights & <int>Right.RECURSION:
            return self.refuse(q, asker, p, Rcode.REFUSED, PROHIBITED)
        if not q.flags & <int>Flag.RD:
            # RFC 1035 section 4.1.1: it asks for what is known here alone, and what others have asked for is nobody's business
            return self.refuse(q, asker, p, Rcode.REFUSED, b"")
        if entry is None:
            return Verdict.FORWARD
        entry.borders = self.zone.borders
        return self.give_kept(entry, q, asker, p)

    cdef int give_kept(self, Entry entry, Question *q, Asker *asker, uint8_t *p) except -2:
        """The cached answer, or FORWARD if it has expired."""
        if not q.flags & <int>Flag.RD:
            return self.refuse(q, asker, p, Rcode.REFUSED, b"")
        if self.now >= entry.until:
            self.stale = entry if is_spare(entry, self.now) else None
            return Verdict.FORWARD
        self.hot = not entry.asked and self.now > entry.until - (entry.until - entry.born) // HOT_PART
        if self.hot:
            entry.asked = True
        return self.give(entry, q, asker, p, Source.CACHE, False)

    cdef int give(self, Entry entry, Question *q, Asker *asker, uint8_t *p, Source source, bint stale) except -2:
        """A nameserver's answer, written for this client. stale: as in cache.write."""
        self.count(source, kind_of(q.qtype), min(entry.rcode, RCODES - 1))
        return write(entry, p, q, limit(q, asker.tcp), self.now, stale)

    cdef int truncate(self, Question *q, Asker *asker, uint8_t *p) noexcept:
        """Replace the answer just written by the question alone with TC, so that a real client asks again over TCP."""
        cdef Message m
        if q.failed:
            return 0
        begin(&m, p, q, limit(q, asker.tcp), 0)
        m.flags = <int>Flag.TC | (Flag.RA if asker.rights & <int>Right.RECURSION else 0)
        return finish(&m, Rcode.NOERROR, NULL, 0)

    cdef int overload(self, Asker *asker, uint8_t *p) except -2:
        """The answer to a query that can't be forwarded because too many are pending: an expired answer, or an error."""
        if self.stale is not None:
            return self.give(self.stale, &self.question, asker, p, Source.CACHE, True)
        return self.refuse(&self.question, asker, p, Rcode.SERVFAIL, b"")

    cdef int tell(self, Node node, Question *q, Asker *asker, uint8_t *p) except -2:
        """The answer for a name in the zone. node None: the name does not exist."""
        cdef Message m
        cdef Question last = q[0]       # the name that the answer is about: where CNAMEs lead
        cdef int owner = HEADER, links = 0, apex, rcode = Rcode.NOERROR
        begin(&m, p, q, limit(q, asker.tcp), 0)
        m.ttl = self.zone.ttl
        m.flags = <int>Flag.AA | (Flag.RA if asker.rights & <int>Right.RECURSION else 0)
        if node is not None and node.records:
            node = self.follow(&m, node, &last, asker, &owner, &links)
            if links < 0:
                return self.end_chain(&m, q)
            if node is None and owner != HEADER and self.zone.apex(&last) < 0:
                return self.lead_out(&m, q, asker, p)
        if node is not None or self.is_own_reverse(&last, asker):
            self.fill(&m, node, owner, &last, asker)
        elif self.held or self.zone.serial == 0:
            # Nobody can say yet that it does not exist, and a client would keep that answer: it is to ask again, or another server.
            rcode = Rcode.SERVFAIL
            m.flags &= ~<int>Flag.AA
        else:
            rcode = Rcode.NXDOMAIN      # also behind CNAMEs (RFC 6604, section 3)
        if m.counts[<int>Section.ANSWER] == links and rcode != Rcode.SERVFAIL and not m.full:
            apex = self.zone.apex(&last)
            authority(&m, self.zone, False, owner + (last.starts[apex] if apex > 0 else 0), self.zone.is_origin(&last, max(apex, 0)))
        if m.full and m.counts[<int>Section.ADDITIONAL] == 0:
            m.flags |= <int>Flag.TC
        self.count(Source.ZONE, kind_of(q.qtype), rcode)
        return finish(&m, rcode, NULL, 0)

    cdef Node follow(self, Message *m, Node node, Question *last, Asker *asker, int *owner, int *links):
        """Write the zone file's records of a name, and follow CNAMEs within the zone (RFC 1034, section 4.3.2, step 3a).

        Returns the node at the end of the chain; None: there is none. last: its name; owner: the offset of that name;
        links: the number of CNAMEs, -1: too many.
        """
        cdef int step, alias, i
        cdef uint32_t seen[CHAIN]
        for step in range(CHAIN):
            seen[step] = last.digest
            if not node.records or last.qtype == Type.ANY:
                return node
            alias = others(m, owner[0], node.records, last.qtype, self.rotation.next(last.digest, last.qtype))
            if node.alias is None or alias == 0 or alias >= POINTABLE or last.qtype == Type.CNAME:
                return node
            owner[0] = alias
            links[0] += 1
            set_name(last, <const uint8_t *>PyBytes_AS_STRING(node.alias), PyBytes_GET_SIZE(node.alias))
            for i in range(step + 1):
                if seen[i] == last.digest:      # a circle
                    links[0] = -1
                    return node
            node = self.zone.at(last.key, last.name_size)
            if node is None and self.zone.apex(last) >= 0:
                node = self.zone.wild(last)
            if node is None or node.marks & <int>Mark.EMPTY and self.zone.apex(last) < 0:
                return None
            if not asker.rights & <int>Right.INSIDE and not node.marks & <int>Mark.PUBLIC:
                links[0] = -1           # no more than that is for everybody
                return None
        links[0] = -1
        return node

    cdef int lead_out(self, Message *m, Question *q, Asker *asker, uint8_t *p) except -2:
        """The answer for CNAMEs that lead out of the zone: with the target's cached records for clients with recursion, else alone."""
        cdef Entry entry
        if asker.rights & <int>Right.RECURSION and q.flags & <int>Flag.RD:
            entry = self.cache.find(key_of(q))
            return Verdict.FORWARD if entry is None else self.give_kept(entry, q, asker, p)
        return self.end_chain(m, q)

    cdef int end_chain(self, Message *m, Question *q) except -2:
        """An answer of CNAMEs alone. It says nothing about the target, not even that it has no records."""
        self.count(Source.ZONE, kind_of(q.qtype), Rcode.NOERROR)
        return finish(m, Rcode.NOERROR, NULL, 0)

    cdef int fill(self, Message *m, Node node, int owner, Question *q, Asker *asker) except -1:
        """Write the records of that type. node None: the reverse name of the address that the query was sent to."""
        cdef View view
        cdef Own own
        cdef uint32_t turn
        cdef int qtype = q.qtype
        if node is None or (qtype == Type.PTR and not node.pointers):
            if qtype == Type.PTR and self.is_own_reverse(q, asker):
                pointers(m, owner, [self.zone.origin])
            return 0
        if qtype == Type.A or qtype == Type.AAAA:
            turn = self.rotation.next(q.digest, qtype)
            view = node.of(asker.network)
            self.set_all(&own, asker)
            if qtype == Type.A:
                addresses(m, owner, own.v4, own.v4s if node.marks & <int>Mark.OWN else 0, 4, turn)
                addresses(m, owner, view.v4, view.v4s, 4, turn)
            else:
                addresses(m, owner, own.v6, own.v6s if node.marks & <int>Mark.OWN else 0, 16, turn)
                addresses(m, owner, view.v6, view.v6s, 16, turn)
        elif qtype == Type.SRV:
            services(m, owner, node.of(asker.network), self.rotation.next(q.digest, qtype))
        elif qtype == Type.PTR:
            pointers(m, owner, node.pointers)
        elif qtype == Type.SOA and node.marks & <int>Mark.APEX:
            authority(m, self.zone, True, owner, self.zone.is_origin(q, 0))
        elif qtype == Type.NS and node.marks & <int>Mark.APEX:
            self.set_all(&own, asker)
            nameserver(m, owner, self.zone.is_origin(q, 0), &own)
        elif qtype == Type.ANY and not node.marks & <int>Mark.EMPTY:
            nothing_of_all(m)
        return 0

    cdef void set_own(self, Own *own, Asker *asker) noexcept:
        """Write Haystack's own addresses: those of HAYSTACK_ADDRESS, else the address that the query was sent to."""
        if self.own_set:
            own.v4, own.v4s = <const uint8_t *>PyBytes_AS_STRING(self.own4), <int>(PyBytes_GET_SIZE(self.own4) // 4)
            own.v6, own.v6s = <const uint8_t *>PyBytes_AS_STRING(self.own6), <int>(PyBytes_GET_SIZE(self.own6) // 16)
            return
        own.v4, own.v4s = asker.local, 1 if asker.local_size == 4 else 0
        own.v6, own.v6s = asker.local, 1 if asker.local_size == 16 else 0

    cdef int set_all(self, Own *own, Asker *asker) except -1:
        """Write the addresses of all Haystacks, this one's first.

        Clients on a container network reach this one at the address that they asked. Other clients may have reached it through a port that
        Docker forwards, and can't use that address: they get the address that is known from outside.
        """
        cdef View view
        cdef bint outside
        self.set_own(own, asker)
        if self.peers is None:
            return 0
        outside = self.everybody is not None and not self.own_set and asker.network == 0
        view = (self.everybody if outside else self.peers).of(asker.network)
        if outside and view.v4s + view.v6s > 0:
            own.v4s = own.v6s = 0
        own.v4s = join(self.joined4, own.v4, own.v4s, view.v4, <int>view.v4s, 4)
        own.v6s = join(self.joined6, own.v6, own.v6s, view.v6, <int>view.v6s, 16)
        own.v4, own.v6 = self.joined4, self.joined6
        return 0

    def meet(self, list hosts, own=None):
        """Answer with these Haystacks' addresses too. hosts: the others, as in rows.NodeRow; own: this one's from outside, if known."""
        self.peers = Node(0, hosts, [], [], []) if hosts or own is not None else None
        self.everybody = Node(0, [own, *hosts], [], [], []) if own is not None else None

    cdef bint is_own_reverse(self, Question *q, Asker *asker) noexcept:
        """Whether the question's name is the reverse name of one of Haystack's addresses."""
        cdef Own own
        cdef int i
        if q.name_size < 8 or memcmp(q.key + q.name_size - ARPA_SIZE, ARPA, ARPA_SIZE) != 0:
            return False
        self.set_own(&own, asker)
        for i in range(own.v4s):
            if is_reverse(q, own.v4 + 4 * i, 4):
                return True
        for i in range(own.v6s):
            if is_reverse(q, own.v6 + 16 * i, 16):
                return True
        return False

    def counted(self):
        """The number of answers so far: (type, rcode, source, count) rows, with names from KIND_NAMES and SOURCE_NAMES."""
        cdef int source, kind, rcode
        rows = []
        for source in range(<int>SOURCES):
            for kind in range(<int>KINDS):
                for rcode in range(<int>RCODES):
                    if self.counts[source][kind][rcode]:
                        rows.append((KIND_NAMES[kind], rcode, SOURCE_NAMES[source], self.counts[source][kind][rcode]))
        return rows

    def ask(self, bytes packet, bytes local=b"", *, bint tcp=False, int rights=<int>Right.INSIDE | <int>Right.RECURSION, int network=0,
            bytes client=b""):
        """The answer to a packet: its octets; empty: no answer is sent; None: the query has to be forwarded.

        local: Haystack's address; client: the client's; 4 or 16 octets each, or empty.
        """
        cdef bytearray out = bytearray(LONGEST)
        cdef uint8_t *p = out
        cdef Asker asker
        cdef int size
        memset(&asker, 0, sizeof(asker))
        asker.tcp, asker.rights, asker.network = tcp, rights, network
        asker.local_size, asker.size = <int>min(len(local), 16), <int>min(len(client), 16)
        memcpy(asker.local, PyBytes_AS_STRING(local), asker.local_size)
        memcpy(asker.ip, PyBytes_AS_STRING(client), asker.size)
        size = self.answer(<const uint8_t *>PyBytes_AS_STRING(packet), PyBytes_GET_SIZE(packet), &asker, p)
        return None if size == Verdict.FORWARD else bytes(out[:size])


cdef int join(uint8_t *p, const uint8_t *first, int firsts, const uint8_t *more, int mores, int size) noexcept nogil:
    """Write both lists one after the other, each address once, at most MOST. Returns the number."""
    cdef int i, j, count = 0
    cdef const uint8_t *one
    for i in range(firsts + mores):
        one = first + i * size if i < firsts else more + (i - firsts) * size
        j = 0
        while j < count and memcmp(p + j * size, one, size) != 0:
            j += 1
        if j == count and count < MOST:
            memcpy(p + count * size, one, size)
            count += 1
    return count


cdef bint is_reverse(Question *q, const uint8_t *ip, int size) noexcept nogil:
    cdef uint8_t name[80]
    cdef int octets = reverse(name, ip, size)
    return octets == q.name_size and memcmp(name, q.key, octets) == 0
