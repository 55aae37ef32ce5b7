# Answers of Haystack's own: HTML for browsers, JSON for programs, a status of gRPC for its calls, a line of text for the rest.
from haystack._fast.http1.head cimport Head
from haystack._fast.util.buffer cimport Buffer

cdef enum Form:
    TEXT = 0
    HTML
    JSON
    GRPC            # from here on a status of gRPC, each with its media type
    GRPC_PROTO
    GRPC_JSON
    GRPC_WEB
    GRPC_WEB_PROTO
    GRPC_WEB_TEXT
    GRPC_WEB_TEXT_PROTO

cdef int form_of(Head *h) except -1
cdef bytes call_status(int status, bytes error, bytes detail, bytes identity)
cdef bytes request_id_of(Head *h, const char *made)
cdef int write_answer(
    Buffer *out, int status, const char *error, bytes detail, int form, bytes identity, bint head_only, bint close) except -1
