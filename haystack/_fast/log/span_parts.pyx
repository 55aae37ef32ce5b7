"""Where spans end that stand one behind the other, as workers write them (otlp_span.pyx); in the control process, which reads what may be
somebody else's by now. Looks at each span's tag and length, and never into it.
"""
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint64_t

cdef enum:
    SPAN = 0x12             # ScopeSpans.spans: its number and type
    LAST_SHIFT = 28         # of a length's bits: five bytes, which is more than any message has


def parts(spans, Py_ssize_t most):
    """Where to cut so that no part has more bytes, unless one span does: (its end, how many spans it has) of each part, the last one too.

    ValueError: these are no whole spans.
    """
    cdef Py_buffer view
    PyObject_GetBuffer(spans, &view, PyBUF_SIMPLE)
    try:
        return cut(<const unsigned char *>view.buf, view.len, most)
    finally:
        PyBuffer_Release(&view)


cdef list cut(const unsigned char *data, Py_ssize_t size, Py_ssize_t most):
    cdef Py_ssize_t begin = 0, at = 0, end, count = 0
    cdef list found = []
    while at < size:
        end = span_end(data, at, size)
        if end < 0:
            raise ValueError("spans that are none, or not whole")
        if count and end - begin > most:
            found.append((at, count))
            begin, count = at, 0
        at = end
        count += 1
    if count:
        found.append((at, count))
    return found


cdef Py_ssize_t span_end(const unsigned char *data, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    """The end of the span that begins here; -1: there is none, or not all of it."""
    cdef uint64_t length = 0
    cdef int shift = 0
    if data[at] != SPAN:
        return -1
    while True:
        at += 1
        if at == size or shift > LAST_SHIFT:
            return -1
        length |= <uint64_t>(data[at] & 0x7F) << shift
        shift += 7
        if data[at] < 0x80:
            break
    return -1 if length > <uint64_t>(size - at - 1) else at + 1 + <Py_ssize_t>length
