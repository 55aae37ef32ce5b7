"""What nghttp2 tells of a connection to an endpoint while it reads and writes: noted here, and acted on once it has returned.

Nothing here calls an exchange, closes a connection or sends. Of a stream that nobody has any more nothing is noted.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcmp

from haystack._fast.connection.http2_client cimport MAX_STREAMS
from haystack._fast.connection.http2_client_leg cimport Fate, Http2ClientLeg
from haystack._fast.http1.head cimport MAX_HEAD
from haystack._fast.http2.fields cimport MAX_PAIRS, take_trailer
from haystack._fast.http2.flood cimport OF_EMPTY, OF_RESET, OF_SETTINGS, earn, overflows
from haystack._fast.http2.nghttp2 cimport *
from haystack._fast.http2.request_head cimport pairs_of_trailer
from haystack._fast.util.buffer cimport Buffer, add, pending, take
from haystack._fast.util.linked_list cimport Link, join

cdef extern from "nghttp2/nghttp2.h":
    enum:
        NGHTTP2_ERR_NOMEM
    void nghttp2_option_set_max_reserved_remote_streams(nghttp2_option *, uint32_t)
    void nghttp2_option_del(nghttp2_option *)
    void nghttp2_session_callbacks_set_before_frame_send_callback(
        nghttp2_session_callbacks *, int (*)(nghttp2_session *, const nghttp2_frame *, void *) noexcept)
    void nghttp2_session_callbacks_set_on_frame_not_send_callback(
        nghttp2_session_callbacks *, int (*)(nghttp2_session *, const nghttp2_frame *, int, void *) noexcept)
    void nghttp2_session_callbacks_set_on_invalid_header_callback(
        nghttp2_session_callbacks *,
        int (*)(nghttp2_session *, const nghttp2_frame *, const uint8_t *, size_t, const uint8_t *, size_t, uint8_t, void *) noexcept)

cdef enum:
    MAX_TRAILER = 16384     # bytes of a trailer section
    MAX_PIECES = 16         # CONTINUATION frames of a head
    MAX_ACKS = 200          # answers to PING and SETTINGS that the endpoint has not taken

cdef nghttp2_session_callbacks *callbacks = NULL
cdef nghttp2_option *options = NULL
cdef nghttp2_nv[MAX_PAIRS] pairs


cdef Http2ClientLeg leg_of(nghttp2_session *session, int32_t stream):
    """Whose stream it is; None: nobody's any more."""
    cdef void *leg = nghttp2_session_get_stream_user_data(session, stream)
    return None if leg == NULL else <Http2ClientLeg>leg


cdef inline void touch(Http2ClientLeg leg) noexcept:
    """Look at it once nghttp2 has returned."""
    if leg.touch.ring == NULL:
        join(&leg.connection.touched, &leg.touch)


cdef inline void doom(Http2ClientLeg leg, Fate fate) noexcept:
    """What comes of this response is of no use; the first finding counts."""
    if leg.fate == Fate.NO_FATE:
        leg.fate = fate
    touch(leg)


# while it reads

cdef int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *data) noexcept:
    """Any frame, before it is looked at: there are not to be too many of those that carry nothing."""
    cdef Http2Client connection = <Http2Client>data
    cdef int cost = 1
    connection.watch.noticed = True
    if hd.type == NGHTTP2_DATA:
        cost = OF_EMPTY if hd.length == 0 and not hd.flags & NGHTTP2_FLAG_END_STREAM else 0
    elif hd.type == NGHTTP2_HEADERS:
        connection.watch.pieces = 0
    elif hd.type == NGHTTP2_CONTINUATION:
        connection.watch.pieces += 1
        cost = OF_EMPTY
        if connection.watch.pieces > MAX_PIECES:
            return NGHTTP2_ERR_CALLBACK_FAILURE
    elif hd.type == NGHTTP2_SETTINGS and not hd.flags & NGHTTP2_FLAG_ACK:
        cost = OF_SETTINGS
    elif hd.type == NGHTTP2_PUSH_PROMISE:
        cost = OF_RESET
    return NGHTTP2_ERR_CALLBACK_FAILURE if cost and overflows(&connection.watch.flood, cost, connection.worker.poller.now) else 0


cdef int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *data) noexcept:
    cdef Http2ClientLeg leg = leg_of(session, frame.hd.stream_id)
    if leg is not None:
        leg.response.final = False
    return 0


cdef int on_header(
        nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size, const uint8_t *value,
        size_t value_size, uint8_t flags, void *data) noexcept:
    """A field; nghttp2 has checked the order of fields, their names, and what may not stand in a response."""
    cdef Http2ClientLeg leg = leg_of(session, frame.hd.stream_id)
    if leg is None or frame.hd.type != NGHTTP2_HEADERS:
        return 0
    try:
        return note_field(leg, <const char *>name, name_size, <const char *>value, value_size)
    except MemoryError:
        return NGHTTP2_ERR_CALLBACK_FAILURE


cdef int note_field(Http2ClientLeg leg, const char *name, size_t name_size, const char *value, size_t value_size) except? -1:
    cdef Buffer *out = &leg.response.heads
    if leg.headed:
        take_trailer(&leg.response.trailer, name, name_size, value, value_size)
        if pending(&leg.response.trailer) > MAX_TRAILER:
            doom(leg, Fate.LARGE)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
        return 0
    if name_size == 7 and memcmp(name, b":status", 7) == 0:
        leg.response.final = value_size > 0 and value[0] != c'1'
        add(out, b"HTTP/1.1 ", 9)
        add(out, value, value_size)
        return add(out, b" \r\n", 3)
    add(out, name, name_size)
    add(out, b": ", 2)
    add(out, value, value_size)
    add(out, b"\r\n", 2)
    if pending(out) >= MAX_HEAD:
        doom(leg, Fate.LARGE)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
    return 0


cdef int on_invalid_header(
        nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size, const uint8_t *value,
        size_t value_size, uint8_t flags, void *data) noexcept:
    """A field that nobody may send makes the whole message malformed (RFC 9113, section 8.1.1)."""
    cdef Http2ClientLeg leg = leg_of(session, frame.hd.stream_id)
    if leg is not None:
        doom(leg, Fate.MALFORMED)
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE


cdef int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *data) noexcept:
    cdef Http2ClientLeg leg = leg_of(session, frame.hd.stream_id)
    if leg is not None:
        doom(leg, Fate.MALFORMED)
    return 0


cdef int on_data_chunk(
        nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *chunk, size_t size, void *data) noexcept:
    cdef Http2ClientLeg leg = leg_of(session, stream)
    cdef Http2Client connection = <Http2Client>data
    cdef size_t before
    connection.watch.noticed = True
    if leg is None or leg.fate != Fate.NO_FATE:
        nghttp2_session_consume(session, stream, size)     # else nobody would ever give that room back
        return 0
    before = leg.response.input.capacity
    try:
        add(&leg.response.input, <const char *>chunk, size)
    except MemoryError:
        return NGHTTP2_ERR_CALLBACK_FAILURE
    connection.worker.poller.kept += <int64_t>(leg.response.input.capacity - before)
    touch(leg)
    return 0


cdef int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data) noexcept:
    """A whole frame, and with HEADERS all that continue them."""
    cdef Http2Client connection = <Http2Client>data
    cdef Http2ClientLeg leg
    if frame.hd.type == NGHTTP2_SETTINGS and not frame.hd.flags & NGHTTP2_FLAG_ACK:
        connection.greeted = True
        connection.times.greet_by = 0
        connection.allowed = <int>min(
            <uint32_t>MAX_STREAMS, nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
        connection.endpoint.http2.streams = connection.allowed
    elif frame.hd.type == NGHTTP2_PING and frame.hd.flags & NGHTTP2_FLAG_ACK:
        connection.times.pinged = 0
    elif frame.hd.type == NGHTTP2_GOAWAY:
        connection.going = True
        connection.calm = connection.calm or frame.goaway.error_code == NGHTTP2_ENHANCE_YOUR_CALM
    elif frame.hd.type in (NGHTTP2_HEADERS, NGHTTP2_DATA, NGHTTP2_RST_STREAM):
        connection.times.fed = True
        leg = leg_of(session, frame.hd.stream_id)
        if leg is None:
            return 0
        touch(leg)
        if frame.hd.type == NGHTTP2_RST_STREAM:
            if not leg.ended:
                leg.fate = Fate.REFUSED if frame.rst_stream.error_code == NGHTTP2_REFUSED_STREAM else Fate.RESET
            return 0
        if frame.hd.type == NGHTTP2_HEADERS and not leg.headed:
            leg.headed = leg.response.final
            leg.response.bare = leg.headed and frame.hd.flags & NGHTTP2_FLAG_END_STREAM != 0
            try:
                add(&leg.response.heads, b"\r\n", 2)
            except MemoryError:
                return NGHTTP2_ERR_CALLBACK_FAILURE
            earn(&connection.watch.flood, leg.response.final)
        leg.ended = frame.hd.flags & NGHTTP2_FLAG_END_STREAM
    return 0


cdef int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *data) noexcept:
    """The stream is gone: by itself, with a reset of either side, or with a GOAWAY that does not count it in."""
    cdef Http2ClientLeg leg = leg_of(session, stream)
    if leg is None:
        return 0
    leg.closed = True
    leg.code = code
    if not leg.ended:
        # who has sent no RST_STREAM has sent what nghttp2 resets by itself, but for what a GOAWAY leaves out
        doom(leg, Fate.REFUSED if code == NGHTTP2_REFUSED_STREAM else Fate.MALFORMED)
    touch(leg)
    return 0


# while it writes

cdef int before_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data) noexcept:
    """A frame is about to be written: from a head's on the endpoint may know of the request."""
    cdef Http2Client connection = <Http2Client>data
    cdef Http2ClientLeg leg
    if frame.hd.type == NGHTTP2_HEADERS:
        leg = leg_of(session, frame.hd.stream_id)
        if leg is not None and leg.request.head_at < 0:
            leg.request.head_at = connection.transport.given()
            if not connection.transport.sealed:
                leg.request.head_at += <int64_t>connection.worker.work.end
    return 0


cdef int on_frame_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *data) noexcept:
    """A head can't be sent any more, for a GOAWAY has come: nghttp2 knows no such stream."""
    cdef Http2Client connection = <Http2Client>data
    cdef Link *at = connection.legs.oldest
    cdef Http2ClientLeg leg
    while at != NULL and frame.hd.type == NGHTTP2_HEADERS:
        leg = <Http2ClientLeg>at.owner
        at = at.newer
        if leg.stream == frame.hd.stream_id and leg.request.head_at < 0:
            leg.closed = True
            doom(leg, Fate.REFUSED)
    return 0


cdef ssize_t read_body(
        nghttp2_session *session, int32_t stream, uint8_t *out, size_t size, uint32_t *flags, nghttp2_data_source *source,
        void *data) noexcept:
    """How much of a request's body goes into a frame of at most `size` bytes; write_body puts it there."""
    cdef Http2ClientLeg leg = leg_of(session, stream)
    cdef size_t have
    if leg is None:
        return NGHTTP2_ERR_DEFERRED     # its reset is on the way
    have = pending(&leg.request.output)
    if have == 0 and not leg.request.finished:
        leg.request.deferred = True
        return NGHTTP2_ERR_DEFERRED
    if have:
        flags[0] |= NGHTTP2_DATA_FLAG_NO_COPY
    if have <= size and leg.request.finished:
        flags[0] |= NGHTTP2_DATA_FLAG_EOF
        if pending(&leg.request.ending):
            flags[0] |= NGHTTP2_DATA_FLAG_NO_END_STREAM
            if nghttp2_submit_trailer(session, stream, pairs, pairs_of_trailer(&leg.request.ending, pairs)) != 0:
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
    return <ssize_t>min(have, size)


cdef int write_body(
        nghttp2_session *session, nghttp2_frame *frame, const uint8_t *hd, size_t size, nghttp2_data_source *source,
        void *data) noexcept:
    """Write a whole DATA frame, from its nine bytes on (no padding is asked for)."""
    cdef Http2Client connection = <Http2Client>data
    cdef Http2ClientLeg leg = leg_of(session, frame.hd.stream_id)
    if leg is None:
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
    try:
        add(&connection.worker.work, <const char *>hd, 9)
        add(&connection.worker.work, leg.request.output.data + leg.request.output.start, size)
    except MemoryError:
        return NGHTTP2_ERR_CALLBACK_FAILURE
    take(&leg.request.output, size)
    leg.request.moved += <int64_t>size
    earn(&connection.watch.flood, 1)
    if pending(&leg.request.output) == 0 and not leg.request.finished:
        join(&connection.drained, &leg.room)
    return 0


cdef nghttp2_data_source_read_callback reader() noexcept:
    """What nghttp2 asks for a request's body."""
    return read_body


cdef int prepare() except -1:
    """What all connections have in common, made once."""
    global callbacks, options
    if nghttp2_session_callbacks_new(&callbacks) != 0 or nghttp2_option_new(&options) != 0:
        raise MemoryError
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame)
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers)
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header)
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header)
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame)
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk)
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame)
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close)
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, before_frame)
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent)
    nghttp2_session_callbacks_set_send_data_callback(callbacks, write_body)
    nghttp2_option_set_no_auto_window_update(options, 1)
    nghttp2_option_set_no_closed_streams(options, 1)
    nghttp2_option_set_max_reserved_remote_streams(options, 0)
    nghttp2_option_set_max_outbound_ack(options, MAX_ACKS)
    nghttp2_option_set_peer_max_concurrent_streams(options, MAX_STREAMS)
    return 0


cdef nghttp2_session *open_session(Http2Client connection) except NULL:
    """The codec of one connection, which must outlive it."""
    cdef nghttp2_session *session
    if callbacks == NULL:
        prepare()
    if nghttp2_session_client_new2(&session, callbacks, <void *>connection, options) != 0:
        raise MemoryError
    return session
