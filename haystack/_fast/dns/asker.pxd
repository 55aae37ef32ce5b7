# Who asks, and on which of our addresses.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from haystack._fast.net.networks cimport Networks

cdef extern from "sys/socket.h" nogil:
    enum:
        AF_INET
        AF_INET6
    struct sockaddr:
        unsigned short sa_family
    struct sockaddr_storage:
        unsigned short ss_family

cdef struct Asker:
    bint tcp
    int rights              # networks.Right
    uint32_t network        # the number of the network that it is on (haystack/dns/subnets.py); 0: none that we know
    int size                # octets of its address; 0: none
    int local_size          # octets of our address that it asked; 0: not known
    uint8_t ip[16]
    uint8_t local[16]

cdef void describe(Asker *asker, const void *peer, Networks networks, Networks subnets) noexcept
cdef int plain_address(uint8_t *ip, const void *address) noexcept nogil
