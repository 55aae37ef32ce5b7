"""The states of an exchange and their transitions, in one table. docs/architecture.md draws it."""

cdef enum:
    ANYWHERE = 1 << State.PENDING | 1 << State.CONNECT | 1 << State.SEND | 1 << State.DONE  # an endpoint, a wait for one, or the end

cdef int[8] FOLLOWING = [
    1 << State.BUFFER | ANYWHERE,                   # READ
    ANYWHERE,                                       # BUFFER
    ANYWHERE,                                       # PENDING: woken in vain it waits again
    ANYWHERE,                                       # CONNECT
    ANYWHERE | 1 << State.RESPOND | 1 << State.TUNNEL,      # SEND: a broken connection leads elsewhere
    1 << State.SEND | 1 << State.DONE,              # RESPOND: back where the head was written, and taken back
    1 << State.DONE,                                # TUNNEL
    1 << State.READ,                                # DONE: the next request has its memory
]


cdef int check_step(State before, State after) except -1:
    """AssertionError: no such transition."""
    if not FOLLOWING[<int>before] >> <int>after & 1:
        raise AssertionError(f"an exchange does not go from state {<int>before} to {<int>after}")
    return 0
