"""What an address is good for, by the networks it lies in: one binary search, without a Python object.

The table is made by haystack/net/access.py: places in their order, each with the rights of all addresses from there to the next one.
An IPv4 address in IPv6's clothes (RFC 4291, section 2.5.5.2) is the IPv4 address.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memchr, memcpy

cdef extern from "arpa/inet.h" nogil:
    enum:
        AF_INET
        AF_INET6
    int inet_pton(int, const char *, void *)
    uint32_t ntohl(uint32_t)
cdef extern from "endian.h" nogil:
    uint64_t be64toh(uint64_t)

cdef enum:
    LONGEST = 64            # bytes of an address as text, and more than any has

RIGHTS = {
    "INSIDE": <int>Right.INSIDE, "ADMIN": <int>Right.ADMIN, "RECURSION": <int>Right.RECURSION, "TRUSTED": <int>Right.TRUSTED,
    "NOBODY": <int>Right.NOBODY, "NEAR": <int>Right.NEAR, "GATEWAY": <int>Right.GATEWAY,
    "INTRODUCED": <int>Right.INTRODUCED,
}


cdef class Networks:
    """v4, v6: as in access.Table; empty: nobody may anything."""

    def __init__(self, bytes v4=b"", bytes v6=b""):
        cdef Py_ssize_t i
        if PyBytes_GET_SIZE(v4) % sizeof(Place4) or PyBytes_GET_SIZE(v6) % sizeof(Place6):
            raise ValueError("no table of networks")
        self.held4, self.held6 = v4, v6
        self.v4, self.count4 = <const Place4 *>PyBytes_AS_STRING(v4), PyBytes_GET_SIZE(v4) // sizeof(Place4)
        self.v6, self.count6 = <const Place6 *>PyBytes_AS_STRING(v6), PyBytes_GET_SIZE(v6) // sizeof(Place6)
        self.anybody = ~<int>Right.NOBODY if self.count4 and self.count6 else 0
        for i in range(self.count4):
            self.anybody &= <int>self.v4[i].rights
        for i in range(self.count6):
            self.anybody &= <int>self.v6[i].rights

    def find(self, str text):
        """The rights of an address; None: it is none. What follows a % is its interface (RFC 4007, section 11)."""
        cdef bytes raw = text.encode("utf-8", "replace")
        cdef int rights = self.of_text(PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw))
        return None if rights < 0 else rights

    cdef int of4(self, uint32_t address) noexcept:
        """address: in the machine's byte order."""
        cdef Py_ssize_t low = 0, high = self.count4, middle
        while low < high:
            middle = (low + high) // 2
            if self.v4[middle].start <= address:
                low = middle + 1
            else:
                high = middle
        return <int>self.v4[low - 1].rights if low else 0

    cdef int of6(self, const unsigned char *ip) noexcept:
        """ip: sixteen bytes as the network has them."""
        cdef Py_ssize_t low = 0, high = self.count6, middle
        cdef uint64_t words[2]
        cdef uint64_t first, second
        memcpy(words, ip, 16)
        first, second = be64toh(words[0]), be64toh(words[1])
        if first == 0 and second >> 32 == 0xFFFF:
            return self.of4(<uint32_t>second)
        while low < high:
            middle = (low + high) // 2
            if self.v6[middle].high < first or (self.v6[middle].high == first and self.v6[middle].low <= second):
                low = middle + 1
            else:
                high = middle
        return <int>self.v6[low - 1].rights if low else 0

    cdef int of_text(self, const char *p, Py_ssize_t size) noexcept:
        """See find; -1: it is no address."""
        cdef char text[LONGEST]
        cdef unsigned char ip[16]
        cdef uint32_t address
        cdef const char *zone = <const char *>memchr(p, c'%', size)
        if zone != NULL and memchr(p, c':', zone - p) != NULL:
            size = zone - p
        if size >= LONGEST or memchr(p, 0, size) != NULL:
            return -1
        memcpy(text, p, size)
        text[size] = 0
        if inet_pton(AF_INET, text, &address) == 1:
            return self.of4(ntohl(address))
        return self.of6(ip) if inet_pton(AF_INET6, text, ip) == 1 else -1
