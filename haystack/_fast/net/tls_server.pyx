"""Which certificate a client is shown, by the name in its hello; tickets for resumption with keys that all workers share; ALPN.

OpenSSL's contexts are made of PEM when the first client asks for the name. A connection keeps its certificate when others replace it later.
Clients without SNI, and those that ask for an unknown name, get the default certificate; without one the handshake is refused (RFC 6066,
section 3).
"""
from cpython.ref cimport Py_INCREF
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memcpy

from haystack._fast.net.client_certificates cimport described, heed_ends
from haystack._fast.net.client_hello cimport MOST_HELLO, Asked, Hello, read_hello
from haystack._fast.net.epoll cimport EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLRDHUP
from haystack._fast.net.openssl cimport *
from haystack._fast.net.tls cimport Handshake, Tls, TlsPhase, TlsSide, TlsTransport, reason, set_up
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book

cdef extern from "sys/socket.h" nogil:
    enum:
        SHUT_WR
        MSG_NOSIGNAL
        MSG_DONTWAIT
        MSG_PEEK
    int shutdown(int, int)
    ssize_t recv(int, void *, size_t, int)
    ssize_t send(int, const void *, size_t, int)

cdef extern from "openssl/evp.h":
    EVP_CIPHER *EVP_CIPHER_fetch(void *, const char *, const char *)

cdef enum:
    TICKET_SECONDS = 43200
    LINGER_MS = 1000        # that a client has to read why its handshake was refused
    LINGER_BYTES = 65536    # and that it may send meanwhile
    ALPN_SIZE = 2           # bytes of length before the list of protocols

cdef EVP_CIPHER *aes = NULL     # of tickets: OpenSSL would look for EVP_aes_256_cbc() for each one anew
cdef char[MOST_HELLO] hello     # as it was looked at last
cdef bytes SESSIONS = b"haystack"
# Only forward secrecy and authenticated encryption. AES first, unless a client without instructions for it puts ChaCha20 first.
cdef bytes CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
cdef bytes SUITES = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
cdef bytes GROUPS = b"X25519:P-256:P-384"
cdef bytes HTTP2 = b"\x02h2"
cdef bytes HTTP1 = b"\x08http/1.1"
cdef bytes HTTP10 = b"\x08http/1.0"
cdef bytes PROOF = b"\x0aacme-tls/1"
cdef bytes PLAIN = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 50\r\n\r\n"
    b"this port speaks HTTPS: ask for it with https://\n\n")
VERSIONS = {"1.2": TLS1_2_VERSION, "1.3": TLS1_3_VERSION}


cdef class Credential:
    """A certificate with its key. chain, key: PEM; names: in lower case, as text."""

    def __init__(self, bytes chain, bytes key, names, bint proof=False):
        self.chain, self.key = chain, key
        self.names = frozenset([name.encode() for name in names])
        self.proof = proof

    def __dealloc__(self):
        if self.context != NULL:
            SSL_CTX_free(self.context)
            if IS_DEBUG:
                book(Asset.TLS, -1)

    cdef SSL_CTX *ready(self, TlsServer server) noexcept:
        """Its context, made now if it was not yet (docs/decisions/0021); NULL: OpenSSL can't use it, which is told once."""
        cdef bytes chain = self.chain, key = self.key
        if self.context != NULL or chain is None:
            return self.context
        self.chain = self.key = None
        try:
            self.context = made(server, chain, key, self.proof)
        except Exception as error:
            server.on_error(error)
        return self.context

    cdef bint covers(self, bytes name) noexcept:
        """Whether a host name in lower case is one of its names."""
        return name in self.names or b"*." + name.partition(b".")[2] in self.names


cdef class TlsServer(TlsSide):
    """Certificates and ticket keys of a worker. least: the oldest version, 1.2 or 1.3; on_error: told of what OpenSSL can't use."""

    def __init__(self, str least, on_error):
        self.least = VERSIONS[least]
        self.names = {}
        self.challenges = {}
        self.on_error = on_error
        fetch()
        self.context = base(self)
        SSL_CTX_set_client_hello_cb(self.context, on_hello, <void *>self)
        if not SSL_CTX_set_tlsext_ticket_key_evp_cb(self.context, on_ticket):
            raise MemoryError

    def __dealloc__(self):
        OPENSSL_cleanse(self.keys, sizeof(self.keys))
        if self.context != NULL:
            SSL_CTX_free(self.context)
            if IS_DEBUG:
                book(Asset.TLS, -1)

    def show(self, dict names, gone, default):
        """Set the certificates of these names (text → Credential), and remove those of the names in `gone`.

        default: the certificate for all other names; None: their handshakes are refused.
        """
        self.names.update({name.encode(): credential for name, credential in names.items()})
        for name in gone:
            self.names.pop(name.encode(), None)
        self.default = default

    def prove(self, dict challenges):
        """Set the certificates for clients that ask for acme-tls/1, and for no others (RFC 8737)."""
        self.challenges = {name.encode(): credential for name, credential in challenges.items()}

    def set_keys(self, keys):
        """Encrypt tickets with the first of these keys, and read those of all. Each has 80 bytes."""
        cdef bytes key
        cdef int count = 0
        for key in keys[:TICKET_KEYS]:
            if len(key) != sizeof(TicketKey):
                raise ValueError("a ticket key has 80 bytes")
            memcpy(&self.keys[count], <const char *>key, sizeof(TicketKey))
            count += 1
        self.key_count = count

    def require(self, ClientAuthorities clients):
        """Refuse clients without a certificate of these authorities, and sessions from before. None: refuse all until they are known."""
        if not self.asks:
            heed_ends(self.context)
        self.asks, self.clients = True, clients

    cdef bint asks_rightly(self, SSL *ssl) noexcept:
        """Whether this handshake asks for a client certificate where it has to; a CA that checks tls-alpn-01 has none (RFC 8737)."""
        return not self.asks or self.found.proof or (self.clients is not None and self.clients.ask(ssl))

    cdef Credential find(self, bytes name, bint proof):
        if proof:
            return self.challenges.get(name)
        return self.names.get(name) or self.names.get(b"*." + name.partition(b".")[2]) or self.default


cdef class TlsServerTransport(TlsTransport):
    """One client of a TlsServer."""

    def __cinit__(self, TlsServer server):
        self.side = server
        self.name = b""

    cdef int on_deadline(self) except -1:
        if self.tls.phase in (TlsPhase.LOOKING, TlsPhase.HANDSHAKE):
            self.side.count(Handshake.FAILED, 1)
            return self.close()
        return self.close() if self.tls.phase == TlsPhase.REFUSED else self.owner.on_deadline()

    cdef int on_event(self, uint32_t events) except -1:
        if self.tls.phase == TlsPhase.REFUSED:
            return self.close() if events & (EPOLLERR | EPOLLHUP) else self.linger()
        return TlsTransport.on_event(self, events)

    cdef int on_again(self) except -1:
        if self.tls.phase == TlsPhase.REFUSED:
            self.go_on()
            return 0
        return TlsTransport.on_again(self)

    cdef int shake(self, uint32_t events) except -1:
        if events & (EPOLLERR | EPOLLHUP):
            return self.close()
        if events & EPOLLRDHUP:
            self.hung_up = True
        if self.tls.phase < TlsPhase.HANDSHAKE:
            if self.tls.phase == TlsPhase.UNBEGUN and self.hung_up and self.is_empty():
                return self.close()     # as health checks of load balancers do: that is no handshake
            if self.is_taken():
                return 0
            self.begin()
        return self.next_step()

    cdef int begin(self) except -1:
        """The first byte has come: set up OpenSSL."""
        cdef TlsServer server = <TlsServer>self.side
        self.wait()
        self.attach(server.context, <void *>server)
        SSL_set_accept_state(self.tls.ssl)
        return 0

    cdef int wait(self) except -1:
        """The client has sent something: from here on the time limit of a handshake holds."""
        self.readable = True            # it is at work: no drain takes it for idle
        return self.owner.on_hello() if self.tls.phase == TlsPhase.UNBEGUN else 0

    cdef bint is_taken(self) except -1:
        """Look at the name in the hello without reading it (MSG_PEEK); True: the hello is not whole yet, or its TLS is passed through."""
        cdef Asked asked
        cdef Hello found
        cdef ssize_t size
        if not self.owner.asks_name():
            return False
        size = recv(self.fd, hello, MOST_HELLO, MSG_PEEK | MSG_DONTWAIT)
        found = read_hello(<const unsigned char *>hello, size, &asked) if size > 0 else Hello.NAMELESS
        if found == Hello.PARTIAL and not self.hung_up:
            self.wait()
            self.tls.phase = TlsPhase.LOOKING
            return True
        return found == Hello.NAMED and self.owner.on_name(asked.name[:asked.size], asked.whole)

    cdef int advance(self) except -2:
        cdef TlsServer server = <TlsServer>self.side
        cdef int done
        server.found = None
        done = SSL_do_handshake(self.tls.ssl)
        if server.found is not None:
            self.credential, self.name = server.found, server.asked
        return done

    cdef int secured(self) except -1:
        if self.credential.proof:
            self.side.count(self.kind(), -1)    # that is no traffic
            return self.close()         # the CA has seen what it wants to see (RFC 8737, section 3)
        if (<TlsServer>self.side).asks and not self.identify():
            self.side.count(self.kind(), -1)
            self.side.count(Handshake.FAILED, 1)
            return self.refused(0)
        self.owner.on_secure()
        return self.owner.on_event(EPOLLIN | (EPOLLRDHUP if self.hung_up else 0))

    cdef int refused(self, int problem) except -1:
        """A client that speaks HTTP to this port is told so.

        With TLS 1.3 a client may have sent its request already, and a close with bytes unread is a reset: it would not see why.
        """
        if ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST:
            send(self.fd, <const char *>PLAIN, len(PLAIN), MSG_NOSIGNAL | MSG_DONTWAIT)
        ERR_clear_error()
        self.tls.phase = TlsPhase.REFUSED
        self.free()
        shutdown(self.fd, SHUT_WR)
        self.deadline = self.poller.now + LINGER_MS
        return self.linger()

    cdef int linger(self) except -1:
        """Read and drop what still comes, until the client closes."""
        cdef ssize_t n
        while self.tls.dropped < LINGER_BYTES:
            n = recv(self.fd, hello, MOST_HELLO, MSG_DONTWAIT)
            if n < 0 and errno in (EAGAIN, EINTR):
                return 0
            if n <= 0:
                break
            self.tls.dropped += n
        return self.close()

    cdef int identify(self) except -1:
        """Note the client's certificate, which OpenSSL has verified; 0: it sent none, though it was asked for one."""
        cdef X509 *shown = SSL_get1_peer_certificate(self.tls.ssl)
        if shown == NULL:
            return 0
        try:
            told = described(shown)
        finally:
            X509_free(shown)
        Py_INCREF(told)
        self.tls.client = <void *>told
        return 1


cdef int fetch() except -1:
    """Have what tickets are encrypted with. Not at the import: OpenSSL sets itself up at the first call, which takes a worker 2 MiB."""
    global aes
    if aes == NULL:
        ERR_clear_error()
        aes = EVP_CIPHER_fetch(NULL, b"AES-256-CBC", NULL)
    if aes == NULL:
        raise RuntimeError("OpenSSL has no AES-256-CBC: " + reason())
    return 0


cdef SSL_CTX *base(TlsServer server) except NULL:
    """A context with everything but a certificate."""
    cdef SSL_CTX *context
    ERR_clear_error()
    context = SSL_CTX_new(TLS_server_method())
    if context == NULL:
        raise RuntimeError("OpenSSL makes no context: " + reason())
    if IS_DEBUG:
        book(Asset.TLS, 1)
    SSL_CTX_set_min_proto_version(context, server.least)
    set_up(context)
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA)
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF)         # tickets hold the sessions
    SSL_CTX_set_session_id_context(context, SESSIONS, <unsigned int>len(SESSIONS))
    SSL_CTX_set_timeout(context, TICKET_SECONDS)
    SSL_CTX_set_cipher_list(context, CIPHERS)
    SSL_CTX_set_ciphersuites(context, SUITES)
    SSL_CTX_set1_groups_list(context, GROUPS)
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL)
    return context


cdef SSL_CTX *made(TlsServer server, bytes chain, bytes key, bint proof) except NULL:
    """A context of PEM. ValueError: OpenSSL does not take it."""
    cdef SSL_CTX *context = base(server)
    ERR_clear_error()
    if not (use_chain(context, chain) and use_key(context, key) and SSL_CTX_check_private_key(context)):
        SSL_CTX_free(context)
        if IS_DEBUG:
            book(Asset.TLS, -1)
        raise ValueError("OpenSSL does not take a certificate: " + reason())
    if proof:
        SSL_CTX_set_alpn_select_cb(context, on_proof_alpn, NULL)
    ERR_clear_error()
    return context


cdef bint use_chain(SSL_CTX *context, bytes pem) noexcept:
    cdef BIO *source = BIO_new_mem_buf(<const char *>pem, <int>len(pem))
    cdef X509 *each = PEM_read_bio_X509(source, NULL, NULL, NULL)
    cdef bint good = each != NULL and SSL_CTX_use_certificate(context, each) == 1
    X509_free(each)
    while good:
        each = PEM_read_bio_X509(source, NULL, NULL, NULL)
        if each == NULL:
            ERR_clear_error()           # its end
            break
        good = SSL_CTX_add1_chain_cert(context, each) == 1
        X509_free(each)
    BIO_free(source)
    return good


cdef bint use_key(SSL_CTX *context, bytes pem) noexcept:
    cdef BIO *source = BIO_new_mem_buf(<const char *>pem, <int>len(pem))
    cdef EVP_PKEY *key = PEM_read_bio_PrivateKey(source, NULL, NULL, NULL)
    cdef bint good = key != NULL and SSL_CTX_use_PrivateKey(context, key) == 1
    EVP_PKEY_free(key)
    BIO_free(source)
    return good


cdef int on_hello(SSL *ssl, int *alert, void *arg) noexcept:
    """The client's hello has come: choose the certificate before OpenSSL looks at the rest of it."""
    cdef TlsServer server = <TlsServer>arg
    cdef SSL_CTX *context = NULL
    try:
        server.asked = asked_name(ssl)
        server.found = server.find(server.asked, asks_proof(ssl))
        if server.found is None:
            alert[0] = SSL_AD_UNRECOGNIZED_NAME
            return SSL_CLIENT_HELLO_ERROR
        context = server.found.ready(server)
    except Exception as error:
        server.on_error(error)
    if context == NULL or SSL_set_SSL_CTX(ssl, context) == NULL or not server.asks_rightly(ssl):
        alert[0] = SSL_AD_INTERNAL_ERROR
        return SSL_CLIENT_HELLO_ERROR
    return SSL_CLIENT_HELLO_SUCCESS


cdef bytes asked_name(SSL *ssl):
    """The host name of the hello in lower case; empty: it has none that is one (RFC 6066, section 3)."""
    cdef const unsigned char *data
    cdef size_t size
    cdef size_t length
    if not SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) or size < 5 or data[2] != 0:
        return b""
    length = <size_t>data[3] << 8 | data[4]
    if length == 0 or length > MOST_NAME or length > size - 5:
        return b""
    return (<const char *>data)[5:5 + length].lower().rstrip(b".")


cdef bint asks_proof(SSL *ssl) noexcept:
    """Whether the hello offers acme-tls/1 and nothing else (RFC 8737, section 3)."""
    cdef const unsigned char *data
    cdef size_t size
    return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &size) == 1 and (
        size == ALPN_SIZE + <size_t>len(PROOF)) and memcmp(data + ALPN_SIZE, <const char *>PROOF, len(PROOF)) == 0


cdef int choose(
    const unsigned char **chosen, unsigned char *chosen_size, const unsigned char *offered, unsigned int size, bytes wanted
) noexcept:
    """Choose this protocol if it is offered."""
    cdef unsigned int at = 0
    while at < size and at + 1 + offered[at] <= size:
        if offered[at] + 1 == len(wanted) and memcmp(offered + at, <const char *>wanted, len(wanted)) == 0:
            chosen[0] = offered + at + 1
            chosen_size[0] = offered[at]
            return SSL_TLSEXT_ERR_OK
        at += 1 + offered[at]
    return SSL_TLSEXT_ERR_ALERT_FATAL


cdef int on_alpn(
    SSL *ssl, const unsigned char **chosen, unsigned char *chosen_size, const unsigned char *offered, unsigned int size, void *arg
) noexcept:
    """Choose HTTP/2, else HTTP/1.1; a client that offers neither gets a fatal alert (RFC 7301, section 3.2)."""
    if choose(chosen, chosen_size, offered, size, HTTP2) == SSL_TLSEXT_ERR_OK:
        return SSL_TLSEXT_ERR_OK
    if choose(chosen, chosen_size, offered, size, HTTP1) == SSL_TLSEXT_ERR_OK:
        return SSL_TLSEXT_ERR_OK
    return choose(chosen, chosen_size, offered, size, HTTP10)


cdef int on_proof_alpn(
    SSL *ssl, const unsigned char **chosen, unsigned char *chosen_size, const unsigned char *offered, unsigned int size, void *arg
) noexcept:
    return choose(chosen, chosen_size, offered, size, PROOF)


cdef int on_ticket(
    SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt
) noexcept:
    """Set up what encrypts a ticket or reads one (RFC 5077, section 4). 0: the key is not known any more; 2: a new ticket is to go out."""
    cdef TlsServer server = <TlsServer>(<Tls *>SSL_get_app_data(ssl)).user
    cdef TicketKey *key = NULL
    cdef int at
    if encrypt:
        if server.key_count == 0 or RAND_bytes(iv, 16) != 1:
            return 0
        key = &server.keys[0]
        memcpy(name, key.name, sizeof(key.name))
        return 1 if EVP_EncryptInit_ex(cipher, aes, NULL, key.cipher, iv) and set_mac(mac, key) else -1
    for at in range(server.key_count):
        if memcmp(name, server.keys[at].name, sizeof(server.keys[at].name)) == 0:
            key = &server.keys[at]
            break
    if key == NULL:
        return 0
    if not (set_mac(mac, key) and EVP_DecryptInit_ex(cipher, aes, NULL, key.cipher, iv)):
        return -1
    return 1 if at == 0 else 2


cdef bint set_mac(EVP_MAC_CTX *mac, TicketKey *key) noexcept:
    cdef OSSL_PARAM parameters[3]
    parameters[0] = OSSL_PARAM_construct_octet_string(b"key", key.mac, sizeof(key.mac))
    parameters[1] = OSSL_PARAM_construct_utf8_string(b"digest", <char *>b"SHA256", 0)
    parameters[2] = OSSL_PARAM_construct_end()
    return EVP_MAC_CTX_set_params(mac, parameters) == 1
