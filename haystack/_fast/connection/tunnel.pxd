# Raw bytes from one transport to another.
from libc.stdint cimport int64_t
from haystack._fast.net.transport cimport Transport

cdef int shuttle(Transport source, Transport sink, char *scratch, int64_t *moved) except -1
