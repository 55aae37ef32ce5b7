# Attributes of OpenTelemetry as protocol buffers have them, written where there is room. Plain C and inline: no Python object.
# https://protobuf.dev/programming-guides/encoding/, https://github.com/open-telemetry/opentelemetry-proto (common/v1: KeyValue, AnyValue).
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memmove

cdef enum:
    LABEL = 40              # bytes of the longest name, and 3
    AHEAD = LABEL + 24      # the most that stands before the text of an attribute: a label, and three lengths with what they are of

cdef enum Tag:              # a field's number and type
    ATTRIBUTE = 0x4a        # of Span: KeyValue
    KEY = 0x0a              # of KeyValue
    VALUE = 0x12
    TEXT = 0x0a             # of AnyValue
    FLAG = 0x10
    NUMBER = 0x18
    LIST = 0x2a             # ArrayValue
    ITEM = 0x0a             # of ArrayValue: AnyValue

cdef struct Label:          # the name of an attribute, as KeyValue has it, and the tag of its value
    char data[LABEL]
    size_t size

cdef inline size_t varint_size(uint64_t number) noexcept nogil:
    cdef size_t size = 1
    while number >= 0x80:
        number >>= 7
        size += 1
    return size

cdef inline char *put_varint(char *out, uint64_t number) noexcept nogil:
    """Seven bits a byte, the lowest first."""
    while number >= 0x80:
        out[0] = <char>(number & 0x7f | 0x80)
        number >>= 7
        out += 1
    out[0] = <char>number
    return out + 1

cdef inline char *put_tag(char *out, int tag, uint64_t number) noexcept nogil:
    """A field that is a number, or the beginning of one of so many bytes."""
    out[0] = <char>tag
    return put_varint(out + 1, number)

cdef inline size_t part_size(size_t size) noexcept nogil:
    """Of a field with so many bytes, its tag and its length too."""
    return 1 + varint_size(size) + size

cdef inline char *put_name(char *out, const Label *label, size_t value) noexcept nogil:
    """An attribute, up to its value, which is an AnyValue of so many bytes."""
    out = put_tag(out, Tag.ATTRIBUTE, label.size + varint_size(value) + value)
    memcpy(out, label.data, LABEL)      # of a size that the compiler knows: what is too much is written over
    return put_varint(out + label.size, value)

cdef inline char *put_value(char *out, const Label *label, int tag, const char *data, size_t size) noexcept nogil:
    """An attribute whose value is of so many bytes, which may stand from out + AHEAD on; where it has none, there is no attribute."""
    if size == 0:
        return out
    out = put_tag(put_name(out, label, part_size(size)), tag, size)
    memmove(out, data, size)
    return out + size

cdef inline char *put_number(char *out, const Label *label, uint64_t number) noexcept nogil:
    """0: there is no attribute."""
    if number == 0:
        return out
    return put_tag(put_name(out, label, 1 + varint_size(number)), Tag.NUMBER, number)

cdef inline char *put_true(char *out, const Label *label) noexcept nogil:
    return put_tag(put_name(out, label, 2), Tag.FLAG, 1)

cdef inline char *put_item(char *out, const char *data, size_t size) noexcept nogil:
    """A text of a list: ArrayValue's part of it. It may stand from out + AHEAD on."""
    out = put_tag(put_tag(out, Tag.ITEM, part_size(size)), Tag.TEXT, size)
    memmove(out, data, size)
    return out + size

cdef inline char *put_moment(char *out, int tag, uint64_t number) noexcept nogil:
    """A field that is a number of eight bytes, the lowest first."""
    cdef int i
    out[0] = <char>tag
    for i in range(8):
        out[1 + i] = <char>(number >> 8 * i & 0xff)
    return out + 9

cdef inline char *put_ident(char *out, int tag, const char *digits, int size) noexcept nogil:
    """A field of so many bytes, given as twice as many hexadecimal digits in lower case."""
    cdef int i
    out[0] = <char>tag
    out[1] = <char>size
    for i in range(size):
        out[2 + i] = <char>(nibble(digits[2 * i]) << 4 | nibble(digits[2 * i + 1]))
    return out + 2 + size

cdef inline int nibble(char digit) noexcept nogil:
    return digit - c'0' if digit <= c'9' else digit - c'a' + 10
