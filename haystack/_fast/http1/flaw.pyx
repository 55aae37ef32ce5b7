"""Why a message is refused: the words for it, and what exactly is wrong with a line that a parser has already given up on.

Called for refused messages alone, so nothing here is fast. Whoever sent the message reads the words: they name the thing, not our rule.
"""

# in the order of the enum
cdef tuple WORDS = (
    b"nothing",
    b"a bare LF ends a line",
    b"a CR without LF within a line",
    b"a control character",
    b"a line is folded, or begins with white space",
    b"a field line without a name",
    b"a field line without a colon",
    b"white space between a field's name and its colon",
    b"a field's name has a character that is not allowed",
    b"this port speaks HTTP, but the client sent TLS",
    b"this is not an HTTP request",
    b"the method is not a token",
    b"the method is longer than 32 characters",
    b"the request line has no target",
    b"the target holds a character that has to be percent-encoded",
    b"the request line is not method, target and version with one space between them",
    b"the request line ends with no HTTP version",
    b"this version of HTTP is not supported",
    b"it does not begin with a status line",
    b"the status is not a number of three digits from 100",
    b"the reason phrase holds a control character",
    b"Content-Length is not a number of at most 18 digits",
    b"Content-Length appears twice",
    b"Content-Length and Transfer-Encoding are both present",
    b"chunked appears twice",
    b"chunked is not the last coding of Transfer-Encoding",
    b"Transfer-Encoding in HTTP/1.0",
    b"Transfer-Encoding has an unknown coding",
    b"Host is missing",
    b"Host appears twice",
    b"Connection lists too many options",
    b"a 101 without an Upgrade request",
    b"the request line is too long",
    b"the head is too large",
    b"too many fields",
    b"a chunk's size has no hexadecimal digit",
    b"a chunk's size is beyond 60 bits",
    b"white space after a chunk's size without an extension",
    b"a chunk's size is followed by neither an extension nor the line's end",
    b"a chunk's size and extensions are longer than 16 KiB",
    b"the chunks have more extensions than data",
    b"a chunk's data does not end where its size says",
    b"the trailer section is longer than 16 KiB",
)


cdef bytes said(bytes what, Flaw flaw):
    """What is refused, and why."""
    return b"%s: %s" % (what, WORDS[<int>flaw])


cdef Flaw flaw_of_byte(char c) noexcept nogil:
    """What is wrong with a control character where only text may stand."""
    return Flaw.BARE_LF if c == c'\n' else Flaw.BARE_CR if c == c'\r' else Flaw.CONTROL


cdef Flaw flaw_of_start(char c) noexcept nogil:
    """What is wrong with a request that begins with this byte, which no method does."""
    return Flaw.TLS if c == 0x16 else Flaw.BARE_LF if c == c'\n' else Flaw.NOISE


cdef Flaw flaw_of_name(const char *line, const char *at) noexcept nogil:
    """What is wrong with a field line whose name ends at `at` without a colon. A LF follows there or later."""
    if at == line:
        if at[0] in b" \t":
            return Flaw.FOLDED
        return Flaw.NO_NAME if at[0] == c':' else flaw_of_byte(at[0]) if at[0] in b"\r\n" else Flaw.BAD_NAME
    if at[0] == c'\n' or (at[0] == c'\r' and at[1] == c'\n'):
        return Flaw.NO_COLON
    if at[0] not in b" \t":
        return Flaw.BARE_CR if at[0] == c'\r' else Flaw.BAD_NAME
    while at[0] in b" \t":
        at += 1
    return Flaw.BLANK_BEFORE_COLON if at[0] == c':' else Flaw.BAD_NAME


cdef Flaw flaw_of_request_line(const char *data, const char *at, const char *end, bint in_target) noexcept nogil:
    """What is wrong with a request line, from data to its CRLF at `end`, that could not be read on at `at`."""
    if not in_target:
        if at == end and at > data:
            return Flaw.NO_TARGET
        return Flaw.BAD_PARTS if at[0] in b" \t" else Flaw.BAD_METHOD
    if at == end:
        return Flaw.BAD_VERSION
    if at[0] != c' ':
        return Flaw.BARE_CR if at[0] == c'\r' else Flaw.BAD_PARTS if at[0] == c'\t' else Flaw.BAD_TARGET
    return Flaw.BAD_PARTS


if len(WORDS) != Flaw.FLAWS:
    raise ImportError("every flaw needs its words")
