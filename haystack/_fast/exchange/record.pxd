# The log line, the trace and the outcome of an exchange that has ended.
from haystack._fast.endpoint.endpoint cimport Member
from haystack._fast.exchange.exchange cimport Exchange

cdef int note_try(Exchange x, Member member) except -1
cdef int note_failure(Exchange x, Member member) except -1
cdef int note_retry(Exchange x, Member member, const char *error) except -1
cdef int write_record(Exchange x) except -1
