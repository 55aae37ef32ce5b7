"""Where a body ends: by its length, by the chunked coding, or with the connection. Finds it, changes nothing, keeps no bytes.

The caller sends on what `feed` finds in a framing of its own making, so chunk extensions never pass (RFC 9112, 7.1.1).
"""
from haystack._fast.head cimport is_token

cdef enum:
    MAX_EXTRA = 16384


cdef void begin(Body *b, Framing framing, int64_t length) noexcept nogil:
    b.framing = framing
    b.state = ChunkState.SIZE
    b.left = length if framing == Framing.LENGTH else 0
    b.digits = 0
    b.extra = 0
    b.trailing = False
    b.done = framing == Framing.NONE or (framing == Framing.LENGTH and length == 0)


cdef int hexadecimal(char c) noexcept nogil:
    if c'0' <= c <= c'9':
        return c - c'0'
    if c'a' <= c <= c'f':
        return c - c'a' + 10
    if c'A' <= c <= c'F':
        return c - c'A' + 10
    return -1


cdef Py_ssize_t feed(Body *b, const char *data, size_t size, const char **part, size_t *part_size) noexcept nogil:
    """Use up some of data: the count used, with the run of body bytes found in it at part; -1: bad framing.

    Returns after each run of body bytes, so call again while data is left and the body is not done. Where b.trailing is set, the run is
    of the trailer section, its empty line included: for the caller to collect and parse.
    """
    cdef size_t i = 0
    cdef int digit
    cdef char c
    part_size[0] = 0
    part[0] = data
    if b.done:
        return 0
    if b.framing != Framing.CHUNKED:
        i = size
        if b.framing == Framing.LENGTH:
            if <int64_t>size > b.left:
                i = <size_t>b.left
            b.left -= <int64_t>i
            b.done = b.left == 0
        part_size[0] = i
        return <Py_ssize_t>i
    b.trailing = b.state >= ChunkState.TRAILER_START
    while i < size:
        c = data[i]
        if b.state == ChunkState.DATA:
            part[0] = data + i
            part_size[0] = size - i
            if <int64_t>part_size[0] > b.left:
                part_size[0] = <size_t>b.left
            b.left -= <int64_t>part_size[0]
            if b.left == 0:
                b.state = ChunkState.DATA_CR
            return <Py_ssize_t>(i + part_size[0])
        i += 1
        if b.state == ChunkState.SIZE:
            digit = hexadecimal(c)
            if digit >= 0:
                b.digits += 1
                if b.digits > 15:
                    return -1
                b.left = b.left * 16 + digit
            elif b.digits == 0:
                return -1
            elif c == c'\r':
                b.state = ChunkState.SIZE_LF
            elif c == c';':
                b.state = ChunkState.EXTENSION
            else:
                return -1
        elif b.state == ChunkState.EXTENSION:
            b.extra += 1
            if c == c'\r':
                b.state = ChunkState.SIZE_LF
            elif b.extra > MAX_EXTRA or (<unsigned char>c < 32 and c != c'\t') or c == 127:
                return -1
        elif b.state == ChunkState.SIZE_LF:
            if c != c'\n':
                return -1
            b.digits = 0
            b.state = ChunkState.DATA if b.left else ChunkState.TRAILER_START
            if b.left == 0:
                return <Py_ssize_t>i
        elif b.state == ChunkState.DATA_CR:
            if c != c'\r':
                return -1
            b.state = ChunkState.DATA_LF
        elif b.state == ChunkState.DATA_LF:
            if c != c'\n':
                return -1
            b.state = ChunkState.SIZE
        elif b.state == ChunkState.TRAILER_START and c == c'\r':
            b.state = ChunkState.END_LF
        elif b.state == ChunkState.TRAILER_START or b.state == ChunkState.TRAILER_NAME:
            b.extra += 1
            if c == c':' and b.state == ChunkState.TRAILER_NAME:
                b.state = ChunkState.TRAILER_LINE
            elif b.extra > MAX_EXTRA or not is_token(c):
                return -1                   # a trailer is a field line: a name first, no fold (RFC 9112, sections 5.2 and 7.1.2)
            else:
                b.state = ChunkState.TRAILER_NAME
        elif b.state == ChunkState.TRAILER_LINE:
            b.extra += 1
            if c == c'\r':
                b.state = ChunkState.TRAILER_LF
            elif b.extra > MAX_EXTRA or (<unsigned char>c < 32 and c != c'\t') or c == 127:
                return -1
        elif b.state == ChunkState.TRAILER_LF:
            if c != c'\n':
                return -1
            b.state = ChunkState.TRAILER_START
        elif b.state == ChunkState.END_LF:
            if c != c'\n':
                return -1
            b.state = ChunkState.DONE
            b.done = True
            break
    if b.trailing:
        part_size[0] = i
    return <Py_ssize_t>i


def decode(pieces):
    """Decode a chunked body given in pieces: (body, done, bytes left over). ValueError: bad framing. For tests."""
    cdef Body b
    cdef const char *part
    cdef size_t part_size, at
    cdef Py_ssize_t used
    cdef bytes piece
    found = []
    left = b""
    begin(&b, Framing.CHUNKED, 0)
    for piece in pieces:
        at = 0
        while at < <size_t>len(piece) and not b.done:
            used = feed(&b, <const char *>piece + at, len(piece) - at, &part, &part_size)
            if used < 0:
                raise ValueError("bad chunk framing")
            if not b.trailing:
                found.append(part[:part_size])
            at += used
        left += piece[at:]
    return b"".join(found), bool(b.done), left


def spin(bytes data, int count):
    """Decode data, a whole chunked body, so many times over, for bench/micro: the bytes of the body. ValueError: bad framing."""
    cdef Body b
    cdef const char *p = data
    cdef const char *part
    cdef size_t part_size, at, size = len(data), found = 0
    cdef Py_ssize_t used
    cdef int _round
    for _round in range(count):
        begin(&b, Framing.CHUNKED, 0)
        at = found = 0
        while not b.done:
            used = feed(&b, p + at, size - at, &part, &part_size)
            if used <= 0:
                raise ValueError("bad chunk framing")
            at += used
            if not b.trailing:
                found += part_size
    return found
