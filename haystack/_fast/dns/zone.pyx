"""The zone of one snapshot as a worker has it. Rows come from the control process (haystack/dns/rows.py), and stay so until asked for.

A name's records are kept as they are written, for askers on each network that changes them. Never decides who may ask.
"""
import msgspec

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

from haystack._fast.dns.question cimport Type
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book

DECODE = msgspec.msgpack.Decoder().decode     # of a row, as rows.NodeRow is: [hosts, targets, pointers, records]


cdef class View:
    """The records of a name for askers of one network."""

    def __cinit__(self):
        if IS_DEBUG:
            book(Asset.VIEW, 1)

    def __dealloc__(self):
        if IS_DEBUG:
            book(Asset.VIEW, -1)
        free(self.v4)
        free(self.v6)
        free(self.target)
        free(self.said)


cdef class Node:
    """A name that is there. hosts, targets, pointers, records: as in rows.NodeRow."""

    def __init__(self, int marks, hosts, targets, pointers, records):
        self.marks = marks
        self.hosts, self.targets, self.pointers, self.records = hosts, targets, pointers, records
        self.alias = next((data.lower() for rtype, _, data in records if rtype == Type.CNAME), None)
        self.near = any(near for _, _, near in hosts) or any(host[2] for _, _, _, host in targets)
        self.view = self.seen_from(0)

    cdef View of(self, uint32_t network):
        """What an asker on that network gets; 0: on none that we know."""
        cdef View view
        if not self.near or network == 0:
            return self.view
        if self.views is None:
            self.views = {}
        view = self.views.get(network)
        if view is None:
            view = self.views[network] = self.seen_from(network)
        return view

    cdef View seen_from(self, uint32_t network):
        """The records, packed. Addresses stand once each: a record is in a set once (RFC 2181, section 5)."""
        cdef View view = View()
        hosts = self.hosts
        if self.marks & <int>Mark.NEAREST and network:
            hosts = [host for host in hosts if any(number == network for number, _, _ in host[2])] or hosts
        found = [address_of(host, network) for host in hosts]
        view.v4 = packed(dict.fromkeys([v4 for v4, _ in found if v4]), 4, &view.v4s)
        view.v6 = packed(dict.fromkeys([v6 for _, v6 in found if v6]), 16, &view.v6s)
        set_targets(view, self.targets, network)
        return view


cdef tuple address_of(host, uint32_t network):
    """A container's addresses on a network that the asker shares with it, where there is one; else its usual ones."""
    for number, v4, v6 in host[2]:
        if number == network and (v4 or v6):
            return v4, v6
    return host[0], host[1]


cdef uint8_t *packed(addresses, int size, Py_ssize_t *count) except? NULL:
    """Addresses one behind the other, to be freed; NULL: there are none."""
    cdef bytes joined = b"".join(addresses)
    cdef uint8_t *p
    count[0] = PyBytes_GET_SIZE(joined) // size
    if count[0] == 0:
        return NULL
    p = <uint8_t *>malloc(PyBytes_GET_SIZE(joined))
    if p == NULL:
        raise MemoryError
    memcpy(p, PyBytes_AS_STRING(joined), PyBytes_GET_SIZE(joined))
    return p


cdef int set_targets(View view, rows, uint32_t network) except -1:
    cdef Target *target
    cdef bytes name, v4, v6
    cdef dict first = {}
    if not rows:
        return 0
    view.target = <Target *>calloc(len(rows), sizeof(Target))
    if view.target == NULL:
        raise MemoryError
    for i, (weight, port, name, host) in enumerate(rows):
        target = &view.target[i]
        v4, v6 = address_of(host, network)
        target.weight, target.port = weight, port
        target.name, target.name_size = <const uint8_t *>PyBytes_AS_STRING(name), <uint8_t>PyBytes_GET_SIZE(name)  # lives with the node
        target.first = first.setdefault(name, i)
        if PyBytes_GET_SIZE(v4) == 4:
            target.has4 = True
            memcpy(target.v4, PyBytes_AS_STRING(v4), 4)
        if PyBytes_GET_SIZE(v6) == 16:
            target.has6 = True
            memcpy(target.v6, PyBytes_AS_STRING(v6), 16)
    view.targets = len(rows)
    view.twins = len(first) < len(rows)
    if view.twins:
        view.said = <uint8_t *>malloc(len(rows))
        if view.said == NULL:
            raise MemoryError
    return 0


cdef class Zone:
    """origin: in lower-case wire form; ttl: seconds. Empty until rows are put in; with a name come those above it."""

    def __init__(self, bytes origin, uint32_t ttl):
        self.origin = origin
        self.ttl = ttl
        self.nodes = {}
        self.borders = 1

    def put(self, rows, removed=()):
        """Take rows in, each as rows.packed makes it, and names out. Nothing is new to an asker but these."""
        cdef bytes key, row
        for key, row in rows:
            if self.changes_borders(key, row[0]):
                self.borders += 1
            self.nodes[key] = row
        for key in removed:
            if self.changes_borders(key, 0):
                self.borders += 1
            self.nodes.pop(key, None)

    def finish(self, uint32_t serial):
        """What was put belongs to this version of the zone."""
        self.serial = serial

    cdef bint changes_borders(self, bytes key, int marks) except -1:
        """Whether what is ours may be something else once this name has these marks (0: it goes)."""
        old = self.nodes.get(key)
        cdef int before = 0
        if old is not None:
            before = (<Node>old).marks if isinstance(old, Node) else (<bytes>old)[0]
        if (before ^ marks) & (<int>Mark.APEX | <int>Mark.OPENED):
            return True
        return not key.endswith(self.origin) and (before == 0) != (marks == 0)

    cdef Node at(self, const uint8_t *key, int size):
        """What is at a name; None: nothing."""
        cdef bytes name = PyBytes_FromStringAndSize(<const char *>key, size)
        held = self.nodes.get(name)
        if held is None or type(held) is Node:
            return <Node>held
        node = self.nodes[name] = Node((<bytes>held)[0], *DECODE((<bytes>held)[1:]))
        return <Node>node

    cdef int apex(self, Question *q) except -2:
        """Which of the question's labels begins the zone of ours that it lies in; -1: it lies in none."""
        cdef int apex, _encloser
        self.descend(q, &apex, &_encloser)
        return apex

    cdef int descend(self, Question *q, int *apex, int *encloser) except -1:
        """The zone of ours that a name lies in, and the longest name above it, or it, that is there, by their first labels; -1: none.

        From the top down, for every name above one that is there is there too: where one is missing, all below it are.
        """
        cdef Node node
        cdef int i
        apex[0] = encloser[0] = -1
        for i in range(q.labels - 1, -1, -1):
            node = self.at(q.key + q.starts[i], q.name_size - q.starts[i])
            if node is None:
                break
            encloser[0] = i
            if node.marks & (<int>Mark.APEX | <int>Mark.OPENED):
                apex[0] = i if node.marks & <int>Mark.APEX else -1
        return 0

    cdef bint is_origin(self, Question *q, int label) noexcept:
        """Whether the question's name is ORIGIN from this label on."""
        cdef int size = q.name_size - q.starts[label]
        return size == PyBytes_GET_SIZE(self.origin) and memcmp(q.key + q.starts[label], PyBytes_AS_STRING(self.origin), size) == 0

    cdef Node wild(self, Question *q):
        """What stands for a name that is not there (RFC 4592, section 3.3.1): the wildcard below the next name above it that is."""
        cdef uint8_t name[256]
        cdef int _apex, encloser, size
        self.descend(q, &_apex, &encloser)
        if encloser < 0:
            return None
        size = q.name_size - q.starts[encloser]
        if size > 253:
            return None
        name[0], name[1] = 1, c'*'
        memcpy(name + 2, q.key + q.starts[encloser], size)
        return self.at(name, size + 2)
