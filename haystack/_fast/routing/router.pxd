# From a request's Host and path to its Route: one hash table of host names and path segments for all listeners of a worker.
from libc.stdint cimport int32_t, uint32_t, uint64_t
from haystack._fast.endpoint.endpoint cimport Route
from haystack._fast.util.buffer cimport Buffer

cdef enum:
    EXACT = 0           # the node above all host names
    WILD = 1            # the node above what follows `*.` in host names
    MAX_HOST = 255      # RFC 1035, section 2.3.4: no name is longer

# A host name, or one segment of a path below it.
cdef struct Node:
    uint64_t hash
    uint32_t text       # where its key begins in Router.keys
    int32_t size
    int32_t parent
    int32_t children    # 0: no path goes on here
    void *routes        # a tuple, one Route a listener, that Router.held owns; NULL: only a way to deeper ones

cdef struct Slot:
    uint32_t tag        # of the node's hash, so that most that differ are told apart without a look at them
    int32_t node        # -1: free

cdef class Router:
    cdef Route admin    # of bare addresses that nobody has claimed
    cdef Route health   # for those who may not have that: whether Haystack is well, and nothing more
    cdef Node *nodes
    cdef int32_t count, room
    cdef Slot *slots
    cdef uint32_t mask
    cdef Buffer keys
    cdef int32_t longest    # key of a path segment
    cdef int32_t deepest    # labels of a wildcard
    cdef public Router passing      # rules for names whose TLS is passed through, without paths; None: there are none
    cdef dict held          # {(host, path): routes}: what the collector must see, for who waits in a route's queue leads back here

    cdef Route find(self, int listener, const char *host, int host_size, const char *path, int path_size)
    cdef int cut_at(self, const char *name, int size) noexcept
    cdef void *under(self, int32_t node, const char *path, int size) noexcept
    cdef int32_t look(self, int32_t parent, const char *key, int size) noexcept
    cdef int32_t reach(self, bytes host, bytes path) except -2
    cdef int32_t child(self, int32_t parent, const char *key, int size) except -1
    cdef int grow(self, int more) except -1
    cdef int32_t weigh(self) noexcept
    cdef int32_t compact(self, Node *into, Buffer *keys) except -1
    cdef void seat(self, int32_t node) noexcept
