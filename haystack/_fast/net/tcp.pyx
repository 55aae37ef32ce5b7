"""What the kernel knows of a connection: how much of what was sent the other side has. Sends and reads nothing."""
from libc.errno cimport EADDRNOTAVAIL, EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM
from libc.stdint cimport int64_t, uint64_t

cdef extern from "sys/socket.h" nogil:
    int getsockopt(int, int, int, void *, unsigned int *)
cdef extern from "netinet/in.h" nogil:
    enum:
        IPPROTO_TCP
cdef extern from "linux/tcp.h" nogil:
    enum:
        TCP_INFO
    struct tcp_info:
        uint64_t tcpi_bytes_acked
        uint64_t tcpi_bytes_sent
cdef extern from "sys/ioctl.h" nogil:
    int ioctl(int, unsigned long, ...)
cdef extern from "linux/sockios.h" nogil:
    enum:
        SIOCOUTQ


cdef bint untouched(int fd, int64_t before, bint clean) noexcept:
    """Whether nobody can have acted on what was sent on a connection that has ended, but for its first `before` bytes. clean: with a FIN.

    A FIN acknowledges what was read before it. A reset may come from an endpoint that has acted on what it never acknowledged: there only
    what was never sent counts, because the connection was broken already.
    """
    cdef tcp_info info
    cdef unsigned int size = sizeof(info)
    info.tcpi_bytes_acked = info.tcpi_bytes_sent = <uint64_t>-1     # a kernel that does not tell leaves it so
    if getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0:
        return False
    if not clean:
        return info.tcpi_bytes_sent <= <uint64_t>before
    return info.tcpi_bytes_acked <= <uint64_t>before + 1            # the handshake's SYN counts as one


cdef int unacknowledged(int fd) noexcept:
    """Bytes that the socket took and the other side's kernel has not acknowledged; 0 also where that can't be told."""
    cdef int left = 0
    return left if ioctl(fd, SIOCOUTQ, &left) == 0 else 0


cdef bint is_own(int error) noexcept:
    """Whether connect failed for want of something of ours: of local ports, descriptors or memory (connect(2))."""
    return error in (EADDRNOTAVAIL, EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM)
