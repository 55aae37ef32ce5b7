"""What clients' connections of all protocols have in common: who the client is, and how a worker that has many of them treats one.

It is idle, or bytes wait for it, or it is at work; it stands in that list of the worker. Subclasses have the codec and the legs.
"""
from libc.stdint cimport int64_t

from haystack._fast.util.linked_list cimport join, leave


cdef class ServerConnection(Connection):
    """A client's connection. Abstract, but for what needs no codec."""

    cdef bint is_at_rest(self) noexcept:
        """Whether it has no request, not even one that was not read yet: it may be closed."""
        return False

    cdef int rest(self) noexcept:
        """It has no request from now on, and has taken every answer."""
        join(&self.worker.clients.idle, &self.link)
        return 0

    cdef int drain(self) except -1:
        """This worker is about to end: the client is to bring no further request, where the protocol has a word for that."""
        return 0

    cdef bint carries(self, LegUser user) noexcept:
        """Whether this exchange is one of its own."""
        return False

    cdef bint is_excused(self) noexcept:
        """Whether nobody is to call it slow: a tunnel may be silent for long, and streams are judged one by one."""
        return False

    cdef int judge(self, int64_t passed) except -1:
        """Bytes wait for it, and so many milliseconds have passed since the last look."""
        return 0

    cdef int drop_uploads(self, LegUser keep) except -1:
        """Break off the requests whose bodies are held here, but for this one: there is no memory for all."""
        return 0

    cdef int make_room(self) except -1:
        """Have those give way of which nothing goes on, while others can't send for what they hold."""
        return 0

    cdef int cut_off(self, const char *error) except -1:
        """Break off with a reset: our kernel would go on to keep what it has for the client. error: a word of RFC 9209."""
        raise NotImplementedError

    cdef void on_blocked(self) noexcept:
        join(&self.worker.clients.readers, &self.link)

    cdef int on_hello(self) except -1:
        """A handshake has the time that a head has."""
        leave(&self.link)
        self.transport.deadline = self.worker.poller.now + self.worker.limits.head_ms
        return 0
