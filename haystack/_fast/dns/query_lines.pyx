"""The DNS log's lines, JSON or text, of the rows that workers have written (query_log.pyx); in the control process, some at a time.

Names are foreign: whatever octets they hold, a line stays one line, its fields stay apart, and a terminal that shows it stays as it is.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy
from libc.time cimport strftime, time_t, tm

from haystack._fast.dns.query_log cimport Row
from haystack._fast.dns.rate_limit cimport Limited
from haystack._fast.dns.responder cimport Source
from haystack._fast.util.buffer cimport Buffer, pending, release, reserve

cdef extern from "time.h" nogil:
    tm *gmtime_r(const time_t *, tm *)
cdef extern from "arpa/inet.h" nogil:
    enum:
        AF_INET
        AF_INET6
    const char *inet_ntop(int, const void *, char *, unsigned int)

cdef enum:
    FIXED = 512             # the most octets that a line has beside name and container
    WORST = 5               # octets that one of a name can become: \\DDD
    ADDRESS = 46

cdef const char *DASH = b"-"
cdef const char *UDP = b"udp"
cdef const char *TCP = b"tcp"
cdef const char **SOURCE_WORDS = [b"zone", b"cache", b"upstream", b"none"]
cdef const char **LIMITED_PLAIN = [b"", b" truncated", b" dropped"]
cdef const char **LIMITED_JSON = [b"", b"truncated", b"dropped"]


cdef struct Place:
    bint plain              # text; else JSON
    int worker
    int64_t second          # for which clock holds the text
    char clock[24]


def lines(bytes rows, Py_ssize_t at, int most, bint plain, int worker, types, rcodes, dict containers):
    """(lines, where the next row begins) of so many rows at most, from there on.

    types, rcodes: words by number; containers: names as a line is to have them, by the octets of an address.
    """
    cdef Buffer out
    cdef Row row
    cdef Place place
    cdef const char *p = PyBytes_AS_STRING(rows)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(rows)
    out.data, out.start, out.end, out.capacity = NULL, 0, 0, 0
    place.plain, place.worker, place.second = plain, worker, -1
    try:
        while most > 0 and at + <Py_ssize_t>sizeof(row) <= size:
            memcpy(&row, p + at, sizeof(row))
            at += sizeof(row)
            if at + row.size + row.name_size > size:
                break
            put_line(&out, &place, &row, <const uint8_t *>p + at, types, rcodes, containers)
            at += row.size + row.name_size
            most -= 1
        return PyBytes_FromStringAndSize(out.data, pending(&out)), at
    finally:
        release(&out)


cdef int put_line(Buffer *out, Place *place, Row *row, const uint8_t *octets, types, rcodes, dict containers) except -1:
    cdef bytes container = containers.get(PyBytes_FromStringAndSize(<const char *>octets, row.size), b"")
    cdef bytes qtype = types[row.qtype] if row.name_size else b""
    cdef bytes rcode = rcodes[row.rcode]
    cdef char address[ADDRESS]
    cdef char name[256 * WORST]
    cdef char *end
    cdef const char *source = SOURCE_WORDS[min(row.source, <int>Source.NOBODY)]
    cdef const char *protocol = TCP if row.tcp else UDP
    cdef int limited = min(row.limited, <int>Limited.DROPPED)
    cdef size_t room = FIXED + sizeof(name) + PyBytes_GET_SIZE(container)
    reserve(out, room)
    address[0] = 0
    if row.size == 4 or row.size == 16:     # a worker that is somebody else's by now may write any, and what is behind the row is not its
        inet_ntop(AF_INET if row.size == 4 else AF_INET6, octets, address, ADDRESS)
    put_name(name, octets + row.size, row.name_size, place.plain)
    set_clock(place, row.at_us // 1000000)
    end = out.data + out.end
    if place.plain:
        end += snprintf(
            end, room, b"%s.%06dZ %s %s %s %s %s %s %lld.%03dms %s%s\n", place.clock, <int>(row.at_us % 1000000), dashed(address),
            dashed(PyBytes_AS_STRING(container)), dashed(name), dashed(PyBytes_AS_STRING(qtype)), PyBytes_AS_STRING(rcode), source,
            <long long>(row.ns // 1000000), <int>(row.ns // 1000 % 1000), protocol, LIMITED_PLAIN[limited])
    else:
        end += snprintf(
            end, room, b'{"time":"%s.%06dZ","worker":%d,"client":"%s","container":"%s","name":"%s","type":"%s","rcode":"%s",'
            b'"source":"%s","ms":%lld.%06d,"protocol":"%s","limited":"%s"}\n', place.clock, <int>(row.at_us % 1000000), place.worker,
            address, PyBytes_AS_STRING(container), name, PyBytes_AS_STRING(qtype), PyBytes_AS_STRING(rcode), source,
            <long long>(row.ns // 1000000), <int>(row.ns % 1000000), protocol, LIMITED_JSON[limited])
    out.end = end - out.data
    return 0


cdef inline const char *dashed(const char *text) noexcept nogil:
    """A field of text is never empty."""
    return text if text[0] else DASH


cdef void put_name(char *out, const uint8_t *wire, int size, bint plain) noexcept nogil:
    """A name as a zone file has it (RFC 1035, section 5.1), without the dot at its end. What is not plain ASCII becomes \\DDD."""
    cdef int at = 0, left
    if size == 1:
        out[0] = c'.'
        out += 1
    while at < size and wire[at]:
        left = wire[at]
        at += 1
        while left > 0 and at < size:
            out = put_octet(out, wire[at], plain)
            at += 1
            left -= 1
        if at < size and wire[at]:
            out[0] = c'.'
            out += 1
    out[0] = 0


cdef inline char *put_octet(char *out, uint8_t c, bint plain) noexcept nogil:
    if 0x20 < c < 0x7F and c != c'.' and c != c'"' and c != c'\\':
        out[0] = c
        return out + 1
    if not plain:
        out[0] = c'\\'
        out += 1
    out[0], out[1], out[2], out[3] = c'\\', c'0' + c // 100, c'0' + c // 10 % 10, c'0' + c % 10
    return out + 4


cdef void set_clock(Place *place, int64_t second) noexcept nogil:
    """YYYY-MM-DDTHH:MM:SS, UTC."""
    cdef tm date
    cdef time_t when = second
    if second == place.second:
        return
    place.second = second
    gmtime_r(&when, &date)
    strftime(place.clock, sizeof(place.clock), b"%Y-%m-%dT%H:%M:%S", &date)
