"""An asker by its socket address: what it may, and which network it is on."""
from libc.string cimport memcmp, memcpy

cdef extern from "netinet/in.h" nogil:
    struct in_addr:
        uint32_t s_addr
    struct in6_addr:
        uint8_t s6_addr[16]
    struct sockaddr_in:
        in_addr sin_addr
    struct sockaddr_in6:
        in6_addr sin6_addr

cdef const char *MAPPED = b"\0\0\0\0\0\0\0\0\0\0\xff\xff"


cdef int plain_address(uint8_t *ip, const void *address) noexcept nogil:
    """The octets of a socket address; how many. IPv4 in IPv6's clothes (RFC 4291, section 2.5.5.2) is IPv4; 0: it is neither."""
    cdef const uint8_t *whole
    if (<const sockaddr *>address).sa_family == AF_INET:
        memcpy(ip, &(<const sockaddr_in *>address).sin_addr, 4)
        return 4
    if (<const sockaddr *>address).sa_family != AF_INET6:
        return 0
    whole = <const uint8_t *>(<const sockaddr_in6 *>address).sin6_addr.s6_addr
    if memcmp(whole, MAPPED, 12) == 0:
        memcpy(ip, whole + 12, 4)
        return 4
    memcpy(ip, whole, 16)
    return 16


cdef void describe(Asker *asker, const void *peer, Networks networks, Networks subnets) noexcept:
    """Set its address, what it may, and its network."""
    asker.size = plain_address(asker.ip, peer)
    asker.rights = rights(asker, networks)
    asker.network = <uint32_t>rights(asker, subnets)


cdef int rights(Asker *asker, Networks networks) noexcept:
    cdef const uint8_t *ip = asker.ip
    if asker.size == 4:
        return networks.of4(<uint32_t>ip[0] << 24 | <uint32_t>ip[1] << 16 | <uint32_t>ip[2] << 8 | ip[3])
    return networks.of6(ip) if asker.size else 0
