"""Datagrams: a batch is read with one system call and answered with another (recvmmsg(2)).

Each answer leaves from the address that was asked (RFC 2181, section 4.1). What can't be sent is lost, as any datagram may be: the
client asks again. Never decides an answer.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy, memset
from posix.unistd cimport dup

from haystack._fast.dns.asker cimport describe
from haystack._fast.dns.batches cimport BATCH, Batch, iovec
from haystack._fast.dns.question cimport Rcode, essence
from haystack._fast.dns.rate_limit cimport is_outside
from haystack._fast.dns.responder cimport Verdict
from haystack._fast.net.poller cimport clock_ns

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    """
cdef extern from "sys/socket.h" nogil:
    enum:
        MSG_DONTWAIT
        MSG_TRUNC
    struct cmsghdr:
        int cmsg_level
        int cmsg_type
    cmsghdr *CMSG_FIRSTHDR(msghdr *)
    cmsghdr *CMSG_NXTHDR(msghdr *, cmsghdr *)
    unsigned char *CMSG_DATA(cmsghdr *)
    size_t CMSG_LEN(size_t)
    size_t CMSG_SPACE(size_t)
    int recvmmsg(int, mmsghdr *, unsigned int, int, void *)
    int sendmmsg(int, mmsghdr *, unsigned int, int)
cdef extern from "netinet/in.h" nogil:
    enum:
        IPPROTO_IP
        IPPROTO_IPV6
        IP_PKTINFO
        IPV6_PKTINFO
    struct in_addr:
        uint32_t s_addr
    struct in_pktinfo:
        unsigned int ipi_ifindex
        in_addr ipi_spec_dst
        in_addr ipi_addr
    struct in6_addr:
        uint8_t s6_addr[16]
    struct in6_pktinfo:
        in6_addr ipi6_addr
        unsigned int ipi6_ifindex
cdef extern from "poll.h" nogil:
    enum:
        POLLOUT
    struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd *, unsigned long, int)

cdef extern from *:
    """
    static size_t haystack_control(void *at, int level, int type, const void *data, size_t size) {
        struct cmsghdr *out = (struct cmsghdr *)at;
        out->cmsg_level = level;
        out->cmsg_type = type;
        out->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(out), data, size);
        return CMSG_SPACE(size);
    }
    """
    size_t written "haystack_control"(void *at, int level, int type, const void *data, size_t size) noexcept nogil

cdef enum:
    TURNS = 4               # batches of one socket before others have their turn
    PATIENCE_MS = 1         # with a socket that takes nothing: its packets leave in microseconds


cdef class UdpSocket(LentSocket):
    """One socket for datagrams, which stays the giver's: the descriptor is duplicated (server.pyx)."""

    cdef int on_event(self, uint32_t events) except -1:
        return self.read()

    cdef int on_again(self) except -1:
        return self.read()

    cdef int on_failure(self) except -1:
        """A bug: what it was reading is lost, and others are answered."""
        return self.poller.later(self)

    cdef int leave(self) except -1:
        """Take no more. What waits for its answer keeps this object, and so a descriptor to send it by."""
        cdef int copy = duplicate(self.fd)
        self.close()
        self.fd = copy
        return 0

    cdef int read(self) except -1:
        """Answer what has come, or some batches of it where there is more."""
        cdef Batch *batch = &self.server.batches.incoming
        cdef int count, _turn, i
        if not self.open:
            return 0
        for _turn in range(TURNS):
            for i in range(BATCH):
                batch.heads[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage)
                batch.heads[i].msg_hdr.msg_controllen = CONTROL
            count = recvmmsg(self.fd, batch.heads, BATCH, MSG_DONTWAIT, NULL)
            if count < 0:
                if errno == EAGAIN:
                    return 0
                continue                # an error that an earlier answer has met, which is nothing to this one
            self.answer_all(count)
            if count < BATCH:
                return 0                # the next one that comes makes a new edge (epoll(7))
        return self.poller.later(self)

    cdef int answer_all(self, int count) except -1:
        """Answer the datagrams of the batch, those that can be answered at once together."""
        cdef DnsServer server = self.server
        cdef Batch *incoming = &server.batches.incoming
        cdef Batch *outgoing = &server.batches.outgoing
        cdef msghdr *head
        cdef msghdr *reply
        cdef Asker asker
        cdef Limited verdict
        cdef int i, size, answers = 0
        cdef int64_t began = clock_ns()
        server.responder.now = began // 1000000
        for i in range(count):
            head = &incoming.heads[i].msg_hdr
            reply = &outgoing.heads[answers].msg_hdr
            asker.tcp = False
            describe(&asker, head.msg_name, server.networks, server.subnets)
            reply.msg_controllen = way_back(head, <uint8_t *>reply.msg_control, &asker)
            size = server.responder.answer(
                <uint8_t *>incoming.parts[i].iov_base, incoming.heads[i].msg_len, &asker, <uint8_t *>outgoing.parts[answers].iov_base)
            if size == Verdict.FORWARD:
                if server.pending.has_room(&asker):
                    self.wait_for(head, &asker)
                    continue
                size = server.responder.overload(&asker, <uint8_t *>outgoing.parts[answers].iov_base)
            elif server.responder.hot:
                server.renew(&asker)
            if size <= 0:
                continue
            verdict = Limited.PASSED
            if is_outside(&asker):
                size = self.limited(&server.responder.question, &asker, <uint8_t *>outgoing.parts[answers].iov_base, size, &verdict)
            if server.responder.log is not None:
                server.responder.record(&server.responder.question, &asker, verdict, clock_ns() - began)
            if size > 0:
                memcpy(reply.msg_name, head.msg_name, head.msg_namelen)
                reply.msg_namelen = head.msg_namelen
                outgoing.parts[answers].iov_len = size
                answers += 1
        self.send(outgoing.heads, answers)
        server.at_once.took(clock_ns() - began, answers)
        return 0

    cdef int limited(self, Question *q, Asker *asker, uint8_t *answer, int size, Limited *verdict) noexcept:
        """How many octets of an answer to somebody outside are sent, by the verdict: all, those of a truncated one, or none.

        FORMERR and NOTIMP have no records, so they are sent as they are instead of a truncated answer.
        """
        cdef DnsServer server = self.server
        cdef int rcode = answer[3] & 15
        cdef uint32_t what = <uint32_t>rcode if rcode else q.digest ^ q.qtype
        verdict[0] = server.rate_limit.judge(asker, what, server.responder.now)
        if verdict[0] == Limited.PASSED or (verdict[0] == Limited.SLIPPED and (rcode == Rcode.FORMERR or rcode == Rcode.NOTIMP)):
            return size
        return server.responder.truncate(q, asker, answer) if verdict[0] == Limited.SLIPPED else 0

    cdef int wait_for(self, msghdr *head, Asker *asker) except -1:
        """Have the control process asked."""
        cdef UdpWaiter waiter = UdpWaiter()
        waiter.socket, waiter.asker = self, asker[0]
        memcpy(&waiter.peer, head.msg_name, head.msg_namelen)
        waiter.peer_size = head.msg_namelen
        waiter.control_size = way_back(head, waiter.control, &waiter.asker)
        waiter.packet = essence(&self.server.responder.question)
        waiter.key = PyBytes_FromStringAndSize(<const char *>&waiter.peer, waiter.peer_size) + waiter.packet[:2]
        return self.server.wait_for(waiter)

    cdef int send(self, mmsghdr *heads, int count) except -1:
        """Send answers. What is refused, as for an address that can't be, holds up no other."""
        cdef pollfd waits
        cdef int sent, done = 0
        cdef bint waited = False
        while done < count:
            sent = sendmmsg(self.fd, heads + done, count - done, MSG_DONTWAIT)
            if sent > 0:
                done += sent
            elif errno == EAGAIN and not waited:
                waits.fd, waits.events, waited = self.fd, POLLOUT, True
                poll(&waits, 1, PATIENCE_MS)
            elif errno == EAGAIN:
                self.server.unsent += count - done
                return 0
            elif errno != EINTR:
                done += 1
        return 0


cdef int duplicate(int fd) except -1:
    """A descriptor of the same socket."""
    cdef int copy = dup(fd)
    if copy < 0:
        raise OSError("dup")
    return copy


cdef class UdpWaiter(Waiter):
    """A datagram that waits for its answer."""

    cdef int reply(self, Question *q, uint8_t *p, int size, Limited *verdict) except -1:
        cdef mmsghdr head
        cdef iovec part
        if is_outside(&self.asker):
            size = self.socket.limited(q, &self.asker, p, size, verdict)
        if self.socket.fd < 0 or size <= 0:
            return 0
        memset(&head, 0, sizeof(head))
        part.iov_base, part.iov_len = p, size
        head.msg_hdr.msg_iov, head.msg_hdr.msg_iovlen = &part, 1
        head.msg_hdr.msg_name, head.msg_hdr.msg_namelen = &self.peer, self.peer_size
        head.msg_hdr.msg_control, head.msg_hdr.msg_controllen = self.control, self.control_size
        return self.socket.send(&head, 1)


cdef size_t way_back(msghdr *head, uint8_t *control, Asker *asker) noexcept nogil:
    """Set our address that was asked, and write what makes an answer leave from there; its octets."""
    cdef cmsghdr *each = CMSG_FIRSTHDR(head)
    cdef cmsghdr *out = <cmsghdr *>control
    cdef in_pktinfo v4
    cdef in6_pktinfo v6
    asker.local_size = 0
    while each != NULL:
        if each.cmsg_level == IPPROTO_IP and each.cmsg_type == IP_PKTINFO:
            memcpy(&v4, CMSG_DATA(each), sizeof(v4))
            asker.local_size = 4
            memcpy(asker.local, &v4.ipi_spec_dst, 4)
            v4.ipi_ifindex = 0
            return written(out, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4))
        if each.cmsg_level == IPPROTO_IPV6 and each.cmsg_type == IPV6_PKTINFO:
            memcpy(&v6, CMSG_DATA(each), sizeof(v6))
            asker.local_size = 16
            memcpy(asker.local, &v6.ipi6_addr, 16)
            if v6.ipi6_addr.s6_addr[0] != 0xFE or v6.ipi6_addr.s6_addr[1] & 0xC0 != 0x80:
                v6.ipi6_ifindex = 0     # only a link-local address needs its interface; otherwise the routing table knows better
            return written(out, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof(v6))
        each = CMSG_NXTHDR(head, each)
    return 0
