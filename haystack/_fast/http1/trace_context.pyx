"""W3C Trace Context: traceparent is read and written; tracestate goes on as it came, or not at all (sections 3.2, 3.3 and 4.3).

https://www.w3.org/TR/trace-context-1/. Decides nothing about sampling. Reads heads, writes one line of another one.
"""
from libc.stdint cimport uint64_t
from libc.string cimport memcmp

from haystack._fast.http1.head cimport Field, Head, Kind, withdraw
from haystack._fast.util.buffer cimport Buffer, put, reserve
from haystack._fast.util.scan cimport same_any

cdef enum:
    SIZE = 55               # of version 00: 00-<32>-<16>-<2>
    TRACE = 3               # where the trace id begins
    SPAN = 36
    FLAGS = 53
    SAMPLED = 1             # a bit of the flags


cdef bint read_caller(Head *h, Caller *caller) noexcept:
    """What the head's traceparent says; False: there is none that counts, or more than one."""
    cdef int i
    cdef Field *found = NULL
    caller.trace_id = NULL
    for i in range(h.count):
        if is_traceparent(&h.fields[i]):
            if found != NULL:
                return False
            found = &h.fields[i]
    if found == NULL or not is_valid(found.value, found.value_size):
        return False
    caller.trace_id, caller.span_id = found.value + TRACE, found.value + SPAN
    caller.sampled = digit(found.value[FLAGS + 1]) & SAMPLED
    return True


cdef inline bint is_traceparent(Field *f) noexcept:
    return f.name_size == 11 and f.kind == Kind.OTHER and same_any(f.name, b"traceparent", 11)


cdef bint is_valid(const char *p, int size) noexcept:
    """Section 3.2.2. Of a version to come the first parts count, whatever stands behind another dash (section 4.3)."""
    if size < SIZE or p[2] != c'-' or p[SPAN - 1] != c'-' or p[FLAGS - 1] != c'-':
        return False
    if not (are_digits(p, 2) and are_digits(p + TRACE, 32) and are_digits(p + SPAN, 16) and are_digits(p + FLAGS, 2)):
        return False
    if memcmp(p, b"ff", 2) == 0 or is_zero(p + TRACE, 32) or is_zero(p + SPAN, 16):
        return False
    return size == SIZE or (memcmp(p, b"00", 2) != 0 and p[SIZE] == c'-')


cdef int digit(char c) noexcept:
    """Of a hexadecimal digit in lower case; -1: it is none."""
    if c'0' <= c <= c'9':
        return c - c'0'
    return c - c'a' + 10 if c'a' <= c <= c'f' else -1


cdef bint are_digits(const char *p, int size) noexcept:
    cdef int i
    for i in range(size):
        if digit(p[i]) < 0:
            return False
    return True


cdef bint is_zero(const char *p, int size) noexcept:
    cdef int i
    for i in range(size):
        if p[i] != c'0':
            return False
    return True


cdef uint64_t ending(const char *trace_id) noexcept:
    """The lower half of a trace id."""
    cdef uint64_t number = 0
    cdef int i
    for i in range(16, 32):
        number = number << 4 | <uint64_t>digit(trace_id[i])
    return number


cdef void withhold(Head *h, bint whole) noexcept:
    """Have traceparent go no further; whole: nor tracestate, which belongs to it (section 3.3)."""
    cdef int i
    cdef Field *f
    for i in range(h.count):
        f = &h.fields[i]
        if is_traceparent(f) or (whole and f.name_size == 10 and f.kind == Kind.OTHER and same_any(f.name, b"tracestate", 10)):
            withdraw(h, f)


cdef int write_traceparent(Buffer *out, const TraceContext *context) except -1:
    """The line that an endpoint gets."""
    cdef char *at
    reserve(out, SIZE + 16)
    at = put(out.data + out.end, b"traceparent: 00-", 16)
    at = put(at, context.trace_id, 32)
    at = put(at, b"-", 1)
    at = put(at, context.client, 16)
    at = put(at, b"-01\r\n" if context.sampled else b"-00\r\n", 5)
    out.end = at - out.data
    return 0
