"""TLS to endpoints: a handshake behind the connection, whose certificate is taken, and sessions that the next handshake goes on from.

A session stands for a certificate that was verified: it is kept for one endpoint and one name alone, and not beyond a change of whom is
trusted. Never reads a file: certificates come as PEM.
"""
from libc.stdint cimport int64_t, uint32_t

from haystack._fast.net.epoll cimport EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP
from haystack._fast.net.openssl cimport *
from haystack._fast.net.tls cimport Tls, TlsPhase, reason, set_up
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book
from haystack._fast.util.buffer cimport pending, take

cdef extern from "arpa/inet.h" nogil:
    int inet_pton(int, const char *, void *)
cdef extern from "sys/socket.h" nogil:
    enum:
        AF_INET
        AF_INET6
        MSG_NOSIGNAL
        MSG_DONTWAIT
    ssize_t send(int, const void *, size_t, int)

cdef enum:
    ALERTS = 256            # numbers that an alert may have (RFC 8446, section 6)

cdef bytes H2 = b"h2"


cdef class TrustStore:
    """Certificates of CAs, none at first. There may be hundreds, and each takes a millisecond to read: one goes in after the other."""

    def __cinit__(self):
        self.store = X509_STORE_new()
        if self.store == NULL:
            raise MemoryError
        if IS_DEBUG:
            book(Asset.TLS, 1)

    def add(self, bytes pem):
        """Trust this one as well. ValueError: OpenSSL does not take it."""
        cdef BIO *source = BIO_new_mem_buf(<const char *>pem, <int>len(pem))
        cdef X509 *each
        ERR_clear_error()
        each = PEM_read_bio_X509_AUX(source, NULL, NULL, NULL)
        good = each != NULL and X509_STORE_add_cert(self.store, each) == 1
        X509_free(each)
        BIO_free(source)
        if not good:
            raise ValueError("OpenSSL does not take a certificate of a CA: " + reason())
        self.count += 1

    def __dealloc__(self):
        if self.store != NULL:
            X509_STORE_free(self.store)
            if IS_DEBUG:
                book(Asset.TLS, -1)


cdef class TlsClient(TlsSide):
    """How endpoints are spoken to. protocol: by ALPN, h2 or http/1.1; verifies: their certificates have to be signed by who is trusted."""

    def __init__(self, bytes protocol, bint verifies):
        self.upward = True
        self.protocol = protocol
        self.verifies = verifies
        if not verifies:
            self.context = made(self, None)

    def __dealloc__(self):
        self.drop()

    def trust(self, TrustStore store):
        """Take certificates that these have signed, from the next handshake on; None: it is not known who may sign any."""
        if self.verifies:
            self.drop()
            self.context = made(self, store) if store is not None else NULL
            self.version += 1

    @property
    def is_ready(self):
        """Whether a handshake can begin."""
        return self.context != NULL

    cdef void drop(self) noexcept:
        if self.context != NULL:
            SSL_CTX_free(self.context)      # connections that it has made hold it still
            self.context = NULL
            if IS_DEBUG:
                book(Asset.TLS, -1)


cdef SSL_CTX *made(TlsClient client, TrustStore store) except NULL:
    """A context. Ciphers are OpenSSL's own choice: an endpoint is what it is."""
    cdef SSL_CTX *context = SSL_CTX_new(TLS_client_method())
    cdef bytes offered = bytes([len(client.protocol)]) + client.protocol
    if context == NULL:
        raise MemoryError
    if IS_DEBUG:
        book(Asset.TLS, 1)
    set_up(context)
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION)
    SSL_CTX_set_alpn_protos(context, <const unsigned char *><const char *>offered, <unsigned int>len(offered))
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL)
    SSL_CTX_sess_set_new_cb(context, on_session)
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER if client.verifies else SSL_VERIFY_NONE, NULL)
    if store is not None:
        SSL_CTX_set1_cert_store(context, store.store)
    return context


cdef int on_session(SSL *ssl, SSL_SESSION *session) noexcept:
    """The endpoint has sent a ticket, or named a session. 1: it is ours now."""
    cdef TlsClientTransport transport = <TlsClientTransport>(<Tls *>SSL_get_app_data(ssl)).user
    transport.target.keep(session, transport.version)
    return 1


cdef class TlsTarget:
    """An endpoint within TLS. name: a host name or an IP address that its certificate has to be for; empty: it may be for any."""

    def __init__(self, TlsClient client, str name):
        self.client = client
        self.name = name
        self.host = name.encode()
        self.by_address = is_address(name)

    def __dealloc__(self):
        self.keep(NULL, 0)

    @property
    def has_session(self):
        """Whether the next handshake can go on from one before."""
        return self.session != NULL and self.version == self.client.version

    cdef void keep(self, SSL_SESSION *session, int64_t version) noexcept:
        """Have this in the place of the session that was there. version: of the client's context that it is of."""
        if self.session != NULL:
            SSL_SESSION_free(self.session)
        if IS_DEBUG:
            book(Asset.TLS, (session != NULL) - (self.session != NULL))
        self.session = session
        self.version = version

    cdef int dress(self, SSL *ssl) except -1:
        """Have a connection ask for the name, verify it, and resume."""
        if self.host and not self.by_address:
            SSL_set_tlsext_host_name(ssl, self.host)            # never an address (RFC 6066, section 3)
        if self.client.verifies and self.by_address:
            if not X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), self.host):
                raise ValueError(f"no certificate can be for {self.name!r}")     # else it might be for anybody
        elif self.client.verifies and self.host:
            SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS)
            if not SSL_set1_host(ssl, self.host):
                raise MemoryError
        if self.session != NULL and self.version == self.client.version:
            SSL_set_session(ssl, self.session)
        return 0


cdef bint is_address(str name) except -1:
    """Whether it is an IP address, which certificates name in another way (RFC 5280, section 4.2.1.6)."""
    cdef char[16] address
    cdef bytes text = name.encode()
    return inet_pton(AF_INET, text, address) == 1 or inet_pton(AF_INET6, text, address) == 1


cdef class TlsClientTransport(TlsTransport):
    """A connection to one endpoint: once it is made, its handshake begins by itself."""

    def __cinit__(self, TlsTarget target):
        self.target = target
        self.side = target.client

    cdef int shake(self, uint32_t events) except -1:
        if self.tls.phase == TlsPhase.BROKEN:
            return 0
        if events & EPOLLRDHUP:
            self.hung_up = True
        if self.tls.phase == TlsPhase.UNBEGUN:
            if events & EPOLLERR or not events & (EPOLLOUT | EPOLLHUP):
                return self.owner.on_event(events)
            if not self.begin():
                return self.owner.on_insecure(b"proxy_configuration_error")
        return self.next_step()             # what has come before an end is read first: it may be an alert

    cdef int begin(self) except -1:
        """It is connected. 0: by whom certificates have to be signed is not known."""
        if self.target.client.context == NULL:
            self.tls.phase = TlsPhase.BROKEN
            return 0
        self.version = self.target.client.version
        if pending(&self.out):              # what goes before: a new socket has room for it; where it is broken, the handshake sees that
            send(self.fd, self.out.data + self.out.start, pending(&self.out), MSG_NOSIGNAL | MSG_DONTWAIT)
            take(&self.out, pending(&self.out))
        self.attach(self.target.client.context, <void *>self)
        SSL_set_connect_state(self.tls.ssl)
        self.target.dress(self.tls.ssl)
        self.owner.on_hello()
        return 1

    cdef int secured(self) except -1:
        self.target.handshakes += 1
        self.target.resumed += SSL_session_reused(self.tls.ssl) == 1
        if self.target.client.protocol == H2 and not self.has_chosen():
            self.tls.phase = TlsPhase.BROKEN
            return self.owner.on_insecure(b"tls_protocol_error")
        self.owner.on_secure()
        return self.owner.on_event(EPOLLOUT | EPOLLIN | (EPOLLRDHUP if self.hung_up else 0))

    cdef bint has_chosen(self) noexcept:
        """Whether the endpoint has chosen what was offered: in HTTP/1.1 it need not, in h2 it has to (RFC 9113, section 3.2)."""
        cdef const unsigned char *chosen
        cdef unsigned int size
        SSL_get0_alpn_selected(self.tls.ssl, &chosen, &size)
        return size > 0

    cdef int refused(self, int problem) except -1:
        return self.owner.on_insecure(word_of(ERR_peek_error()))

    cdef void free(self) noexcept:
        """Its session is good for the next one, however this one ends."""
        if self.tls.ssl != NULL and self.tls.phase != TlsPhase.HANDSHAKE:
            SSL_set_shutdown(self.tls.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        TlsTransport.free(self)


cdef const char *word_of(unsigned long error) noexcept:
    """The word of RFC 9209, section 2.3, for why a handshake failed. error: OpenSSL's oldest; 0: the connection broke."""
    cdef int why = ERR_GET_REASON(error)
    if ERR_GET_LIB(error) != ERR_LIB_SSL or why == SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return b"connection_terminated"
    if why == SSL_R_CERTIFICATE_VERIFY_FAILED:
        return b"tls_certificate_error"
    if SSL_AD_REASON_OFFSET <= why < SSL_AD_REASON_OFFSET + ALERTS:
        return b"tls_alert_received"
    return b"tls_protocol_error"
