from haystack._fast.http1.head cimport Head
from haystack._fast.http1.serialize cimport Client
from haystack._fast.net.networks cimport Networks
from haystack._fast.util.buffer cimport Buffer

cdef int add_forwarding(Buffer *out, Head *h, Client *client) except -1
cdef bint came_round(Head *h, const char *via, Py_ssize_t via_size) noexcept
cdef int find_client(Head *h, Client *client, Networks networks) except -1
