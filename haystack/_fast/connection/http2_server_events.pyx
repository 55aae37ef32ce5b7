"""What nghttp2 tells of a client's connection while it reads and writes. An exception is kept for who has called it.

What has come is noted, and acted on once nghttp2 has returned; of a body it is told how much there is, and that goes into its frames.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from haystack._fast.connection.http2_leg cimport EMPTY_TAIL, LAST_CHUNK, Http2ServerLeg, Streams
from haystack._fast.connection.http2_server cimport Http2Server, Leaving
from haystack._fast.http2.fields cimport MAX_PAIRS, MOST_WRITTEN, OVERHEAD, begin, pairs_of, take_field, take_trailer
from haystack._fast.http2.flood cimport OF_DROPPED, OF_EMPTY, OF_SETTINGS, earn
from haystack._fast.http2.nghttp2 cimport *
from haystack._fast.http2.session_memory cimport end_memory, session_memory
from haystack._fast.util.buffer cimport Buffer, add, pending, take

cdef extern from "nghttp2/nghttp2.h":
    enum:
        NGHTTP2_PRIORITY_UPDATE
    void nghttp2_option_set_builtin_recv_extension_type(nghttp2_option *, uint8_t)
    void nghttp2_session_callbacks_set_on_invalid_header_callback(
        nghttp2_session_callbacks *,
        int (*)(nghttp2_session *, const nghttp2_frame *, const uint8_t *, size_t, const uint8_t *, size_t, uint8_t, void *) noexcept)

cdef enum:
    FRAME_HEAD = 9          # bytes (RFC 9113, section 4.1)
    GIVEN_BACK = 2048       # bytes of a body for which a client may give windows back by themselves
    GROWN = 4               # times the size that a field section may have, and it is answered no more

cdef nghttp2_session_callbacks *callbacks = NULL
cdef nghttp2_option *options = NULL
cdef nghttp2_nv[MAX_PAIRS] pairs


# while it reads

cdef int failed(Http2Server connection, object error) noexcept:
    connection.error = error
    return NGHTTP2_ERR_CALLBACK_FAILURE


cdef int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) noexcept:
    cdef Http2Server connection = <Http2Server>user
    cdef void *owner
    try:
        if frame.headers.cat == NGHTTP2_HCAT_REQUEST:
            return connection.open_leg(frame.hd.stream_id)
        owner = nghttp2_session_get_stream_user_data(session, frame.hd.stream_id)
        connection.coming = None if owner == NULL else <Http2ServerLeg>owner
        begin(&connection.section)
        return 0
    except BaseException as error:
        return failed(connection, error)


cdef int on_header(
    nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
    const uint8_t *value, size_t value_size, uint8_t flags, void *user
) noexcept:
    cdef Http2Server connection = <Http2Server>user
    try:
        if connection.section.size > connection.worker.limits.max_head or connection.coming is None:
            # it is refused, and what it holds is not kept; of one that grows on in nghttp2's hands the rest is not looked at either
            connection.section.size += <int>(name_size + value_size)
            return 0 if connection.section.size < GROWN * connection.worker.limits.max_head else NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
        if frame.headers.cat == NGHTTP2_HCAT_REQUEST:
            return take_field(&connection.section, <const char *>name, name_size, <const char *>value, value_size)
        connection.section.size += <int>(name_size + value_size) + OVERHEAD
        return take_trailer(&connection.coming.trailer, <const char *>name, name_size, <const char *>value, value_size)
    except BaseException as error:
        return failed(connection, error)


cdef int on_invalid_header(
        nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size, const uint8_t *value,
        size_t value_size, uint8_t flags, void *user) noexcept:
    """A field that nobody may send makes the whole message malformed (RFC 9113, section 8.1.1): newer nghttp2 would only leave it out."""
    (<Http2Server>user).charge(OF_SETTINGS)
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame.hd.stream_id, NGHTTP2_PROTOCOL_ERROR)
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE


cdef int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *user) noexcept:
    cdef Http2Server connection = <Http2Server>user
    if head.type == NGHTTP2_CONTINUATION:
        connection.charge(OF_EMPTY)
    elif head.stream_id and head.type != NGHTTP2_DATA and (
            head.stream_id <= connection.newest or connection.leaving == Leaving.TOLD) and (
            nghttp2_session_get_stream_user_data(session, head.stream_id) == NULL):
        # of a stream that is over, or will never be: nghttp2 drops it, and tells of most of these no more
        connection.charge(OF_DROPPED if head.type == NGHTTP2_HEADERS else 1)
    return 0


cdef int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code, void *user) noexcept:
    cdef Http2Server connection = <Http2Server>user
    # one stream more than may be at once is no fault of a client that does not know that yet
    connection.charge(1 if code == NGHTTP2_ERR_REFUSED_STREAM else OF_SETTINGS)
    return 0


cdef int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) noexcept:
    cdef Http2Server connection = <Http2Server>user
    cdef void *owner
    try:
        connection.count_frame(frame)
        if frame.hd.type == NGHTTP2_HEADERS:
            return connection.on_section(frame)
        if frame.hd.type == NGHTTP2_DATA and frame.hd.flags & NGHTTP2_FLAG_END_STREAM:
            owner = nghttp2_session_get_stream_user_data(session, frame.hd.stream_id)
            if owner != NULL:
                (<Http2ServerLeg>owner).ended = True
                return (<Http2ServerLeg>owner).note()
        return 0
    except BaseException as error:
        return failed(connection, error)


cdef int on_data(
    nghttp2_session *session, uint8_t flags, int32_t number, const uint8_t *data, size_t size, void *user
) noexcept:
    cdef Http2Server connection = <Http2Server>user
    try:
        return connection.on_chunk(number, <const char *>data, size)
    except BaseException as error:
        return failed(connection, error)


cdef int on_close(nghttp2_session *session, int32_t number, uint32_t code, void *user) noexcept:
    cdef Http2Server connection = <Http2Server>user
    try:
        return connection.on_stream_closed(number, code)
    except BaseException as error:
        return failed(connection, error)


# while it writes

cdef ssize_t read_data(
    nghttp2_session *session, int32_t number, uint8_t *into, size_t room, uint32_t *flags, nghttp2_data_source *source, void *user
) noexcept:
    """How much of a body may go in the next frame: no more than there is."""
    cdef Http2ServerLeg leg = <Http2ServerLeg>source.ptr
    cdef size_t size = pending(&leg.out)
    flags[0] = NGHTTP2_DATA_FLAG_NO_COPY
    if size > room:
        return <ssize_t>room
    if not leg.finished:
        return <ssize_t>size if size else NGHTTP2_ERR_DEFERRED
    if leg.torn:
        return <ssize_t>size if size else NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE     # becomes RST_STREAM
    flags[0] |= NGHTTP2_DATA_FLAG_EOF
    if leg.tail.end > EMPTY_TAIL:
        flags[0] |= NGHTTP2_DATA_FLAG_NO_END_STREAM
        nghttp2_submit_trailer(session, number, pairs, pairs_of(leg.tail.data + LAST_CHUNK, leg.tail.end - LAST_CHUNK, pairs))
    return <ssize_t>size


cdef int send_data(
    nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t size, nghttp2_data_source *source, void *user
) noexcept:
    """Write a frame of a body: its head, and behind it what `read_data` has told of."""
    cdef Streams connection = <Streams>user
    cdef Http2ServerLeg leg = <Http2ServerLeg>source.ptr
    cdef Buffer *work = &connection.worker.work
    try:
        add(work, <const char *>head, FRAME_HEAD)
        add(work, leg.out.data + leg.out.start, size)
        take(&leg.out, size)
        leg.taking.taken += <int64_t>size
        earn(&connection.flood, 1 + <int>(size // GIVEN_BACK))
        if size and pending(&leg.out) == 0:
            connection.waiting -= 1
            leg.drained = True
            leg.note()
        return 0
    except BaseException as error:
        connection.error = error
        return NGHTTP2_ERR_CALLBACK_FAILURE


cdef int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user) noexcept:
    """A response has gone whole: the rest of its request is nobody's (RFC 9113, 8.1). Earlier, nghttp2 would drop what is not sent."""
    cdef void *owner
    cdef Http2ServerLeg leg
    if not frame.hd.flags & NGHTTP2_FLAG_END_STREAM or (frame.hd.type != NGHTTP2_DATA and frame.hd.type != NGHTTP2_HEADERS):
        return 0
    owner = nghttp2_session_get_stream_user_data(session, frame.hd.stream_id)
    if owner == NULL:
        return 0
    leg = <Http2ServerLeg>owner
    leg.ended_down()
    if leg.ended or leg.tunnel:
        return 0
    if leg.arriving.missing == 0 and not leg.arriving.trails:
        leg.arriving.trails = True      # the end is on its way: some clients say it by itself, and take a reset before that for a failure
        (<Streams>user).trailing += 1
    else:
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame.hd.stream_id, NGHTTP2_NO_ERROR)
    return 0


cdef nghttp2_data_source_read_callback reader() noexcept:
    """What nghttp2 asks for a response's body."""
    return read_data


cdef int prepare() except -1:
    """What all connections have in common, made once."""
    global callbacks, options
    if nghttp2_session_callbacks_new(&callbacks) or nghttp2_option_new(&options):
        raise MemoryError
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers)
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header)
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame)
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame)
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header)
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame)
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data)
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close)
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data)
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent)
    nghttp2_option_set_no_auto_window_update(options, 1)
    nghttp2_option_set_no_closed_streams(options, 1)
    nghttp2_option_set_max_send_header_block_length(options, MOST_WRITTEN)
    nghttp2_option_set_builtin_recv_extension_type(options, NGHTTP2_PRIORITY_UPDATE)    # RFC 9218, section 7.1
    return 0


cdef nghttp2_session *open_session(Http2Server connection) except NULL:
    """The codec of one connection, which must outlive it."""
    cdef nghttp2_session *session
    cdef nghttp2_mem memory
    if callbacks == NULL:
        prepare()
    memory = session_memory(&connection.memory)
    if nghttp2_session_server_new3(&session, callbacks, <void *>connection, options, &memory):
        end_memory(&connection.memory)
        raise MemoryError
    connection.memory.made = True
    return session
