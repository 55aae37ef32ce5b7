# What spans say of a request's target and of HOST:PORT. Texts are as a client sends them: one character a byte.
from haystack._fast.log.access_line cimport Text

cdef enum:
    GROWTH = 3          # bytes that one byte of a target can become in put_redacted

cdef struct Place:
    Text host           # without brackets
    int port            # 0: none is told

cdef struct Target:
    Text path           # of an absolute target without one, with a query or without: size 0, for it is a slash
    Text query          # without its question mark
    bint slash          # one stands before it: it was absolute, and has no path of its own
    Text whole          # path and query, as they stand

cdef Place place_of(Text text) noexcept nogil
cdef Target target_of(Text text) noexcept nogil
cdef char *put_latin1(char *out, const char *data, int size) noexcept nogil
cdef char *put_redacted(char *out, const char *data, int size) noexcept nogil
