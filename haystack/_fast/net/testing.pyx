"""What parsers of this room make of bytes, for tests and fuzz targets alone."""
from haystack._fast.net.client_hello cimport Asked, Hello, read_hello
from haystack._fast.net.proxy_header cimport MOST_WRITTEN, Ends, read_header, write_header
from haystack._fast.net.transport cimport ConnectionState, check_step

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_INET
        AF_INET6
    struct sockaddr:
        unsigned short sa_family
cdef extern from "arpa/inet.h" nogil:
    const char *inet_ntop(int, const void *, char *, unsigned int)

CONNECTION_STATES = {
    "open": ConnectionState.OPEN, "draining": ConnectionState.DRAINING, "lingering": ConnectionState.LINGERING,
    "closed": ConnectionState.CLOSED,
}


def check_connection_step(str before, str after):
    """AssertionError: a connection does not go from one to the other."""
    check_step(<ConnectionState><int>CONNECTION_STATES[before], <ConnectionState><int>CONNECTION_STATES[after])


def proxy_header(bytes data):
    """(bytes of the header, client, its port, place, its port); empty addresses: nobody is told of. 0: more has to come; -1: none."""
    cdef Ends ends
    cdef Py_ssize_t size = read_header(data, len(data), &ends)
    return (size, *end(ends.client), *end(ends.place)) if size > 0 else size


cdef tuple end(char *address):
    cdef int family = (<sockaddr *>address).sa_family
    cdef char text[64]
    if family != AF_INET and family != AF_INET6:
        return "", 0
    inet_ntop(family, address + (4 if family == AF_INET else 8), text, sizeof(text))
    return text.decode(), <unsigned char>address[2] << 8 | <unsigned char>address[3]


def written_header(int version, bytes client, int port, int fd):
    """See proxy_header.write_header."""
    cdef char out[MOST_WRITTEN]
    return out[:write_header(out, version, client, <int>len(client), port, fd)]


def asked_name(bytes data):
    """(name, bytes of the hello's records) of a connection's first bytes; None: more has to come; name empty: none is asked for."""
    cdef Asked asked
    cdef Hello found = read_hello(<const unsigned char *><const char *>data, len(data), &asked)
    if found == Hello.PARTIAL:
        return None
    return asked.name[:asked.size] if found == Hello.NAMED else b"", asked.whole
