"""The access log's lines: JSON, with names of its own or of the Elastic Common Schema, the common log format or the combined one.

They are written where the exchange ends, without a Python object. FIELDS is the one table of what a line in JSON can have.

Text of clients is foreign: whatever bytes it holds, a line stays one line, its fields stay apart, and a terminal that shows it stays as it
is. Bytes are read as Latin-1, as the traces read them. Never writes to a descriptor: a worker takes the lines and sends them up.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr, memcpy, strlen

cimport cython
from haystack._fast.util.buffer cimport pending, release, reserve, take
from haystack._fast.util.digits cimport PAIRS
from haystack._fast.util.scan cimport put_printable

cdef enum:
    ROOM = 8 << 20          # bytes of lines that may wait to be taken; what comes then is dropped and counted
    FIXED = 128             # the most that a line in the common or the combined format has beside texts
    VALUE = 40              # the most that a value has that is no text, and what is written behind it before its end is known
    DIGITS = 20             # the most that a number has
    WORST = 6               # bytes that one byte of text can become: \u00NN
    COMMA = 3               # what stands between two candidates in JSON
    KEPT = 1 << 20          # capacity that is kept between two ticks

cdef const char *HEX = b"0123456789abcdef"
cdef const char *MONTHS = b"JanFebMarAprMayJunJulAugSepOctNovDec"


# what each line in ECS has: ECS reference 8.17, "ECS", "Event"
cdef const char *OF_ECS = b',"ecs.version":"8.17.0","event.kind":"event","event.category":["web"],"event.dataset":"haystack.access"'

cdef Entry shape            # where fields stand in an entry


cdef size_t place(const void *field) noexcept:
    return <const char *>field - <const char *>&shape


# A field of model.reports.Trace, in the order of a line → its name in the Elastic Common Schema (durations there are nanoseconds), how it
# is written, and where it stands in an Entry. What the schema has no name for is below `haystack`.
FIELDS = {
    "time": ("@timestamp", Kind.CLOCK, place(&shape.at_us)),
    "worker": ("haystack.worker", Kind.WORKER, 0),
    "listener": ("haystack.listener", Kind.LISTENER, 0),
    "client": ("client.ip", Kind.LATIN, place(&shape.client)),
    "method": ("http.request.method", Kind.LATIN, place(&shape.method)),
    "host": ("url.domain", Kind.HOST, place(&shape.host)),
    "target": ("url.original", Kind.LATIN, place(&shape.target)),
    "service": ("service.name", Kind.UTF8, place(&shape.service)),
    "candidates": ("haystack.candidates", Kind.LIST, place(&shape.candidates)),
    "endpoint": ("server.address", Kind.UTF8, place(&shape.endpoint)),
    "reused": ("haystack.reused", Kind.FLAG, place(&shape.reused)),
    "status": ("http.response.status_code", Kind.NUMBER, place(&shape.status)),
    "received": ("http.request.body.bytes", Kind.NUMBER, place(&shape.received)),
    "sent": ("http.response.body.bytes", Kind.NUMBER, place(&shape.sent)),
    "route_ms": ("haystack.route_ns", Kind.PHASE, place(&shape.route_ns)),
    "connect_ms": ("haystack.connect_ns", Kind.PHASE, place(&shape.connect_ns)),
    "first_byte_ms": ("haystack.first_byte_ns", Kind.PHASE, place(&shape.first_ns)),
    "total_ms": ("event.duration", Kind.PHASE, place(&shape.total_ns)),
    "request_id": ("http.request.id", Kind.LATIN, place(&shape.identity)),
    "version": ("http.version", Kind.VERSION, place(&shape.version)),
    "error": ("error.code", Kind.LATIN, place(&shape.error)),
    "detail": ("error.message", Kind.LATIN, place(&shape.detail)),
    "referrer": ("http.request.referrer", Kind.LATIN, place(&shape.referrer)),
    "user_agent": ("user_agent.original", Kind.LATIN, place(&shape.agent)),
    "trace_id": ("trace.id", Kind.LATIN, place(&shape.trace_id)),
    "client_subject": ("tls.client.subject", Kind.UTF8, place(&shape.subject)),
    "protocol": ("haystack.protocol", Kind.LATIN, place(&shape.protocol)),
}
# what JSON has only where it is chosen: who reads these lines counts on what they always had
ASKED_FOR = ("trace_id", "client_subject", "protocol")
cdef frozenset STRINGS = frozenset((Kind.LATIN, Kind.UTF8, Kind.HOST, Kind.VERSION, Kind.CLOCK, Kind.LISTENER))


@cython.final
cdef class Log:
    """The lines of one worker. form: json, ecs, common or combined; listeners: NAME:PORT by index; fields: of FIELDS, empty: the usual."""

    def __cinit__(self):
        self.second = -1

    def __init__(self, str form, int worker, list listeners, fields=()):
        self.combined = form == "combined"
        self.plain = self.combined or form == "common"
        self.ecs = form == "ecs"
        self.worker = worker
        self.listeners = [name.encode() for name in listeners]
        self.fixed = FIXED
        self.choose(fields or [name for name in FIELDS if self.ecs or name not in ASKED_FOR])

    cdef int choose(self, object names) except -1:
        """Have these fields in each line in JSON, in this order."""
        cdef bytes label                # LABEL bytes at most: the longest names of FIELDS
        self.fixed += strlen(OF_ECS) + max(map(len, self.listeners), default=0)
        for name in names:
            if self.width == COLUMNS:
                raise ValueError(name)      # chosen more than once
            known, kind, at = FIELDS[name]
            label = f',"{known if self.ecs else name}":'.encode() + (b'"' if kind in STRINGS else b"")
            memcpy(self.columns[self.width].label, <const char *>label, len(label))
            self.columns[self.width].label_size = len(label)
            self.columns[self.width].kind = kind
            self.columns[self.width].at = at
            self.fixed += LABEL + VALUE
            self.width += 1
        return 0

    def __dealloc__(self):
        release(&self.lines)

    def take(self):
        """(lines, how many, how many were dropped) since the last call, or None: there was nothing."""
        if self.count == 0 and self.dropped == 0:
            return None
        taken = PyBytes_FromStringAndSize(self.lines.data, pending(&self.lines)), self.count, self.dropped
        take(&self.lines, pending(&self.lines))
        if self.lines.capacity > KEPT:
            release(&self.lines)
        self.count = self.dropped = 0
        return taken

    cdef int write(self, const Entry *entry) except -1:
        """Add the line of an exchange. MemoryError when there is no room for it."""
        cdef size_t most = self.fixed + longest(entry)
        cdef char *end
        if self.lines.end + most > ROOM:
            self.dropped += 1
            return 0
        reserve(&self.lines, most)
        end = self.lines.data + self.lines.end
        end = self.write_common(end, entry) if self.plain else self.write_json(end, entry)
        end[0] = c'\n'
        self.lines.end = end + 1 - self.lines.data
        self.count += 1
        return 0

    cdef char *write_common(self, char *out, const Entry *entry) except NULL:
        """Apache's common log format: client, time, request line (a dash: none could be read), status, bytes of the body.

        The combined one has Referer and User-Agent too.
        """
        out = put_plain(out, &entry.client)
        out = put(out, b" - - [", 6)
        out = put(self.put_clock(out, entry.at_us // 1000000), b' +0000] "', 9)
        if entry.method.size == 0 and entry.target.size == 0:
            out = put(out, b"-", 1)
        else:
            out = put_plain(out, &entry.method)
            out = put(out, b" ", 1)
            out = put_plain(out, &entry.target)
            out = put(out, b" HTTP/", 6)
            out = put_number(put(put_number(out, entry.version // 10), b".", 1), entry.version % 10)
        out = put(out, b'" ', 2)
        out = put_number(out, entry.status)
        out = put(out, b" -", 2) if entry.sent == 0 else put_number(put(out, b" ", 1), entry.sent)
        if self.combined:
            out = put_quoted(out, &entry.referrer)
            out = put_quoted(out, &entry.agent)
        return out

    cdef char *put_clock(self, char *out, int64_t second) noexcept:
        """DD/Mon/YYYY:HH:MM:SS, or YYYY-MM-DDTHH:MM:SS in JSON. The zone is UTC."""
        cdef int64_t day
        cdef int left
        cdef char *end
        if second != self.second:
            self.second = second
            day = second // 86400
            left = second - day * 86400
            end = write_date(self.clock, day) if self.plain else write_iso(self.clock, day)
            end = put(put_digits(end, left // 3600, 2), b":", 1)
            end = put(put_digits(end, left // 60 % 60, 2), b":", 1)
            self.clock_size = put_digits(end, left % 60, 2) - self.clock
        memcpy(out, self.clock, CLOCK_ROOM)
        return out + self.clock_size

    cdef char *write_json(self, char *out, const Entry *entry) except NULL:
        """The chosen fields, in their order."""
        cdef char *start = out
        cdef int i
        for i in range(self.width):
            out = self.write_field(out, &self.columns[i], entry)
        if self.ecs:
            out = put_word(out, OF_ECS)
        start[0] = c'{'                 # in place of the first comma
        return put(out, b"}", 1)

    cdef char *write_field(self, char *out, const Column *column, const Entry *entry) except NULL:
        """One of them; in ECS nothing where it is empty."""
        cdef const char *at = <const char *>entry + column.at
        cdef const Text *text = <const Text *>at
        cdef Kind kind = column.kind
        cdef int size
        if kind <= Kind.LIST:
            if self.ecs and text.size == 0:
                return out
            out = put_label(out, column)
            if kind == Kind.LIST:
                return put_list(out, text)
            size = domain_end(text) if self.ecs and kind == Kind.HOST else text.size
            return put(put_json(out, text.data, size, kind != Kind.UTF8), b'"', 1)
        if self.ecs and kind == Kind.PHASE and (<int64_t *>at)[0] < 0:
            return out
        out = put_label(out, column)
        if kind == Kind.NUMBER:
            return put_number(out, (<int64_t *>at)[0])
        if kind == Kind.PHASE:
            return put_number(out, (<int64_t *>at)[0]) if self.ecs else put_ms(out, (<int64_t *>at)[0])
        if kind == Kind.FLAG:
            return put_word(out, b"true" if (<bint *>at)[0] else b"false")
        return self.write_rest(out, kind, entry)

    cdef char *write_rest(self, char *out, Kind kind, const Entry *entry) except NULL:
        """What not every form has as it stands in the entry. The time as RFC 3339 has it, to the microsecond."""
        cdef bytes name
        if kind == Kind.CLOCK:
            out = put(self.put_clock(out, entry.at_us // 1000000), b".", 1)
            return put(put_digits(out, entry.at_us % 1000000, 6), b'Z"', 2)
        if kind == Kind.VERSION:
            out = put_number(out, entry.version // 10)
            if entry.version < 20:
                out = put_number(put(out, b".", 1), entry.version % 10)
            return put(out, b'"', 1)
        if kind == Kind.WORKER:
            return put_number(out, self.worker)
        name = self.listeners[entry.listener]
        return put(put(out, name, len(name)), b'"', 1)


cdef size_t longest(const Entry *entry) noexcept nogil:
    """The most bytes that the texts of this entry can be."""
    cdef size_t texts = entry.client.size + entry.method.size + entry.host.size + entry.target.size + entry.identity.size
    texts += entry.referrer.size + entry.agent.size + entry.error.size + entry.detail.size + entry.service.size + entry.endpoint.size
    texts += entry.trace_id.size + entry.subject.size + entry.protocol.size
    return WORST * texts + (WORST + COMMA) * <size_t>entry.candidates.size


cdef inline char *put(char *out, const char *data, size_t size) noexcept nogil:
    memcpy(out, data, size)
    return out + size


cdef inline char *put_word(char *out, const char *word) noexcept nogil:
    return put(out, word, strlen(word))


cdef inline char *put_label(char *out, const Column *column) noexcept nogil:
    memcpy(out, column.label, LABEL)    # of a size that the compiler knows: two moves
    return out + column.label_size


cdef char *put_number(char *out, int64_t number) noexcept nogil:
    """A number that is not negative. Writes DIGITS bytes."""
    cdef char digits[2 * DIGITS]
    cdef uint64_t left = number
    cdef int at = DIGITS
    if left < 10:
        out[0] = c'0' + <char>left
        return out + 1
    while left >= 100:
        at -= 2
        memcpy(digits + at, PAIRS + 2 * (left % 100), 2)
        left //= 100
    at -= 2
    memcpy(digits + at, PAIRS + 2 * left, 2)
    at += left < 10
    memcpy(out, digits + at, DIGITS)
    return out + DIGITS - at


cdef char *put_digits(char *out, uint64_t number, int width) noexcept nogil:
    """The last `width` digits, an even number of them, with zeros before."""
    cdef int at = width
    while at:
        at -= 2
        memcpy(out + at, PAIRS + 2 * (number % 100), 2)
        number //= 100
    return out + width


cdef char *put_ms(char *out, int64_t ns) noexcept nogil:
    """Nanoseconds as milliseconds, to the last digit."""
    if ns < 0:
        return put(out, b"-1.0", 4)
    out = put_number(out, ns // 1000000)
    return put_digits(put(out, b".", 1), ns % 1000000, 6)


cdef int domain_end(const Text *host) noexcept nogil:
    """Where the port of a Host begins, with its colon; its size where it has none."""
    cdef int at = host.size
    while at and c'0' <= host.data[at - 1] <= c'9':
        at -= 1
    return at - 1 if at > 0 and host.data[at - 1] == c':' else host.size


cdef char *put_list(char *out, const Text *text) noexcept nogil:
    """A list of strings."""
    cdef const char *at = text.data
    cdef const char *end = text.data + text.size
    cdef const char *nul
    out = put(out, b"[", 1)
    while at < end:
        nul = <const char *>memchr(at, 0, end - at)
        if at != text.data:
            out = put(out, b",", 1)
        out = put(put_json(put(out, b'"', 1), at, nul - at, False), b'"', 1)
        at = nul + 1
    return put(out, b"]", 1)


cdef char *put_json(char *out, const char *data, int size, bint latin) noexcept nogil:
    """The inside of a JSON string (RFC 8259, section 7). latin: bytes of Latin-1, else of UTF-8."""
    cdef int i = 0, plain
    cdef unsigned char c
    while True:
        plain = put_printable(out, data + i, size - i)
        out += plain
        i += plain
        if i == size:
            return out
        c = data[i]
        i += 1
        if c == c'"' or c == c'\\':
            out[0] = c'\\'
            out[1] = c
            out += 2
        elif c >= 0x80 and not latin:
            out[0] = c
            out += 1
        elif is_control(c):
            out = put_hex(put(out, b"\\u00", 4), c)
        else:
            out = put_latin(out, c)


cdef char *put_plain(char *out, const Text *text) noexcept nogil:
    r"""Latin-1 as observe/safe_text.py shows it, and a quote as %22: only Haystack's own may end the request line."""
    cdef int i = 0, plain
    cdef unsigned char c
    while True:
        plain = put_printable(out, text.data + i, text.size - i)
        out += plain
        i += plain
        if i == text.size:
            return out
        c = text.data[i]
        i += 1
        if c == c'"':
            out = put(out, b"%22", 3)
        elif c == c'\\':
            out[0] = c
            out += 1
        elif is_control(c):
            out = put_hex(put(out, b"\\x", 2), c)
        else:
            out = put_latin(out, c)


cdef char *put_quoted(char *out, const Text *text) noexcept nogil:
    """A field in quotes, a dash where there is none. As nginx has it: what could end it, or escape its end, becomes \\x and two digits."""
    cdef int i = 0, plain
    cdef unsigned char c
    out = put(out, b' "', 2)
    if text.size == 0:
        out = put(out, b"-", 1)
    while True:
        plain = put_printable(out, text.data + i, text.size - i)
        out += plain
        i += plain
        if i == text.size:
            return put(out, b'"', 1)
        c = text.data[i]
        i += 1
        if c == c'"' or c == c'\\' or is_control(c):
            out = put_hex(put(out, b"\\x", 2), c)
        else:
            out = put_latin(out, c)


cdef inline bint is_control(unsigned char c) noexcept nogil:
    """Whether a character of Latin-1 is a control or format character (Unicode's Cc and Cf)."""
    return c < 0x20 or 0x7f <= c < 0xa0 or c == 0xad


cdef inline char *put_hex(char *out, unsigned char c) noexcept nogil:
    out[0] = HEX[c >> 4]
    out[1] = HEX[c & 15]
    return out + 2


cdef inline char *put_latin(char *out, unsigned char c) noexcept nogil:
    """A character from U+0080 to U+00FF in UTF-8."""
    out[0] = 0xc0 | c >> 6
    out[1] = 0x80 | c & 0x3f
    return out + 2


cdef struct Date:
    int year
    int month       # from 0: January
    int day


cdef char *write_date(char *out, int64_t day) noexcept nogil:
    """DD/Mon/YYYY: of the days since 1970."""
    cdef Date date = date_of(day)
    out = put(put_digits(out, date.day, 2), b"/", 1)
    out = put(put(out, MONTHS + 3 * date.month, 3), b"/", 1)
    return put(put_digits(out, date.year, 4), b":", 1)


cdef char *write_iso(char *out, int64_t day) noexcept nogil:
    """YYYY-MM-DDT of the days since 1970."""
    cdef Date date = date_of(day)
    out = put(put_digits(out, date.year, 4), b"-", 1)
    out = put(put_digits(out, date.month + 1, 2), b"-", 1)
    return put(put_digits(out, date.day, 2), b"T", 1)


cdef Date date_of(int64_t day) noexcept nogil:
    """Of the days since 1970, by years that begin in March, so that a leap day is the last of its year."""
    cdef int64_t shifted = day + 719468
    cdef int64_t era = shifted // 146097
    cdef int64_t in_era = shifted - era * 146097
    cdef int64_t year = (in_era - in_era // 1460 + in_era // 36524 - in_era // 146096) // 365
    cdef int64_t in_year = in_era - (365 * year + year // 4 - year // 100)
    cdef int month = (5 * in_year + 2) // 153
    cdef int date = in_year - (153 * month + 2) // 5 + 1
    month = month + 2 if month < 10 else month - 10
    return Date(<int>(era * 400 + year + (1 if month < 2 else 0)), month, date)
