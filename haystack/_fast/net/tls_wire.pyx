"""The socket beneath OpenSSL, with fewer system calls than its own BIO: none to learn that an empty socket is empty.

As with a plain transport, a read that gave less than it had room for has emptied the socket: the next bytes make a new edge (epoll(7)).
Session tickets of TLS 1.3, which nobody waits for, and the last answer go into one segment with what follows them.
"""
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport strlen

from haystack._fast.net.openssl cimport *

cdef extern from "sys/socket.h" nogil:
    enum:
        MSG_NOSIGNAL
        MSG_MORE
    ssize_t recv(int, void *, size_t, int)
    ssize_t send(int, const void *, size_t, int)

cdef BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), b"socket")
if method == NULL:
    raise MemoryError
BIO_meth_set_read(method, on_read)
BIO_meth_set_write(method, on_write)
BIO_meth_set_puts(method, on_puts)
BIO_meth_set_ctrl(method, on_ctrl)


cdef bint wire_up(Wire *wire, SSL *ssl, int fd) noexcept:
    """Have OpenSSL read and write this socket from now on. wire outlives ssl. False: there is no memory."""
    cdef BIO *bio = BIO_new(method)
    if bio == NULL:
        return False
    wire.ssl, wire.fd = ssl, fd
    BIO_set_data(bio, wire)
    BIO_set_init(bio, 1)
    SSL_set_bio(ssl, bio, bio)
    return True


cdef int on_read(BIO *bio, char *data, int size) noexcept:
    cdef Wire *wire = <Wire *>BIO_get_data(bio)
    cdef ssize_t n
    BIO_clear_retry_flags(bio)
    if wire.empty:
        BIO_set_retry_read(bio)
        return -1
    n = recv(wire.fd, data, size, 0)
    while n < 0 and errno == EINTR:
        n = recv(wire.fd, data, size, 0)
    if n > 0:
        wire.empty = n < size and not wire.hung_up
    elif n == 0:
        wire.ended = True
    elif errno == EAGAIN:
        wire.empty = True
        BIO_set_retry_read(bio)
    return <int>n


cdef int on_write(BIO *bio, const char *data, int size) noexcept:
    cdef Wire *wire = <Wire *>BIO_get_data(bio)
    cdef int how = MSG_NOSIGNAL
    cdef ssize_t n
    BIO_clear_retry_flags(bio)
    # of TLS 1.2, its ticket is sent with the messages behind it, in another state than this
    if wire.last or SSL_get_state(wire.ssl) == TLS_ST_SW_SESSION_TICKET:
        how |= MSG_MORE
    n = send(wire.fd, data, size, how)
    while n < 0 and errno == EINTR:
        n = send(wire.fd, data, size, how)
    if n < 0 and errno == EAGAIN:
        BIO_set_retry_write(bio)
    return <int>n


cdef int on_puts(BIO *bio, const char *text) noexcept:
    return on_write(bio, text, <int>strlen(text))


cdef long on_ctrl(BIO *bio, int command, long number, void *more) noexcept:
    if command == BIO_CTRL_EOF:
        return (<Wire *>BIO_get_data(bio)).ended
    return command == BIO_CTRL_FLUSH
