"""The PROXY protocol's header, versions 1 and 2 (haproxy.org, proxy-protocol.txt): read strictly, and written. Pure but for a getsockname.

Version 1 is a line of text of 107 bytes at most. Version 2 is a signature, a command, a family, a length, two addresses, and further values
(TLVs) which are skipped. LOCAL, UNKNOWN and addresses of other families tell of nobody: then the connection's own ends count.
"""
from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy, memset
from libc.stdio cimport snprintf

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_UNSPEC
        AF_INET
        AF_INET6
    struct sockaddr:
        unsigned short sa_family
    int getsockname(int, sockaddr *, unsigned int *)
cdef extern from "arpa/inet.h" nogil:
    int inet_pton(int, const char *, void *)
    const char *inet_ntop(int, const void *, char *, unsigned int)
    uint16_t htons(uint16_t)
    uint16_t ntohs(uint16_t)
    uint32_t htonl(uint32_t)
cdef extern from "netinet/in.h" nogil:
    struct in_addr:
        uint32_t s_addr
    struct sockaddr_in:
        unsigned short sin_family
        uint16_t sin_port
        in_addr sin_addr
    struct in6_addr:
        unsigned char s6_addr[16]
    struct sockaddr_in6:
        unsigned short sin6_family
        uint16_t sin6_port
        in6_addr sin6_addr

cdef enum:
    LONGEST_LINE = 107
    FIXED = 16              # bytes of version 2 before its addresses
    LONGEST_TEXT = 46       # bytes of an address as text, with its NUL
    LOCAL = 0x20
    PROXIED = 0x21
    STREAM = 1
    OF_INET = 12            # bytes of two addresses and ports
    OF_INET6 = 36
    OF_UNIX = 216

cdef const char *SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
cdef enum:
    SIGNED = 12


cdef Py_ssize_t read_header(const char *data, size_t size, Ends *ends) noexcept:
    """How many bytes the header has that these begin with; 0: more of it has to come; -1: they begin with none."""
    memset(ends, 0, sizeof(Ends))
    if size and data[0] == SIGNATURE[0]:
        return read_binary(<const unsigned char *>data, size, ends)
    return read_line(data, size, ends)


cdef Py_ssize_t read_line(const char *data, size_t size, Ends *ends) noexcept:
    """Version 1."""
    cdef const char *end
    cdef size_t most = min(size, <size_t>LONGEST_LINE)
    if memcmp(data, b"PROXY ", min(size, <size_t>6)) != 0:
        return -1
    end = <const char *>memchr(data, c'\n', most)
    if end == NULL:
        return 0 if size < LONGEST_LINE else -1
    if end - data < 7 or (end - 1)[0] != c'\r' or memchr(data, 0, end - data) != NULL:
        return -1
    size = end - data - 1                   # without the line's end
    if size >= 13 and memcmp(data, b"PROXY UNKNOWN", 13) == 0 and (size == 13 or data[13] == c' '):
        return end - data + 1               # what else stands there is not looked at
    if size < 11 or not (memcmp(data, b"PROXY TCP4 ", 11) == 0 or memcmp(data, b"PROXY TCP6 ", 11) == 0):
        return -1
    return end - data + 1 if read_words(data + 11, data + size, AF_INET6 if data[9] == c'6' else AF_INET, ends) else -1


cdef bint read_words(const char *at, const char *end, int family, Ends *ends) noexcept:
    """Two addresses and two ports, with a blank between each."""
    cdef const char *stop
    cdef char *into = ends.client
    cdef int word
    cdef int ports[2]
    for word in range(4):
        stop = <const char *>memchr(at, c' ', end - at)
        if (stop == NULL) != (word == 3):
            return False
        stop = end if stop == NULL else stop
        if word < 2 and not read_address(at, stop - at, family, into):
            return False
        into = ends.place
        if word >= 2:
            ports[word - 2] = read_port(at, stop - at)
            if ports[word - 2] < 0:
                return False
        at = stop + 1
    set_port(ends.client, ports[0])
    set_port(ends.place, ports[1])
    return True


cdef bint read_address(const char *at, size_t size, int family, char *into) noexcept:
    cdef char text[LONGEST_TEXT]
    if size >= LONGEST_TEXT:
        return False
    memcpy(text, at, size)
    text[size] = 0
    (<sockaddr *>into).sa_family = <unsigned short>family
    if family == AF_INET:
        return inet_pton(family, text, &(<sockaddr_in *>into).sin_addr) == 1
    return inet_pton(family, text, &(<sockaddr_in6 *>into).sin6_addr) == 1


cdef int read_port(const char *at, size_t size) noexcept:
    """-1: it is none, or is written with a leading zero."""
    cdef int port = 0
    cdef size_t i
    if not 0 < size <= 5 or (at[0] == c'0' and size > 1):
        return -1
    for i in range(size):
        if not c'0' <= at[i] <= c'9':
            return -1
        port = port * 10 + at[i] - c'0'
    return port if port <= 65535 else -1


cdef void set_port(char *into, int port) noexcept:
    (<sockaddr_in *>into).sin_port = htons(<uint16_t>port)      # stands at the same place in both


cdef Py_ssize_t read_binary(const unsigned char *data, size_t size, Ends *ends) noexcept:
    """Version 2."""
    cdef size_t length
    cdef int family, transport, of_addresses
    if memcmp(data, SIGNATURE, min(size, <size_t>SIGNED)) != 0:
        return -1
    if size > SIGNED and data[SIGNED] != LOCAL and data[SIGNED] != PROXIED:
        return -1
    if size < FIXED:
        return 0
    length = <size_t>data[14] << 8 | data[15]
    if length > MOST_HEADER - FIXED:
        return -1
    family, transport = data[13] >> 4, data[13] & 0xF
    if data[SIGNED] == PROXIED:
        if family > 3 or transport > 2 or (family != 0 and transport != STREAM):
            return -1                       # nobody passes datagrams on over TCP
        of_addresses = OF_INET if family == 1 else OF_INET6 if family == 2 else OF_UNIX if family == 3 else 0
        if length < <size_t>of_addresses:
            return -1
    if size < FIXED + length:
        return 0
    if data[SIGNED] == PROXIED and family == 1:
        read_inet(data + FIXED, ends)
    elif data[SIGNED] == PROXIED and family == 2:
        read_inet6(data + FIXED, ends)
    return FIXED + length


cdef void read_inet(const unsigned char *at, Ends *ends) noexcept:
    cdef sockaddr_in *client = <sockaddr_in *>ends.client
    cdef sockaddr_in *place = <sockaddr_in *>ends.place
    client.sin_family = place.sin_family = AF_INET
    memcpy(&client.sin_addr, at, 4)
    memcpy(&place.sin_addr, at + 4, 4)
    memcpy(&client.sin_port, at + 8, 2)
    memcpy(&place.sin_port, at + 10, 2)


cdef void read_inet6(const unsigned char *at, Ends *ends) noexcept:
    cdef sockaddr_in6 *client = <sockaddr_in6 *>ends.client
    cdef sockaddr_in6 *place = <sockaddr_in6 *>ends.place
    client.sin6_family = place.sin6_family = AF_INET6
    memcpy(&client.sin6_addr, at, 16)
    memcpy(&place.sin6_addr, at + 16, 16)
    memcpy(&client.sin6_port, at + 32, 2)
    memcpy(&place.sin6_port, at + 34, 2)


cdef size_t write_header(char *out, int version, const char *client, int size, int port, int fd) noexcept:
    """Write the header of a connection that is made for this client (its address as text); how many bytes.

    port: 0 where it is not known; fd: of the connection that the client, or who spoke for it, has made to us. An address that is none, as
    an unreadable one in X-Forwarded-For, tells of nobody.
    """
    cdef char ours[128]
    cdef char ip[32]                        # both addresses, as IPv6 has them
    cdef unsigned int room = sizeof(ours)
    cdef bint known
    memset(ours, 0, sizeof(ours))
    known = getsockname(fd, <sockaddr *>ours, &room) == 0 and widened(ours, ip + 16) and read_wide(client, size, ip)
    if version == 1:
        return write_line(out, ip if known else NULL, port, ours)
    return write_binary(out, ip if known else NULL, port, ours)


cdef bint widened(const char *address, char *ip) noexcept:
    """The address in a sockaddr as sixteen bytes (RFC 4291, section 2.5.5.2)."""
    if (<sockaddr *>address).sa_family == AF_INET6:
        memcpy(ip, &(<sockaddr_in6 *>address).sin6_addr, 16)
        return True
    memset(ip, 0, 10)
    memset(ip + 10, 0xFF, 2)
    memcpy(ip + 12, &(<sockaddr_in *>address).sin_addr, 4)
    return (<sockaddr *>address).sa_family == AF_INET


cdef bint read_wide(const char *text, int size, char *ip) noexcept:
    cdef char address[28]
    memset(address, 0, sizeof(address))
    if size <= 0 or memchr(text, 0, size) != NULL:
        return False
    return read_address(text, size, AF_INET6 if memchr(text, c':', size) != NULL else AF_INET, address) and widened(address, ip)


cdef bint is_narrow(const char *ip) noexcept:
    """Whether both addresses are IPv4's."""
    cdef const char *prefix = b"\0\0\0\0\0\0\0\0\0\0\xff\xff"
    return memcmp(ip, prefix, 12) == 0 and memcmp(ip + 16, prefix, 12) == 0


cdef size_t write_line(char *out, const char *ip, int port, const char *ours) noexcept:
    cdef char source[LONGEST_TEXT]
    cdef char target[LONGEST_TEXT]
    cdef bint narrow
    if ip == NULL:
        memcpy(out, b"PROXY UNKNOWN\r\n", 15)
        return 15
    narrow = is_narrow(ip)
    inet_ntop(AF_INET if narrow else AF_INET6, ip + (12 if narrow else 0), source, LONGEST_TEXT)
    inet_ntop(AF_INET if narrow else AF_INET6, ip + (28 if narrow else 16), target, LONGEST_TEXT)
    return snprintf(
        out, MOST_WRITTEN, b"PROXY TCP%c %s %s %d %d\r\n", c'4' if narrow else c'6', source, target, port,
        <int>ntohs((<const sockaddr_in *>ours).sin_port))


cdef size_t write_binary(char *out, const char *ip, int port, const char *ours) noexcept:
    cdef bint narrow = ip != NULL and is_narrow(ip)
    cdef int each = 4 if narrow else 16
    cdef uint16_t number = htons(<uint16_t>port)
    memcpy(out, SIGNATURE, SIGNED)
    out[12] = <char>(LOCAL if ip == NULL else PROXIED)
    out[13] = <char>(0 if ip == NULL else 0x11 if narrow else 0x21)
    out[14] = 0
    out[15] = <char>(0 if ip == NULL else 2 * each + 4)
    if ip == NULL:
        return FIXED
    memcpy(out + FIXED, ip + 16 - each, each)
    memcpy(out + FIXED + each, ip + 32 - each, each)
    memcpy(out + FIXED + 2 * each, &number, 2)
    memcpy(out + FIXED + 2 * each + 2, &(<const sockaddr_in *>ours).sin_port, 2)
    return FIXED + 2 * each + 4
