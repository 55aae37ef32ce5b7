# The memory that nghttp2's sessions take.
from haystack._fast.http2.nghttp2 cimport nghttp2_mem

cdef nghttp2_mem session_memory(bint *lent) noexcept
