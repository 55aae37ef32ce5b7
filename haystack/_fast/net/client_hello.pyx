"""The host name that a TLS ClientHello asks for (RFC 8446, sections 4.1.2 and 5.1; RFC 6066, section 3), read strictly, for whom to hand
the bytes on to. Pure. Whatever is odd about a hello makes it a nameless one, which OpenSSL is left to refuse.

An outer hello of ECH asks for its public name, and is led by that. A hello may come in records of any size, down to a byte each.
"""
from libc.string cimport memcpy

cdef enum:
    HANDSHAKE = 22          # type of a record
    CLIENT_HELLO = 1        # type of a message
    RECORD_HEAD = 5
    MESSAGE_HEAD = 4
    MOST_RECORD = 16384
    SERVER_NAME = 0         # type of an extension,
    HOST_NAME = 0           # and of a name in it

cdef struct Span:           # what is left of a vector
    const unsigned char *at
    size_t size

cdef unsigned char[MOST_HELLO] message      # put together of its records


cdef Hello read_hello(const unsigned char *data, size_t size, Asked *asked) noexcept:
    """What these bytes, the first of a connection, ask for."""
    cdef size_t at = 0, got = 0, wanted = MESSAGE_HEAD, length, there
    asked.size = 0
    asked.whole = 0
    while True:
        if at < size and data[at] != HANDSHAKE or at + 1 < size and data[at + 1] != 3:
            return Hello.NAMELESS
        if size - at < RECORD_HEAD:
            break
        length = <size_t>data[at + 3] << 8 | data[at + 4]
        if length == 0 or length > MOST_RECORD:
            return Hello.NAMELESS
        at += RECORD_HEAD
        there = min(length, size - at, MOST_HELLO - got)
        memcpy(message + got, data + at, there)
        got += there
        if got and message[0] != CLIENT_HELLO:
            return Hello.NAMELESS
        if got >= MESSAGE_HEAD:
            wanted = MESSAGE_HEAD + (<size_t>message[1] << 16 | <size_t>message[2] << 8 | message[3])
            if wanted > MOST_HELLO - RECORD_HEAD:
                return Hello.NAMELESS
            if got >= wanted:
                asked.whole = at + there - (got - wanted)
                return Hello.NAMED if find_name(Span(&message[MESSAGE_HEAD], wanted - MESSAGE_HEAD), asked) else Hello.NAMELESS
        if there < length:
            break
        at += length
    return Hello.PARTIAL if size < MOST_HELLO else Hello.NAMELESS


cdef bint cut(Span *rest, int bytes_of_length, Span *found) noexcept:
    """Take the next vector, whose length stands in so many bytes before it; False: there is none, or not all of it."""
    cdef size_t length = 0
    cdef int i
    if rest.size < <size_t>bytes_of_length:
        return False
    for i in range(bytes_of_length):
        length = length << 8 | rest.at[i]
    rest.at += bytes_of_length
    rest.size -= bytes_of_length
    if length > rest.size:
        return False
    found.at, found.size = rest.at, length
    rest.at += length
    rest.size -= length
    return True


cdef bint skip(Span *rest, size_t size) noexcept:
    if rest.size < size:
        return False
    rest.at += size
    rest.size -= size
    return True


cdef bint find_name(Span rest, Asked *asked) noexcept:
    """The name in the body of a hello; False: it has none, or is none."""
    cdef Span part, extensions
    cdef int kind
    cdef bint named = False
    if not skip(&rest, 34):                 # version and random
        return False
    if not cut(&rest, 1, &part) or part.size > 32:                          # session
        return False
    if not cut(&rest, 2, &part) or part.size < 2 or part.size % 2:          # cipher suites
        return False
    if not cut(&rest, 1, &part) or part.size < 1:                           # compression
        return False
    if not cut(&rest, 2, &extensions) or rest.size:
        return False
    while extensions.size:
        if extensions.size < 4:
            return False
        kind = extensions.at[0] << 8 | extensions.at[1]
        skip(&extensions, 2)
        if not cut(&extensions, 2, &part):
            return False
        if kind == SERVER_NAME:
            if named or not read_name(part, asked):
                return False
            named = True
    return named


cdef bint read_name(Span list, Asked *asked) noexcept:
    """The one name of the extension's list, where it is a host name as DNS has them."""
    cdef Span names, name
    cdef size_t i
    cdef unsigned char c
    if not cut(&list, 2, &names) or list.size or names.size < 1 or names.at[0] != HOST_NAME:
        return False
    skip(&names, 1)
    if not cut(&names, 2, &name) or names.size or name.size < 1 or name.size > MOST_SNI:
        return False
    for i in range(name.size):
        c = name.at[i]
        if c'A' <= c <= c'Z':
            c += 32
        if not (c'a' <= c <= c'z' or c'0' <= c <= c'9' or c == c'-' or c == c'.' or c == c'_'):
            return False
        asked.name[i] = <char>c
    asked.size = <int>name.size
    if asked.name[asked.size - 1] == c'.':
        asked.size -= 1
    return asked.size > 0
