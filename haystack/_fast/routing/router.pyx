"""From a request's Host and path to its Route, at a cost that does not depend on how many there are.

A rule is a host name, exact or `*.` before a suffix, with a path prefix. The most specific host with a matching prefix wins: an exact name
before any wildcard, a longer wildcard before a shorter one; of one host, the longest prefix that ends where a segment of the path ends.
Every rule stands for itself: a host whose prefixes do not match leaves the request to the wildcards. Paths are compared as they came,
byte by byte: nothing is decoded or resolved, and nothing is rewritten. Never allocates for a lookup.

Host names and path segments are nodes of one open-addressing hash table, keyed by the node above and the text.
"""
from cpython.tuple cimport PyTuple_GET_ITEM
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp, memcpy, memset

from haystack._fast.endpoint.endpoint cimport Route
from haystack._fast.util.buffer cimport Buffer, add, release

cdef extern from "arpa/inet.h" nogil:
    enum:
        AF_INET
        AF_INET6
    int inet_pton(int, const char *, void *)

cdef enum:
    FIRST_ROOM = 16

cdef char FOLD[256]         # a host name's character in lower case; 0: it has no such character


class BadHostError(ValueError):
    """A Host that RFC 3986, sections 3.2.2 and 3.2.3, has no room for (RFC 9112, section 3.2)."""


cdef void make_table() noexcept:
    cdef int c
    cdef bytes marks = b"-._~!$&'()*+,;="       # unreserved and sub-delims; % stands before two digits alone
    for c in range(256):
        FOLD[c] = <char>(c + 32 if 65 <= c <= 90 else c if 97 <= c <= 122 or 48 <= c <= 57 or c in marks else 0)


make_table()


cdef inline uint64_t mix(uint64_t h, uint64_t word) noexcept nogil:
    h = (h ^ word) * <uint64_t>0x9E3779B97F4A7C15
    return h ^ (h >> 29)


cdef uint64_t hash_of(int32_t parent, const char *key, int size) noexcept nogil:
    """Eight bytes at a time, some of them twice. Only who may set labels can add a key, so nobody from outside can make keys collide."""
    cdef uint64_t h = mix(parent, size), word = 0
    cdef uint32_t low, high
    cdef int at = 0
    if size >= 8:
        while at < size - 8:
            memcpy(&word, key + at, 8)
            h = mix(h, word)
            at += 8
        memcpy(&word, key + size - 8, 8)
    elif size >= 4:
        memcpy(&low, key, 4)
        memcpy(&high, key + size - 4, 4)
        word = <uint64_t>high << 32 | low
    else:
        for at in range(size):
            word = word << 8 | <unsigned char>key[at]
    return mix(h, word)


cdef int read_host(char *name, const char *host, int size) except -1:
    """Write the name into `name`, in lower case, without port and trailing dot; its size. BadHostError: it is none.

    More than MAX_HOST: it is a good one, but no rule has so long a name.
    """
    cdef int i = 0, end
    cdef char c
    if size and host[0] == c'[':
        i = read_brackets(name, host, size)
    else:
        while i < size:
            c = FOLD[<unsigned char>host[i]]
            if c == 0:
                if not is_escape(host + i, size - i):
                    break
                c = c'%'
            if i < MAX_HOST:
                name[i] = c
            i += 1
    end = i
    if i < size:
        if host[i] != c':':
            raise BadHostError("something follows its bracket" if host[0] == c'[' else flaw_of(host[i]))
        for i in range(end + 1, size):
            if host[i] < c'0' or host[i] > c'9':
                raise BadHostError("its port is not a number")
    return end - 1 if 1 < end <= MAX_HOST and name[end - 1] == c'.' else end


cdef bint is_escape(const char *p, int size) noexcept:
    """True for a percent sign and two hexadecimal digits."""
    return p[0] == c'%' and size > 2 and is_hex(p[1]) and is_hex(p[2])


cdef bint is_hex(char c) noexcept:
    return c'0' <= c <= c'9' or c'a' <= c <= c'f' or c'A' <= c <= c'F'


cdef str flaw_of(char c):
    if c == c'%':
        return "% is not followed by two hexadecimal digits"
    if c == c'@':
        return "it can't have a user name"
    return "it has a character that is not allowed in a host name"


cdef int read_brackets(char *name, const char *host, int size) except -1:
    """The same for an IPv6 address, or one of a version to come, in brackets."""
    cdef int i
    for i in range(1, size):
        if host[i] == c']':
            break
    else:
        raise BadHostError("its bracket is not closed")
    if not is_future(host + 1, i - 1) and not is_ipv6(host + 1, i - 1):
        raise BadHostError("the text in brackets is not an IPv6 address")
    size = i + 1
    for i in range(min(size, <int>MAX_HOST)):
        name[i] = FOLD[<unsigned char>host[i]] or host[i]
    return size


cdef bint is_future(const char *p, int size) noexcept:
    """IPvFuture: a v, the version in hexadecimal digits, a dot, and what that version makes of it."""
    cdef int i = 1, start
    if size < 4 or p[0] not in b"vV":
        return False
    while i < size and is_hex(p[i]):
        i += 1
    if i == 1 or i > size - 2 or p[i] != c'.':
        return False
    for start in range(i + 1, size):
        if p[start] != c':' and not FOLD[<unsigned char>p[start]]:
            return False
    return True


cdef bint is_ipv6(const char *p, int size) noexcept:
    """Without a zone: that is the client's own affair (RFC 9844)."""
    cdef char text[64]
    cdef char address[16]
    if size >= <int>sizeof(text):
        return False
    memcpy(text, p, size)
    text[size] = 0
    return memchr(p, 0, size) == NULL and inet_pton(AF_INET6, text, address) == 1


cdef bint is_address(const char *name, int size) noexcept:
    """True for an IPv4 address of four numbers, or an IPv6 address in its brackets; no other name is one (RFC 3986, section 3.2.2)."""
    cdef char text[16]
    cdef char address[4]
    if size and name[0] == c'[':
        return name[1] != c'v'
    if size == 0 or size >= <int>sizeof(text):
        return size == 0        # who names nobody means whom he has reached
    memcpy(text, name, size)
    text[size] = 0
    return inet_pton(AF_INET, text, address) == 1


cdef class Router:
    """The rules of one worker."""

    def __cinit__(self):
        self.held = {}
        self.room = FIRST_ROOM
        self.nodes = <Node *>malloc(FIRST_ROOM * sizeof(Node))
        self.slots = <Slot *>malloc(2 * FIRST_ROOM * sizeof(Slot))
        if self.nodes == NULL or self.slots == NULL:
            raise MemoryError
        memset(self.slots, 0xFF, 2 * FIRST_ROOM * sizeof(Slot))
        memset(self.nodes, 0, 2 * sizeof(Node))
        self.mask = 2 * FIRST_ROOM - 1
        self.count = 2                  # EXACT and WILD, which no key leads to

    def __dealloc__(self):
        free(self.nodes)
        free(self.slots)
        release(&self.keys)

    def fall_back(self, Route admin, Route health=None):
        """Where an IP address leads that no rule names; None: nowhere. health: where /healthz and /readyz lead who may not go there."""
        self.admin = admin
        self.health = health

    def put(self, bytes host, bytes path, tuple routes):
        """Lead `host` (lower case, `*.` allowed) below the prefix `path` to routes, one for each listener; None: no more."""
        cdef int32_t node = self.reach(host, path)
        cdef tuple key = (host, path.rstrip(b"/"))
        if routes is None:
            self.nodes[node].routes = NULL
            self.held.pop(key, None)
        else:
            self.nodes[node].routes = <void *>routes
            self.held[key] = routes

    @property
    def rules(self):
        """How many there are."""
        return len(self.held)

    def lookup(self, int listener, bytes host, bytes path):
        """The Route of a request, or None. path may have a query. BadHostError: host is none."""
        return self.find(listener, host, len(host), path, len(path))

    cdef Route find(self, int listener, const char *host, int host_size, const char *path, int path_size):
        """See lookup."""
        cdef char name[MAX_HOST + 1]
        cdef int size = read_host(name, host, host_size), i, labels
        cdef void *found
        if size > MAX_HOST:
            return None
        found = self.under(self.look(EXACT, name, size), path, path_size)
        if found == NULL and self.deepest:
            labels = 1
            for i in range(1, size):
                labels += name[i] == c'.'
            for i in range(1, size):
                if name[i] != c'.':
                    continue
                labels -= 1
                if labels <= self.deepest:
                    found = self.under(self.look(WILD, name + i + 1, size - i - 1), path, path_size)
                    if found != NULL:
                        break
        if found != NULL:
            return <Route>PyTuple_GET_ITEM(<tuple>found, listener)
        if is_address(name, size):
            return self.admin
        return None

    cdef int cut_at(self, const char *name, int size) noexcept:
        """Where in a name (as read_host gives it) that begins which a rule for all paths has: 0: it is there itself; -1: none is there."""
        cdef int i
        if self.under(self.look(EXACT, name, size), b"/", 1) != NULL:
            return 0
        for i in range(1, size if self.deepest else 0):
            if name[i] == c'.' and self.under(self.look(WILD, name + i + 1, size - i - 1), b"/", 1) != NULL:
                return i
        return -1

    cdef void *under(self, int32_t node, const char *path, int size) noexcept:
        """The routes of the longest prefix of the path below a host's node, or NULL."""
        cdef void *found
        cdef int start, i = 0
        if node < 0:
            return NULL
        found = self.nodes[node].routes
        while self.nodes[node].children and i < size and path[i] == c'/':
            i += 1
            start = i
            while i < size and path[i] != c'/' and path[i] != c'?':
                if i - start == self.longest:
                    return found
                i += 1
            node = self.look(node, path + start, i - start)
            if node < 0:
                break
            if self.nodes[node].routes != NULL:
                found = self.nodes[node].routes
        return found

    cdef int32_t look(self, int32_t parent, const char *key, int size) noexcept:
        """The node of a key below parent, or -1."""
        cdef uint64_t h = hash_of(parent, key, size)
        cdef uint32_t at = <uint32_t>(h >> 32) & self.mask
        cdef Node *node
        while self.slots[at].node >= 0:
            if self.slots[at].tag == <uint32_t>h:
                node = &self.nodes[self.slots[at].node]
                if node.hash == h and node.parent == parent and node.size == size and memcmp(self.keys.data + node.text, key, size) == 0:
                    return self.slots[at].node
            at = (at + 1) & self.mask
        return -1

    cdef int32_t reach(self, bytes host, bytes path) except -2:
        """The node of a rule, made where there is none."""
        cdef bint wild = host.startswith(b"*.")
        cdef bytes key = host[2:] if wild else host
        cdef bytes segment
        if len(key) > MAX_HOST or (path and not path.startswith(b"/")):
            raise ValueError(f"{host!r} {path!r} is no rule")
        if wild:
            self.deepest = max(self.deepest, key.count(b".") + 1)
        path = path.rstrip(b"/")
        if self.room - self.count <= path.count(b"/"):
            self.grow(path.count(b"/") + 1)
        cdef int32_t node = self.child(WILD if wild else EXACT, key, len(key))
        if path:
            for segment in path[1:].split(b"/"):
                self.longest = max(self.longest, len(segment))
                node = self.child(node, segment, len(segment))
        return node

    cdef int32_t child(self, int32_t parent, const char *key, int size) except -1:
        """The node of a key below parent, made where there is none: there is room for it."""
        cdef int32_t found = self.look(parent, key, size)
        cdef Node *node = &self.nodes[self.count]
        if found >= 0:
            return found
        node.hash = hash_of(parent, key, size)
        node.text = <uint32_t>self.keys.end
        node.size = size
        node.parent = parent
        node.children = 0
        node.routes = NULL
        add(&self.keys, key, size)
        self.nodes[parent].children += 1
        self.seat(self.count)
        self.count += 1
        return self.count - 1

    cdef void seat(self, int32_t node) noexcept:
        """Enter a node into the slots, of which half are free."""
        cdef uint64_t h = self.nodes[node].hash
        cdef uint32_t at = <uint32_t>(h >> 32) & self.mask
        while self.slots[at].node >= 0:
            at = (at + 1) & self.mask
        self.slots[at].tag = <uint32_t>h
        self.slots[at].node = node

    cdef int grow(self, int more) except -1:
        """Make room for `more` nodes and as many again: throw out those that no rule needs, then take more memory if need be."""
        cdef Buffer keys
        cdef Node *nodes
        cdef Slot *slots
        cdef int32_t i, room = FIRST_ROOM, needed = self.weigh() + more
        while room < 2 * needed:
            room *= 2
        nodes = <Node *>malloc(room * sizeof(Node))
        slots = <Slot *>malloc(2 * room * sizeof(Slot))
        memset(&keys, 0, sizeof(Buffer))
        try:
            if nodes == NULL or slots == NULL:
                raise MemoryError
            self.count = self.compact(nodes, &keys)
        except MemoryError:
            free(nodes)
            free(slots)
            release(&keys)
            raise
        free(self.nodes)
        free(self.slots)
        release(&self.keys)
        self.nodes, self.slots, self.keys, self.room, self.mask = nodes, slots, keys, room, 2 * room - 1
        memset(slots, 0xFF, 2 * room * sizeof(Slot))
        for i in range(2, self.count):
            self.seat(i)
        return 0

    cdef int32_t weigh(self) noexcept:
        """Count again what each node has below it that leads to a rule; how many nodes are needed."""
        cdef int32_t i, needed = 2
        for i in range(self.count):
            self.nodes[i].children = 0
        for i in range(self.count - 1, 1, -1):      # a node stands behind the one above it
            if self.nodes[i].routes != NULL or self.nodes[i].children:
                self.nodes[self.nodes[i].parent].children += 1
                needed += 1
        return needed

    cdef int32_t compact(self, Node *into, Buffer *keys) except -1:
        """Copy the nodes that are needed, with new numbers; how many they are. MemoryError: the old ones are as they were."""
        cdef int32_t i, count = 2
        cdef int32_t *number = <int32_t *>malloc(self.count * sizeof(int32_t))
        cdef Node *node
        if number == NULL:
            raise MemoryError
        try:
            memcpy(into, self.nodes, 2 * sizeof(Node))
            number[EXACT], number[WILD] = EXACT, WILD
            for i in range(2, self.count):
                node = &self.nodes[i]
                if node.routes == NULL and node.children == 0:
                    continue
                number[i] = count
                into[count] = node[0]
                into[count].parent = number[node.parent]
                into[count].hash = hash_of(into[count].parent, self.keys.data + node.text, node.size)
                into[count].text = <uint32_t>keys.end
                add(keys, self.keys.data + node.text, node.size)
                count += 1
        finally:
            free(number)
        return count
