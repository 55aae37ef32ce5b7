# The debug build's counters of what is alive. In the release build IS_DEBUG is the constant 0: the compiler drops each call with its `if`.
from libc.stdint cimport int64_t

cdef extern from *:
    """
    #ifndef HAYSTACK_DEBUG
    #define HAYSTACK_DEBUG 0
    #endif
    """
    const int IS_DEBUG "HAYSTACK_DEBUG"

cdef enum Asset:
    SOCKET = 0
    ENDPOINT
    BUFFER
    ANSWER                  # of another nameserver, that is kept or on its way
    VIEW                    # of a name of the zone
    WAITER                  # a question that waits for another nameserver
    TLS                     # a context or a connection of OpenSSL's

cdef void book(Asset asset, int64_t by) noexcept nogil
