"""Where a body ends: by its length, by the chunked coding, or with the connection. Finds it, changes nothing, keeps no bytes.

The caller sends on what `feed` finds in a framing of its own making, so chunk extensions never pass (RFC 9112, 7.1.1).

What is no data is bounded, as by Go's net/http, against bodies that hold nothing else: a size line with its extensions, the trailer
section, and by how much size lines exceed what their chunks allow them. A chunk allows a signature, and more the larger it is.
"""
from haystack._fast.http1.flaw cimport Flaw, flaw_of_byte
from haystack._fast.http1.head cimport is_token

cdef enum:
    MAX_LINE = 16384    # bytes of a chunk's size line
    MAX_EXTRA = 16384   # of size lines beyond their allowance, in all; of the trailer section
    ALLOWED = 256       # bytes of a size line that any chunk allows, and twice its data: the longest signatures (SigV4A) have 161


cdef void begin(Body *b, Framing framing, int64_t length) noexcept nogil:
    b.framing = framing
    b.state = ChunkState.SIZE
    b.left = length if framing == Framing.LENGTH else 0
    b.line = b.extra = 0
    b.flaw = Flaw.NO_FLAW
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


cdef Py_ssize_t refuse(Body *b, Flaw flaw) noexcept nogil:
    b.flaw = flaw
    return -1


cdef bint is_control(char c) noexcept nogil:
    return (<unsigned char>c < 32 and c != c'\t') or c == 127


cdef bint end_line(Body *b) noexcept nogil:
    """A size line is whole: what its chunk does not allow counts. False: that is too much by now."""
    b.extra = <int>max(0, b.extra + b.line - ALLOWED - 2 * b.left)
    b.line = 0
    return b.extra <= MAX_EXTRA


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
            b.line += 1
            if digit >= 0:
                if b.left >> 56:
                    return refuse(b, Flaw.HUGE_SIZE)
                if b.line > MAX_LINE:
                    return refuse(b, Flaw.LONG_SIZE_LINE)
                b.left = b.left * 16 + digit
            elif b.line == 1:
                return refuse(b, Flaw.NO_SIZE)
            elif c == c'\r':
                b.state = ChunkState.SIZE_LF
            elif c == c';':
                b.state = ChunkState.EXTENSION
            elif c == c' ' or c == c'\t':
                b.state = ChunkState.BLANK
            else:
                return refuse(b, Flaw.BARE_LF if c == c'\n' else Flaw.BAD_SIZE)
        elif b.state == ChunkState.BLANK:   # may stand before an extension, nowhere else (RFC 9112, section 7.1.1)
            b.line += 1
            if c == c';':
                b.state = ChunkState.EXTENSION
            elif b.line > MAX_LINE:
                return refuse(b, Flaw.LONG_SIZE_LINE)
            elif c != c' ' and c != c'\t':
                return refuse(b, Flaw.BLANK_BEHIND_SIZE)
        elif b.state == ChunkState.EXTENSION:
            b.line += 1
            if c == c'\r':
                b.state = ChunkState.SIZE_LF
            elif is_control(c):
                return refuse(b, flaw_of_byte(c))
            elif b.line > MAX_LINE:
                return refuse(b, Flaw.LONG_SIZE_LINE)
        elif b.state == ChunkState.SIZE_LF:
            if c != c'\n':
                return refuse(b, Flaw.BARE_CR)
            if not end_line(b):
                return refuse(b, Flaw.LONG_EXTENSIONS)
            if b.left == 0:
                b.state = ChunkState.TRAILER_START
                b.extra = 0
                return <Py_ssize_t>i
            b.state = ChunkState.DATA
        elif b.state == ChunkState.DATA_CR:
            if c != c'\r':
                return refuse(b, Flaw.DATA_GOES_ON)
            b.state = ChunkState.DATA_LF
        elif b.state == ChunkState.DATA_LF:
            if c != c'\n':
                return refuse(b, Flaw.DATA_GOES_ON)
            b.state = ChunkState.SIZE
        elif b.state == ChunkState.TRAILER_START and c == c'\r':
            b.state = ChunkState.END_LF
        elif b.state == ChunkState.TRAILER_START or b.state == ChunkState.TRAILER_NAME:
            b.extra += 1
            if c == c':' and b.state == ChunkState.TRAILER_NAME:
                b.state = ChunkState.TRAILER_LINE
            elif b.extra > MAX_EXTRA:
                return refuse(b, Flaw.LONG_TRAILER)
            elif not is_token(c):           # a field line: a name first, no fold (RFC 9112, sections 5.2 and 7.1.2)
                return refuse(b, flaw_of_trailer(b.state, c))
            else:
                b.state = ChunkState.TRAILER_NAME
        elif b.state == ChunkState.TRAILER_LINE:
            b.extra += 1
            if c == c'\r':
                b.state = ChunkState.TRAILER_LF
            elif is_control(c):
                return refuse(b, flaw_of_byte(c))
            elif b.extra > MAX_EXTRA:
                return refuse(b, Flaw.LONG_TRAILER)
        elif b.state == ChunkState.TRAILER_LF:
            if c != c'\n':
                return refuse(b, Flaw.BARE_CR)
            b.state = ChunkState.TRAILER_START
        elif b.state == ChunkState.END_LF:
            if c != c'\n':
                return refuse(b, Flaw.BARE_CR)
            b.state = ChunkState.DONE
            b.done = True
            break
    if b.trailing:
        part_size[0] = i
    return <Py_ssize_t>i


cdef Flaw flaw_of_trailer(ChunkState state, char c) noexcept nogil:
    """What is wrong with this byte where a trailer's name begins or goes on."""
    if state == ChunkState.TRAILER_START:
        return Flaw.FOLDED if c == c' ' or c == c'\t' else Flaw.NO_NAME if c == c':' else Flaw.BARE_LF if c == c'\n' else Flaw.BAD_NAME
    return Flaw.NO_COLON if c == c'\r' or c == c'\n' else Flaw.BAD_NAME
