# Memory for a batch of datagrams and the answers to them.
from libc.stdint cimport uint8_t
from haystack._fast.dns.asker cimport sockaddr_storage

cdef extern from "sys/socket.h" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len
    struct msghdr:
        void *msg_name
        unsigned int msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len

cdef enum:
    BATCH = 64
    QUERY = 4096            # octets of a datagram that are looked at: no query is longer
    CONTROL = 64            # octets of what tells to which address it came

cdef struct Batch:
    mmsghdr heads[BATCH]
    iovec parts[BATCH]
    sockaddr_storage peers[BATCH]
    uint8_t control[BATCH][CONTROL]

cdef class Batches:
    cdef Batch incoming
    cdef Batch outgoing
    cdef uint8_t *queries
    cdef uint8_t *answers
