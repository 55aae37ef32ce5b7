# A leg is one message each way on a connection; an exchange has one downstream and one upstream. What each may ask of the other.
from libc.stdint cimport int64_t
from haystack._fast.endpoint.endpoint cimport Member, Route, Waiter
from haystack._fast.http1.body cimport Framing
from haystack._fast.http1.flaw cimport Flaw
from haystack._fast.http1.head cimport Head
from haystack._fast.http1.serialize cimport Client
from haystack._fast.net.transport cimport Transport
from haystack._fast.util.buffer cimport Buffer

cdef struct Peer:               # a client, by its connection
    int listener                # its index
    int served                  # index of the listener whose routes it has
    void *shown                 # the Credential that its connection has shown; NULL: there is no TLS
    void *asked                 # bytes: the name that it asked for in TLS
    void *subject               # bytes: of the certificate that it has shown, NULL: it was asked for none,
    void *identity              # and what endpoints are told of that
    char address[48]
    int address_size
    int port                    # the same; 0: not known
    int fd                      # its connection, for who asks the kernel
    int rights                  # of its address (networks.Right): a trusted proxy's requests have those of the clients that it names
    bint trusted
    void *called                # the queue of the service that it called last; for comparison alone
    unsigned long long origin   # what stands for its address where connections of one are limited; 0: not counted

cdef class LegUser(Waiter):
    cdef DownLeg down
    cdef UpLeg up               # None: no endpoint has it

    # of the downstream leg
    cdef int body_ready(self) except -1
    cdef bint takes_body(self) noexcept
    cdef int on_body(self, const char *data, size_t size) except -1
    cdef int on_body_run(self) except -1
    cdef int on_body_spliced(self, size_t size) except -1
    cdef int on_body_end(self) except -1
    cdef int on_body_flaw(self, Flaw flaw) except -1
    cdef int on_body_late(self) except -1
    cdef int on_room(self) except -1
    cdef int on_drained(self) except -1
    cdef int abort(self) except -1
    cdef int end_with(self, const char *error) except -1
    cdef int give_way(self, int64_t since) except -1
    # of the upstream leg
    cdef int on_connected(self) except -1
    cdef int on_upstream_room(self) except -1
    cdef int on_interim(self, Head *h) except -1
    cdef bint on_late(self, int64_t begun) except -1
    cdef bint may_leave(self) noexcept
    cdef bint on_response(self, Head *h, Framing framing, bint first) except -1
    cdef int64_t timeout(self) noexcept
    cdef bint is_head_only(self) noexcept
    cdef int on_data(self, const char *data, size_t size) except -1
    cdef int on_data_run(self) except -1
    cdef int on_data_spliced(self, size_t size) except -1
    cdef int on_data_end(self, Buffer *trailer, bint drop, bint reusable) except -1
    cdef int on_switch(self, Head *h, const char *data, size_t size) except -1
    cdef int on_first(self, const char *data, size_t size) except -1
    cdef int on_lost(self, bint unseen, const char *error, int status) except -1
    cdef int on_timeout(self) except -1
    cdef int on_flaw(self, int status, const char *error, bytes detail, bint counts) except -1
    cdef int tunnel_up(self) except -1
    cdef int tunnel_down(self) except -1

cdef class DownLeg:
    cdef LegUser user           # None: it carries no message

    cdef Peer *peer(self) noexcept
    cdef int version(self) noexcept
    cdef bint body_done(self) noexcept
    cdef bint is_held_up(self, int64_t since) noexcept
    cdef int make_room(self) except -1
    cdef bint is_head_only(self) noexcept
    cdef bint takes_trailer(self) noexcept
    cdef int fill(self, Buffer *into) except -1
    cdef int read_body(self) except -1
    cdef int pass_end(self, UpLeg up) except -1
    cdef size_t unsent(self) noexcept
    cdef Transport raw(self)
    cdef int interim(self, Head *h) except -1
    cdef int begin_response(self, Head *h, Framing framing, Route route, Member remembered) except -1
    cdef int data(self, const char *data, size_t size) except -1
    cdef int end(self, Buffer *trailer, bint drop) except -1
    cdef int flush(self) except -1
    cdef bint take_back(self) except -1
    cdef int answer(self, int status, const char *error, bytes detail, int form, bytes identity) except -1
    cdef bint may_switch(self, Head *h) except -1
    cdef Py_ssize_t switch_protocols(self, Head *h, const char *data, size_t size) except -1
    cdef int open_raw(self) except -1
    cdef bint carry_up(self, UpLeg up, int64_t *moved) except -1
    cdef bint carry_down(self, UpLeg up, int64_t *moved) except -1
    cdef void no_more(self) noexcept
    cdef int cut(self) except -1
    cdef int finish(self) except -1
    cdef int reset(self) except -1
    cdef int later(self) except -1

cdef class UpLeg:
    cdef LegUser user           # None: it carries no message
    cdef bint reused            # its connection has carried others
    cdef int64_t begun          # when the request went up, in the poller's milliseconds
    cdef int interim            # interim responses so far

    cdef bint is_connecting(self) noexcept
    cdef bint is_waiting(self) noexcept
    cdef bint begin(self, Head *h, Client *client, tuple upgrade) except -1
    cdef int introduce(self, const char *data, size_t size) except -1
    cdef int open_raw(self, const char *data, size_t size) except -1
    cdef int send_body(self, const char *data, size_t size) except -1
    cdef int end_body(self, Buffer *trailer, bint drop) except -1
    cdef int flush(self) except -1
    cdef void forget(self) noexcept
    cdef size_t unsent(self) noexcept
    cdef Transport raw(self)
    cdef int extend(self, int64_t ms) except -1
    cdef int read(self) except -1
    cdef int let_switch(self) except -1
    cdef int detach(self, bint reusable) except -1

cdef class Handler:
    cdef int on_request(self, DownLeg leg, Head *h, size_t size) except -1
    cdef int on_bad_request(self, DownLeg leg, int status, const char *error, bytes detail) except -1
    cdef int on_passed(self, DownLeg leg, Route route, bytes name, size_t size) except -1
