# Which exchanges have their spans recorded, and the spans of those, until the control process takes them.
from libc.stdint cimport uint64_t
from haystack._fast.log.otlp_span cimport SpanBuffer

cdef class Spans:
    cdef readonly bint on           # traces are begun, and gone on with
    cdef bint heeds_caller          # a caller's decision is taken over
    cdef bint whole                 # all are recorded where there is none
    cdef uint64_t bound             # else those whose trace id ends with a number below it
    cdef SpanBuffer kept            # None: off

    cdef bint samples(self, uint64_t ending) noexcept
