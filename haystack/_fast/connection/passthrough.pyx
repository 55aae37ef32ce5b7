"""A client whose TLS is not ended here: the name in its hello leads to an endpoint, and its bytes go there unread.

The hello is in the socket still. What becomes of it from here on is an exchange as any other, without messages.
"""
from haystack._fast.endpoint.endpoint cimport Route
from haystack._fast.net.transport cimport replaced
from haystack._fast.util.linked_list cimport leave

cdef bytes ALERT = b"\x15\x03\x03\x00\x02\x02\x50"      # fatal, internal_error (RFC 8446, sections 5.1 and 6.2)


cdef class PassedLeg(Http1ServerLeg):
    """What a client sends from its hello on, and what comes back."""

    cdef int open_raw(self) except -1:
        self.tunnel = True
        return 0

    cdef int answer(self, int status, const char *error, bytes detail, int form, bytes identity) except -1:
        """No more can be said than that it is not the client's fault: it has heard nothing yet."""
        self.connection.transport.last = True
        self.connection.transport.send(<const char *>ALERT, len(ALERT))
        return 0


cdef bint pass_on(Http1Server client, bytes name, size_t size) except -1:
    """If a name's TLS is passed through, hand the client on; False: it is not, as far as this client may know."""
    cdef Route route = client.worker.passed(name)
    cdef PassedLeg leg
    if route is None or route.guard & ~client.peer.rights:
        return False
    leave(&client.link)
    replaced(client.transport)
    client.silence.watched = True       # nothing can be sent to see whether it is there
    client.keep_alive = False
    client.leg.connection = None
    leg = PassedLeg()
    leg.connection = client
    leg.body.done = True
    client.leg = leg
    client.handler.on_passed(leg, route, name, size)
    return True
