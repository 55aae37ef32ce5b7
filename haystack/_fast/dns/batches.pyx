"""Memory for a batch of datagrams and the answers to them: one is enough for all sockets of a worker."""
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from haystack._fast.dns.question cimport PAYLOAD


cdef class Batches:
    """Arrays as recvmmsg(2) and sendmmsg(2) take them."""

    def __cinit__(self):
        cdef int i
        self.queries = <uint8_t *>malloc(BATCH * QUERY)
        self.answers = <uint8_t *>malloc(BATCH * PAYLOAD)
        if self.queries == NULL or self.answers == NULL:
            raise MemoryError
        memset(&self.incoming, 0, sizeof(self.incoming))
        memset(&self.outgoing, 0, sizeof(self.outgoing))
        for i in range(BATCH):
            self.incoming.parts[i].iov_base, self.incoming.parts[i].iov_len = self.queries + i * QUERY, QUERY
            self.outgoing.parts[i].iov_base = self.answers + i * PAYLOAD
            prepare(&self.incoming, i)
            prepare(&self.outgoing, i)

    def __dealloc__(self):
        free(self.queries)
        free(self.answers)


cdef void prepare(Batch *batch, int i) noexcept nogil:
    batch.heads[i].msg_hdr.msg_iov, batch.heads[i].msg_hdr.msg_iovlen = &batch.parts[i], 1
    batch.heads[i].msg_hdr.msg_name = &batch.peers[i]
    batch.heads[i].msg_hdr.msg_control = batch.control[i]
