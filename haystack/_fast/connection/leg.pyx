"""What an exchange and its two legs may ask of each other. A leg knows one protocol's wire format; an exchange knows none, and no socket.

A connection of HTTP/1 has one leg, for it carries one message at a time; one of HTTP/2 has one a stream. The classes here are
abstract: a method raises NotImplementedError where a subclass (Exchange, Http1ServerLeg, Http1ClientLeg) lacks it.
"""
from libc.stdint cimport int64_t

from haystack._fast.http1.flaw cimport Flaw
from haystack._fast.http1.head cimport Head


cdef class LegUser(Waiter):
    """What a leg tells the exchange that it is part of. Any of these may end the exchange: `user` of the leg is None then."""

    cdef int body_ready(self) except -1:
        """The client has sent something of its request's body, or behind it."""
        raise NotImplementedError

    cdef bint takes_body(self) noexcept:
        """Whether more of the request's body may come now. If not, DownLeg.read_body is called once it may."""
        return False

    cdef int on_body(self, const char *data, size_t size) except -1:
        """A run of the request's body, without its framing."""
        raise NotImplementedError

    cdef int on_body_run(self) except -1:
        """All that was read at once has been told of."""
        raise NotImplementedError

    cdef int on_body_spliced(self, size_t size) except -1:
        """So many bytes went from the client's transport to the endpoint's unseen."""
        raise NotImplementedError

    cdef int on_body_end(self) except -1:
        """The request is whole."""
        raise NotImplementedError

    cdef int on_body_flaw(self, Flaw flaw) except -1:
        """The framing of the request's body is bad."""
        raise NotImplementedError

    cdef int on_body_late(self) except -1:
        """There is nothing of the body to read now, and more has to come."""
        raise NotImplementedError

    cdef int on_room(self) except -1:
        """The client has taken some of what was kept for it."""
        raise NotImplementedError

    cdef int on_drained(self) except -1:
        """The client has taken all that was kept for it."""
        raise NotImplementedError

    cdef int abort(self) except -1:
        """Break off both sides."""
        raise NotImplementedError

    cdef int end_with(self, const char *error) except -1:
        """Break off both sides. error: the word for it (RFC 9209, section 2.3), counted by who calls this."""
        raise NotImplementedError

    cdef int give_way(self, int64_t since) except -1:
        """Nothing of what has come has gone on since then, so that others of the client can't send: may end this."""
        raise NotImplementedError

    cdef int on_connected(self) except -1:
        """The connection to the endpoint is made: the request may go up."""
        raise NotImplementedError

    cdef int on_upstream_room(self) except -1:
        """The endpoint takes bytes again."""
        raise NotImplementedError

    cdef int on_interim(self, Head *h) except -1:
        """An interim response (RFC 9110, section 15.2)."""
        raise NotImplementedError

    cdef bint on_late(self, int64_t begun) except -1:
        """A request that was sent at `begun` is not answered yet, though it should be. Whether that counts against the endpoint."""
        raise NotImplementedError

    cdef bint may_leave(self) noexcept:
        """Whether there is another endpoint that could answer instead, while nothing of a response has gone on.

        A response has begun already: of a request that has an effect, that of another endpoint would say something else.
        """
        return False

    cdef bint on_response(self, Head *h, Framing framing, bint first) except -1:
        """The head of the response. first: no interim one came before. False: the exchange goes elsewhere or has ended."""
        raise NotImplementedError

    cdef int64_t timeout(self) noexcept:
        """Milliseconds that the endpoint may take."""
        return 0

    cdef bint is_head_only(self) noexcept:
        """Whether the response has no body, whatever its head says (RFC 9110, 9.3.2)."""
        return False

    cdef int on_data(self, const char *data, size_t size) except -1:
        """A run of the response's body, without its framing."""
        raise NotImplementedError

    cdef int on_data_run(self) except -1:
        """All that was read at once has been told of."""
        raise NotImplementedError

    cdef int on_data_spliced(self, size_t size) except -1:
        """So many bytes of the body went to the client's transport unseen."""
        raise NotImplementedError

    cdef int on_data_end(self, Buffer *trailer, bint drop, bint reusable) except -1:
        """The response is whole. reusable: its connection is in a known state. drop: the trailer section goes no further."""
        raise NotImplementedError

    cdef int on_switch(self, Head *h, const char *data, size_t size) except -1:
        """A 101, and what came behind it."""
        raise NotImplementedError

    cdef int on_first(self, const char *data, size_t size) except -1:
        """The first bytes of an endpoint to which raw ones go from the beginning."""
        raise NotImplementedError

    cdef int on_lost(self, bint unseen, const char *error, int status) except -1:
        """The connection broke before a response. unseen: the endpoint can't have had any of the request."""
        raise NotImplementedError

    cdef int on_timeout(self) except -1:
        """The response took too long."""
        raise NotImplementedError

    cdef int on_flaw(self, int status, const char *error, bytes detail, bint counts) except -1:
        """The response is refused, or ends too early: how the client is answered if it can be. counts: against the endpoint."""
        raise NotImplementedError

    cdef int tunnel_up(self) except -1:
        """Raw bytes of the client can be read, or the endpoint takes some."""
        raise NotImplementedError

    cdef int tunnel_down(self) except -1:
        """The same the other way."""
        raise NotImplementedError


cdef class DownLeg:
    """A request as it comes, and its response as it goes down. The framing on the client's side is its affair alone."""

    cdef Peer *peer(self) noexcept:
        """The client."""
        return NULL

    cdef int version(self) noexcept:
        """Of HTTP, that the client speaks: its major number."""
        return 1

    cdef bint body_done(self) noexcept:
        """Whether the request has been read whole."""
        return False

    cdef bint is_held_up(self, int64_t since) noexcept:
        """Whether more of it can't come, or could not since then, for what its client has sent of other requests, or is sent, waits."""
        return False

    cdef int make_room(self) except -1:
        """More of it can't come: have those give way that hold what their endpoints have not taken for long."""
        return 0

    cdef bint is_head_only(self) noexcept:
        """Whether the response has no body, whatever its head says (RFC 9110, 9.3.2)."""
        return False

    cdef bint takes_trailer(self) noexcept:
        """Whether the trailer section of a response may go down."""
        return False

    cdef int fill(self, Buffer *into) except -1:
        """Read the rest of a body of known length behind what stands in `into`. 1: it is whole; 0: not yet; -2: the client is gone."""
        raise NotImplementedError

    cdef int read_body(self) except -1:
        """Tell the user of what there is of the request's body, for as long as it takes some."""
        raise NotImplementedError

    cdef int pass_end(self, UpLeg up) except -1:
        """The request is whole: tell the other leg, with what its trailer section holds."""
        raise NotImplementedError

    cdef size_t unsent(self) noexcept:
        """Bytes that the client has not taken yet."""
        return 0

    cdef Transport raw(self):
        """What can be spliced or tunnelled through; None: the bytes have to go through this leg."""
        raise NotImplementedError

    cdef int interim(self, Head *h) except -1:
        """Send an interim response."""
        raise NotImplementedError

    cdef int begin_response(self, Head *h, Framing framing, Route route, Member remembered) except -1:
        """Write the head of a response, which goes with the first of the body. remembered: whom a sticky cookie names, or None."""
        raise NotImplementedError

    cdef int data(self, const char *data, size_t size) except -1:
        """A run of the response's body, which may wait for `flush`."""
        raise NotImplementedError

    cdef int end(self, Buffer *trailer, bint drop) except -1:
        """The body is whole: send its end, with the trailer section if there is one."""
        raise NotImplementedError

    cdef int flush(self) except -1:
        """Send what is written."""
        raise NotImplementedError

    cdef bint take_back(self) except -1:
        """Forget the head that was written; False: it has gone down."""
        raise NotImplementedError

    cdef int answer(self, int status, const char *error, bytes detail, int form, bytes identity) except -1:
        """A whole response of Haystack's own; how many bytes its body has."""
        raise NotImplementedError

    cdef bint may_switch(self, Head *h) except -1:
        """Whether the 101 with this head is an answer to what the client asked for."""
        return True

    cdef Py_ssize_t switch_protocols(self, Head *h, const char *data, size_t size) except -1:
        """A 101 and the bytes behind it; how many of the client's went up already. From here on all are raw."""
        raise NotImplementedError

    cdef int open_raw(self) except -1:
        """All bytes are raw, from the first one on."""
        raise NotImplementedError

    cdef bint carry_up(self, UpLeg up, int64_t *moved) except -1:
        """Raw bytes for the endpoint, as far as it takes them; False: both ways are at their end, or one is broken."""
        raise NotImplementedError

    cdef bint carry_down(self, UpLeg up, int64_t *moved) except -1:
        """The same the other way."""
        raise NotImplementedError

    cdef void no_more(self) noexcept:
        """The connection carries no further message."""

    cdef int cut(self) except -1:
        """The rest of the response can't be had: what came of it goes down, then an end that tells so."""
        raise NotImplementedError

    cdef int finish(self) except -1:
        """The response has been sent whole: the leg is free."""
        raise NotImplementedError

    cdef int reset(self) except -1:
        """Break off; where only the end of the connection ends the body, in a way that does not look like one."""
        raise NotImplementedError

    cdef int later(self) except -1:
        """Call on_drained or body_ready again once this batch is done."""
        raise NotImplementedError


cdef class UpLeg:
    """A request as it goes up, and its response as it comes. The framing on the endpoint's side is its affair alone."""

    cdef bint is_connecting(self) noexcept:
        """Whether the connection is being made still."""
        return False

    cdef bint is_waiting(self) noexcept:
        """Whether nothing of a response has come, or nothing more for a while of one that is held."""
        return False

    cdef bint begin(self, Head *h, Client *client, tuple upgrade) except -1:
        """Write the head of a request. upgrade: protocols that it may ask for, beside websocket. Whether it asks for one."""
        raise NotImplementedError

    cdef int introduce(self, const char *data, size_t size) except -1:
        """Send this before anything else on a new connection, which is for nobody else from here on: whose it is."""
        raise NotImplementedError

    cdef int open_raw(self, const char *data, size_t size) except -1:
        """Send these bytes, and tell of what comes back as it is: there is no message."""
        raise NotImplementedError

    cdef int send_body(self, const char *data, size_t size) except -1:
        """A run of the request's body, which may wait for `flush`."""
        raise NotImplementedError

    cdef int end_body(self, Buffer *trailer, bint drop) except -1:
        """The body is whole. drop: the trailer section goes no further."""
        raise NotImplementedError

    cdef int flush(self) except -1:
        """Send what is written."""
        raise NotImplementedError

    cdef void forget(self) noexcept:
        """Drop what is written and not sent."""

    cdef size_t unsent(self) noexcept:
        """Bytes that the endpoint has not taken yet."""
        return 0

    cdef Transport raw(self):
        """What can be spliced or tunnelled through; None: the bytes have to go through this leg."""
        raise NotImplementedError

    cdef int extend(self, int64_t ms) except -1:
        """Give the endpoint so long from now on."""
        raise NotImplementedError

    cdef int read(self) except -1:
        """Read on: the client takes bytes again."""
        raise NotImplementedError

    cdef int let_switch(self) except -1:
        """The request has gone up whole: a 101 that waits for it may be told of."""
        raise NotImplementedError

    cdef int detach(self, bint reusable) except -1:
        """The exchange is over, or goes elsewhere. reusable: the connection is in a known state."""
        raise NotImplementedError


cdef class Handler:
    """Makes an exchange of each request."""

    cdef int on_request(self, DownLeg leg, Head *h, size_t size) except -1:
        """A request whose head has so many bytes has come on this leg."""
        raise NotImplementedError

    cdef int on_bad_request(self, DownLeg leg, int status, const char *error, bytes detail) except -1:
        """The same, and its head can't be read: how it is answered."""
        raise NotImplementedError

    cdef int on_passed(self, DownLeg leg, Route route, bytes name, size_t size) except -1:
        """The client's TLS is somebody else's to end: it leads there from its hello on, which has so many bytes and asks for this name."""
        raise NotImplementedError
