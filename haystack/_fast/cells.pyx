"""Cells: the counters that must survive a swap of the routing table, found again by their stable keys.

Never picks and never sends. An exchange holds its member, so an endpoint that left the table drains by itself.
"""
import socket

from libc.string cimport memcpy, memset

from haystack._fast.ledger cimport IS_DEBUG, Asset, book

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_INET
        AF_INET6
        AF_UNIX
cdef extern from "arpa/inet.h" nogil:
    unsigned short htons(unsigned short)
cdef extern from "netinet/in.h" nogil:
    struct in_addr:
        unsigned int s_addr
    struct sockaddr_in:
        unsigned short sin_family
        unsigned short sin_port
        in_addr sin_addr
    struct in6_addr:
        unsigned char s6_addr[16]
    struct sockaddr_in6:
        unsigned short sin6_family
        unsigned short sin6_port
        in6_addr sin6_addr
cdef extern from "sys/un.h" nogil:
    struct sockaddr_un:
        unsigned short sun_family
        char sun_path[108]


cdef class Cell:
    """One endpoint as a worker sees it. address: (ip, port) or the path of a unix socket. ValueError: not an address."""

    def __cinit__(self):
        if IS_DEBUG:
            book(Asset.CELL, 1)

    def __dealloc__(self):
        if IS_DEBUG:
            book(Asset.CELL, -1)

    def __init__(self, str key, object address):
        self.key = key
        self.address = address
        self.idle = []
        if isinstance(address, str):
            self.label = address
            self.set_unix(address.encode())
        else:
            ip, port = address
            self.label = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
            self.set_inet(ip, port)

    cdef int set_unix(self, bytes path) except -1:
        cdef sockaddr_un *a = <sockaddr_un *>self.sockaddr
        if not 0 < len(path) < 108:
            raise ValueError(f"the path of a unix socket has 1 to 107 bytes, not {len(path)}")
        memset(self.sockaddr, 0, sizeof(self.sockaddr))
        a.sun_family = AF_UNIX
        memcpy(a.sun_path, <const char *>path, len(path))
        self.family = AF_UNIX
        self.sockaddr_size = sizeof(sockaddr_un)
        return 0

    cdef int set_inet(self, str ip, int port) except -1:
        cdef sockaddr_in *a4 = <sockaddr_in *>self.sockaddr
        cdef sockaddr_in6 *a6 = <sockaddr_in6 *>self.sockaddr
        cdef bytes packed
        memset(self.sockaddr, 0, sizeof(self.sockaddr))
        try:
            packed = socket.inet_pton(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip)
        except OSError:
            raise ValueError(f"{ip!r} is not an IP address") from None
        if len(packed) == 4:
            a4.sin_family = self.family = AF_INET
            a4.sin_port = htons(port)
            memcpy(&a4.sin_addr, <const char *>packed, 4)
            self.sockaddr_size = sizeof(sockaddr_in)
        else:
            a6.sin6_family = self.family = AF_INET6
            a6.sin6_port = htons(port)
            memcpy(&a6.sin6_addr, <const char *>packed, 16)
            self.sockaddr_size = sizeof(sockaddr_in6)
        return 0

    @property
    def pooled(self):
        """How many idle connections are kept."""
        return len(self.idle)


cdef class Member:
    """One endpoint's part in one service on one listener: what is counted for /api/info."""

    def __init__(self, Cell cell, str service, int port):
        self.cell = cell
        self.service = service
        self.port = port
        self.weight = 100

    def take_new(self):
        """The requests counted since the last call."""
        cdef int64_t new = self.requests - self.reported
        self.reported = self.requests
        return new


cdef class Route:
    """What a host name leads to: members that are ready now, and how to choose among them."""

    def __init__(self, str service, list members, list weights, int picker, int64_t timeout_ms):
        cdef Member member
        self.service = service
        self.members = members
        self.picker = picker
        self.timeout_ms = timeout_ms
        heaviest = max(weights, default=1) or 1
        for member, weight in zip(members, weights, strict=True):
            member.weight = max(1, weight * 100 // heaviest) if weight else 0
