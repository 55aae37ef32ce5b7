# What a worker holds its clients and endpoints to. A time is in milliseconds, and 0 is off where that can be.
from libc.stdint cimport int64_t

cdef class Limits:
    cdef public int64_t max_head            # bytes of a request's head
    cdef public int64_t max_headers         # fields of a request's head
    cdef public int64_t max_clients         # connections of clients
    cdef public int64_t max_per_client      # of one client address; -1: a share of what is free
    cdef public int64_t max_endpoints       # connections to endpoints, pooled ones too
    cdef public int64_t head_ms             # from the first byte of a request's head to its last
    cdef public int64_t idle_ms             # between requests, and for a client to take bytes
    cdef public int64_t body_rate           # bytes a second that a client must send at least
    cdef public int64_t read_rate           # bytes a second that a client must take at least, while some wait for it
    cdef public int64_t max_kept            # bytes of memory for what clients have not taken
    cdef public int64_t kept_body           # a body up to so many bytes is read whole before it is sent
    cdef public int64_t connect_ms          # to an endpoint
    cdef public int64_t tunnel_ms           # without a byte either way after 101
    cdef public int64_t pool_size           # idle connections to an endpoint
    cdef public int64_t pool_ms             # that one of them is kept
    cdef public int64_t pool_age_ms         # from its making, used or not
    cdef public int64_t queue_size          # requests that wait for an endpoint below its haystack.max_connections
    cdef public int64_t queue_ms            # that one of them waits
    cdef public int64_t max_streams         # requests at once on a connection of HTTP/2
    cdef public int64_t h2c                 # not 0: HTTP/2 without TLS is spoken with who begins with it
