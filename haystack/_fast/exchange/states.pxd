# How far an exchange is, and what may follow.
from haystack._fast.util.allocations cimport IS_DEBUG

cdef enum State:
    READ = 0            # its head is there, and is looked at
    BUFFER              # a small body is read whole before an endpoint is asked
    PENDING             # no endpoint takes it now
    CONNECT             # a connection to an endpoint is being made
    SEND                # the request goes up; nothing of a response is there
    RESPOND             # the response comes down
    TUNNEL              # the endpoint has switched protocols: raw bytes both ways
    DONE

cdef int check_step(State before, State after) except -1

cdef inline State step(State before, State after) except? State.READ:
    """The state that follows. Which one may, is checked in the debug build."""
    if IS_DEBUG:
        check_step(before, after)
    return after
