# The methods of RFC 9110, section 9, and PATCH (RFC 5789), as a number: what is counted by method is counted by these.
from libc.string cimport memcmp

cdef enum Method:
    GET = 0
    HEAD
    POST
    PUT
    DELETE
    CONNECT
    OPTIONS
    TRACE
    PATCH
    OTHER_METHOD
    METHODS

cdef inline bint is_idempotent(Method method) noexcept nogil:
    """RFC 9110, section 9.2.2. An unknown one may do anything."""
    return method != Method.POST and method != Method.CONNECT and method < Method.PATCH

cdef inline bint is_safe(Method method) noexcept nogil:
    """Whether a request with it only reads (section 9.2.1), of those that are passed on."""
    return method == Method.GET or method == Method.HEAD or method == Method.OPTIONS

cdef inline Method method_of(const char *name, int size) noexcept nogil:
    """Methods are case-sensitive."""
    if size == 3:
        if memcmp(name, b"GET", 3) == 0:
            return Method.GET
        return Method.PUT if memcmp(name, b"PUT", 3) == 0 else Method.OTHER_METHOD
    if size == 4:
        if memcmp(name, b"POST", 4) == 0:
            return Method.POST
        return Method.HEAD if memcmp(name, b"HEAD", 4) == 0 else Method.OTHER_METHOD
    if size == 5:
        if memcmp(name, b"PATCH", 5) == 0:
            return Method.PATCH
        return Method.TRACE if memcmp(name, b"TRACE", 5) == 0 else Method.OTHER_METHOD
    if size == 6:
        return Method.DELETE if memcmp(name, b"DELETE", 6) == 0 else Method.OTHER_METHOD
    if size == 7:
        if memcmp(name, b"OPTIONS", 7) == 0:
            return Method.OPTIONS
        return Method.CONNECT if memcmp(name, b"CONNECT", 7) == 0 else Method.OTHER_METHOD
    return Method.OTHER_METHOD
