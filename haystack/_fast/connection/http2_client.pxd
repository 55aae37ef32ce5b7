# A connection to one endpoint, in HTTP/2: it carries as many exchanges at once as the endpoint lets it.
from libc.stdint cimport int64_t, uint32_t
from haystack._fast.connection.client cimport ClientConnection
from haystack._fast.connection.leg cimport UpLeg
from haystack._fast.http2.flood cimport Flood
from haystack._fast.http2.nghttp2 cimport nghttp2_session
from haystack._fast.util.linked_list cimport Link, Ring

cdef enum:
    MAX_STREAMS = 100       # exchanges that a connection carries, where the endpoint wants no fewer

cdef struct Times:          # milliseconds
    int64_t greet_by       # when it goes on without those SETTINGS; 0: they are there, or that is past
    int64_t rest_by        # when it leaves the pool
    int64_t busy_since     # when it left that last
    int64_t heard          # when something came last
    int64_t pinged         # when it was asked whether it is there; 0: it was not, or it has answered
    int64_t asked          # when it was asked that last
    bint fed               # something of a response has come since

cdef struct Budget:         # against floods
    Flood flood
    bint noticed           # what was read last had a frame of a known kind, or was part of one
    int pieces             # CONTINUATION frames of the head that is coming

cdef class Http2Client(ClientConnection):
    cdef nghttp2_session *session   # NULL: it is not connected yet
    cdef Link seat              # among all connections of its endpoint
    cdef Ring legs              # the streams that it carries
    cdef Ring touched           # legs that something was noted of, and that are looked at next
    cdef Ring drained           # legs whose body has gone, so that their users may send more
    cdef int allowed            # streams that it may carry; before the endpoint has said how many: as many as it said last, or one
    cdef bint greeted           # the endpoint's SETTINGS are there
    cdef bint going             # it takes no further stream: the endpoint has said so, or it is broken
    cdef bint unruly            # the endpoint breaks the protocol
    cdef bint calm              # it wants less of us (ENHANCE_YOUR_CALM)
    cdef bint over              # it has ended, and its legs have been told
    cdef bint proven            # a response has come on it
    cdef bint own               # it is for one exchange alone, which it has told the endpoint whose it is
    cdef Times times
    cdef Budget watch

    cdef bint is_leaving(self) noexcept
    cdef int capacity(self) noexcept
    cdef int room(self) noexcept
    cdef int places(self) noexcept
    cdef bint is_starting(self) noexcept
    cdef UpLeg lend(self)
    cdef int take_in(self, Link *place) noexcept
    cdef int greet(self) except -1
    cdef int read(self) except -1
    cdef int settle(self) except -1
    cdef int pump(self) except -1
    cdef int tell_drained(self) except -1
    cdef int schedule(self) except -1
    cdef void heed(self, int64_t deadline) noexcept
    cdef int pull(self) except -1
    cdef int begin_own(self) except -1
    cdef int fail_own(self, const char *error) except -1
    cdef int freed(self) except -1
    cdef int64_t ask_by(self) noexcept
    cdef int64_t given_up_at(self) noexcept
    cdef int suspect(self) except -1
    cdef int64_t quiet_since(self) noexcept
    cdef int end_late(self) except -1
    cdef int look_at_life(self) except -1
    cdef int set_deadline(self) except -1
    cdef int end(self, bint clean) except -1
    cdef int provide_another(self) except -1
