"""A request's head as serialize.pyx writes it for HTTP/1, as the pairs of a field section (RFC 9113, section 8.3.1).

So what an endpoint is told does not depend on what it speaks. The pairs point into the text, whose names become small letters.
"""
from libc.string cimport memchr, memcmp, memmove

from haystack._fast.http2.fields cimport pairs_of
from haystack._fast.http2.nghttp2 cimport NGHTTP2_NV_FLAG_NO_INDEX, NGHTTP2_NV_FLAG_NONE, nghttp2_nv
from haystack._fast.util.buffer cimport Buffer, pending

cdef enum:
    PSEUDO = 4              # pseudo-header fields
    VERSION = 11            # bytes of ` HTTP/1.1\r\n`


cdef inline void set_pair(nghttp2_nv *pair, const char *name, size_t name_size, const char *value, size_t value_size) noexcept:
    pair.name, pair.namelen = <unsigned char *>name, name_size
    pair.value, pair.valuelen = <unsigned char *>value, value_size
    pair.flags = NGHTTP2_NV_FLAG_NONE


cdef inline bint is_named(const nghttp2_nv *pair, const char *name, size_t size) noexcept:
    return pair.namelen == size and memcmp(pair.name, name, size) == 0


cdef size_t pairs_of_request(char *text, size_t size, bint secure, nghttp2_nv *pairs) noexcept:
    """The pairs of a whole head; how many. secure: it goes within TLS. pairs: has room for MAX_PAIRS and four more."""
    cdef char *behind = <char *>memchr(text, c'\n', size) + 1      # the request line
    cdef char *space = <char *>memchr(text, c' ', size)
    cdef nghttp2_nv *fields = pairs + PSEUDO
    cdef size_t count = pairs_of(behind, text + size - behind, fields), first = PSEUDO, host = 0, i
    set_pair(&pairs[0], b":method", 7, text, space - text)
    set_pair(&pairs[1], b":scheme", 7, b"https" if secure else b"http", 4 + secure)
    set_pair(&pairs[2], b":path", 5, space + 1, behind - VERSION - (space + 1))
    while host < count and not is_named(&fields[host], b"host", 4):
        host += 1
    pairs[3].valuelen = 0
    if host < count:
        set_pair(&pairs[3], b":authority", 10, <const char *>fields[host].value, fields[host].valuelen)
        count -= 1
        memmove(&fields[host], &fields[host + 1], (count - host) * sizeof(nghttp2_nv))
    if pairs[3].valuelen == 0:          # rather none than an empty one
        first -= 1
        memmove(&pairs[first], fields, count * sizeof(nghttp2_nv))
    for i in range(first, first + count):
        # never the same twice: in the table they would only drive out what is
        if is_named(&pairs[i], b"x-request-id", 12) or is_named(&pairs[i], b"traceparent", 11):
            pairs[i].flags = NGHTTP2_NV_FLAG_NO_INDEX
    return first + count


cdef size_t pairs_of_trailer(Buffer *lines, nghttp2_nv *pairs) noexcept:
    """The pairs of a trailer section; how many."""
    return pairs_of(lines.data + lines.start, pending(lines), pairs)
