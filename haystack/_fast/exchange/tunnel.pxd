# Raw bytes from one stream to another.
from libc.stdint cimport int64_t
from haystack._fast.net.poller cimport Stream

cdef int shuttle(Stream source, Stream sink, char *scratch, int64_t *moved) except -1
