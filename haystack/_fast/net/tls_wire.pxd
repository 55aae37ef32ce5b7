# What OpenSSL reads and writes: the socket, of which it is known whether it is empty.
from haystack._fast.net.openssl cimport SSL

cdef struct Wire:
    SSL *ssl
    int fd
    bint empty          # a read has taken all that there was, and no event has come since
    bint hung_up        # the other side sends no more: a short read does not say that nothing follows
    bint ended          # that end has been read
    bint last           # what is sent now is the last: its segment waits for the end, which follows at once

cdef bint wire_up(Wire *wire, SSL *ssl, int fd) noexcept
