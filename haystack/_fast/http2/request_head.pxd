# A head that goes to an endpoint, as the pairs of a field section.
from haystack._fast.http2.nghttp2 cimport nghttp2_nv
from haystack._fast.util.buffer cimport Buffer

cdef size_t pairs_of_request(char *text, size_t size, bint secure, nghttp2_nv *pairs) noexcept
cdef size_t pairs_of_trailer(Buffer *lines, nghttp2_nv *pairs) noexcept
