# What is wrong with a message that is refused: found where it is read, told in the answer's Proxy-Status, the log and the trace.
cdef enum Flaw:
    NO_FLAW = 0
    # of any line (RFC 9112, sections 2.2 and 5; RFC 9110, section 5)
    BARE_LF
    BARE_CR
    CONTROL
    FOLDED
    NO_NAME
    NO_COLON
    BLANK_BEFORE_COLON
    BAD_NAME
    # of a request's first line (RFC 9112, section 3)
    TLS
    NOISE
    BAD_METHOD
    LONG_METHOD
    NO_TARGET
    BAD_TARGET
    BAD_PARTS
    BAD_VERSION
    OTHER_VERSION
    # of a response's first line (section 4)
    NO_STATUS_LINE
    BAD_STATUS
    BAD_REASON
    # of what the fields say (section 6; RFC 9110, sections 7.2, 7.6.1 and 8.6)
    BAD_LENGTH
    TWO_LENGTHS
    TWO_FRAMINGS
    CHUNKED_TWICE
    CHUNKED_NOT_LAST
    CHUNKED_IN_OLD
    UNKNOWN_CODING
    NO_HOST
    TWO_HOSTS
    MANY_OPTIONS
    UNASKED_SWITCH
    # of its size (RFC 6585, section 5)
    LONG_LINE
    LARGE_HEAD
    MANY_FIELDS
    # of a chunked body (RFC 9112, section 7.1)
    NO_SIZE
    HUGE_SIZE
    BLANK_BEHIND_SIZE
    BAD_SIZE
    LONG_SIZE_LINE
    LONG_EXTENSIONS
    DATA_GOES_ON
    LONG_TRAILER
    FLAWS               # how many there are

cdef bytes said(bytes what, Flaw flaw)
cdef Flaw flaw_of_byte(char c) noexcept nogil
cdef Flaw flaw_of_start(char c) noexcept nogil
cdef Flaw flaw_of_name(const char *line, const char *at) noexcept nogil
cdef Flaw flaw_of_request_line(const char *data, const char *at, const char *end, bint in_target) noexcept nogil
