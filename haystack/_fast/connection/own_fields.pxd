# What Haystack adds to the head of an endpoint's response.
from haystack._fast.connection.leg cimport Peer
from haystack._fast.endpoint.endpoint cimport Member, Route
from haystack._fast.http1.head cimport Head
from haystack._fast.util.buffer cimport Buffer

cdef int add_own_fields(Buffer *out, Head *h, Peer *peer, Route route, Member remembered) except -1
