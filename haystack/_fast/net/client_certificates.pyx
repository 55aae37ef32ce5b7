"""Certificates of clients: the authorities whose are asked for, and what is told of one that was verified.

A session is resumed only by who was verified by the very same authorities and revocation lists, and as long as its certificate is valid.
Knows no connection and no request.
"""
from libc.stdint cimport int64_t

from haystack._fast.net.openssl cimport *
from haystack._fast.util.allocations cimport IS_DEBUG, Asset, book

cdef extern from "time.h" nogil:
    struct tm:
        pass
    int64_t timegm(tm *)
cdef extern from "arpa/inet.h" nogil:
    const char *inet_ntop(int, const void *, char *, unsigned int)
cdef extern from "sys/socket.h" nogil:
    enum:
        AF_INET
        AF_INET6
cdef extern from "openssl/x509.h":
    int ASN1_TIME_to_tm(const ASN1_TIME *, tm *)

cdef enum:
    DEPTH = 5               # authorities between a client's certificate and the one that is trusted
    CHAIN = 65536           # bytes of certificates that a client may send
    MOST_TOLD = 4096        # bytes of what endpoints are told: their own limits of a head are not far

# As RFC 4514 has it, in UTF-8
cdef unsigned long TEXT = XN_FLAG_RFC2253 & ~<unsigned long>ASN1_STRFLGS_ESC_MSB
cdef frozenset UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
cdef list ENCODED = [bytes((each,)) if each in UNRESERVED else b"%%%02X" % each for each in range(256)]     # RFC 3986, section 2
cdef frozenset MARKS = frozenset(b'"\\,;')      # that would end what they stand in


cdef class ClientAuthorities:
    """pem: certificates of authorities and revocation lists; ValueError: one can't be used. mark: of these alone, 32 bytes at most."""

    def __cinit__(self):
        self.store = X509_STORE_new()
        self.names = sk_X509_NAME_new_null()
        if self.store == NULL or self.names == NULL:
            raise MemoryError
        if IS_DEBUG:
            book(Asset.TLS, 1)

    def __init__(self, bytes pem, bytes mark):
        if not 0 < len(mark) <= 32:
            raise ValueError("a mark has 1 to 32 bytes")
        self.mark = mark
        ERR_clear_error()
        # who is named is trusted, whoever has signed it in turn
        if add_certificates(self, pem) == 0 or not X509_STORE_set_flags(self.store, X509_V_FLAG_PARTIAL_CHAIN):
            raise ValueError("OpenSSL does not take the authorities of clients")
        if add_lists(self, pem) and not X509_STORE_set_flags(self.store, X509_V_FLAG_CRL_CHECK):
            raise MemoryError
        ERR_clear_error()

    def __dealloc__(self):
        if self.store != NULL:
            X509_STORE_free(self.store)
            if IS_DEBUG:
                book(Asset.TLS, -1)
        if self.names != NULL:
            sk_X509_NAME_pop_free(self.names, X509_NAME_free)

    cdef bint ask(self, SSL *ssl) noexcept:
        """Have this handshake ask for a certificate and fail without a good one; False: it can't be, so it is to fail."""
        cdef X509_NAMES *told = SSL_dup_CA_list(self.names)
        if told == NULL:
            return False
        SSL_set_client_CA_list(ssl, told)       # which is its own from here on
        SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL)
        SSL_set_verify_depth(ssl, DEPTH)
        SSL_set_max_cert_list(ssl, CHAIN)
        return SSL_set1_verify_cert_store(ssl, self.store) == 1 and (
            SSL_set_session_id_context(ssl, <const unsigned char *><const char *>self.mark, <unsigned int>len(self.mark)) == 1)


cdef int add_certificates(ClientAuthorities to, bytes pem) except -1:
    """How many; 0: one can't be used."""
    cdef BIO *source = BIO_new_mem_buf(<const char *>pem, <int>len(pem))
    cdef X509 *each = PEM_read_bio_X509(source, NULL, NULL, NULL)
    cdef int count = 0
    while each != NULL:
        count += 1
        if X509_STORE_add_cert(to.store, each) != 1 or sk_X509_NAME_push(to.names, X509_NAME_dup(X509_get_subject_name(each))) == 0:
            X509_free(each)
            BIO_free(source)
            return 0
        X509_free(each)
        each = PEM_read_bio_X509(source, NULL, NULL, NULL)
    BIO_free(source)
    return count


cdef int add_lists(ClientAuthorities to, bytes pem) except -1:
    """Take in the revocation lists (RFC 5280, section 5); how many there are. ValueError: one can't be used, and would let somebody in."""
    cdef BIO *source = BIO_new_mem_buf(<const char *>pem, <int>len(pem))
    cdef X509_CRL *each = PEM_read_bio_X509_CRL(source, NULL, NULL, NULL)
    cdef int count = 0, good = 1
    while each != NULL:
        count += 1
        good = X509_STORE_add_crl(to.store, each)
        X509_CRL_free(each)
        each = PEM_read_bio_X509_CRL(source, NULL, NULL, NULL) if good else NULL
    BIO_free(source)
    if not good or count != pem.count(b"-----BEGIN X509 CRL-----"):
        raise ValueError("OpenSSL does not take a revocation list")
    return count


cdef int heed_ends(SSL_CTX *context) except -1:
    """Have no session resumed whose certificate has ended since: its client makes a full handshake, and is refused there."""
    if not SSL_CTX_set_session_ticket_cb(context, NULL, on_session, NULL):
        raise MemoryError
    return 0


cdef int on_session(
    SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t size, int status, void *arg
) noexcept:
    cdef X509 *shown = SSL_SESSION_get0_peer(session) if session != NULL else NULL
    if status != SSL_TICKET_SUCCESS and status != SSL_TICKET_SUCCESS_RENEW:
        return SSL_TICKET_RETURN_IGNORE_RENEW
    if shown != NULL and X509_cmp_current_time(X509_get0_notAfter(shown)) <= 0:
        return SSL_TICKET_RETURN_IGNORE_RENEW
    return SSL_TICKET_RETURN_USE if status == SSL_TICKET_SUCCESS else SSL_TICKET_RETURN_USE_RENEW


cdef tuple described(X509 *shown):
    """Of a verified certificate: its subject (RFC 4514, UTF-8), and what endpoints are told, which is empty where it is too long for them.

    The latter is as Traefik has it, percent-encoded: Subject="…";Issuer="…";SerialNumber="…";NB="…";NA="…";SAN="…", times in Unix seconds.
    """
    cdef bytes subject = text_of(X509_get_subject_name(shown))
    cdef list told = [b'Subject="%s"' % quoted(subject), b'Issuer="%s"' % quoted(text_of(X509_get_issuer_name(shown)))]
    told += [b'SerialNumber="%s"' % serial_of(shown)]
    told += [b'NB="%d"' % seconds(X509_get0_notBefore(shown)), b'NA="%d"' % seconds(X509_get0_notAfter(shown))]
    names = names_of(shown)
    identity = encoded(b";".join(told))
    longer = encoded(b";".join([*told, b'SAN="%s"' % b",".join(names)])) if names else identity
    if len(longer) <= MOST_TOLD:
        return subject, longer
    return subject, identity if len(identity) <= MOST_TOLD else b""


cdef bytes encoded(bytes text):
    return b"".join([ENCODED[each] for each in text])


cdef bytes quoted(bytes text):
    """A name within quotes: a quote of its own is written in the other way that RFC 4514, section 2.4, has for it."""
    return text.replace(b'\\"', b"\\22")


cdef bytes text_of(const X509_NAME *name):
    """A distinguished name. ValueError: it can't be written."""
    cdef BIO *out = BIO_new(BIO_s_mem())
    cdef char *data = NULL
    cdef long size
    if out == NULL:
        raise MemoryError
    try:
        if X509_NAME_print_ex(out, name, 0, TEXT) < 0:
            raise ValueError("the name in a client's certificate can't be written")
        size = BIO_get_mem_data(out, &data)
        return (<const char *>data)[:size].decode("utf-8", "replace").encode()
    finally:
        BIO_free(out)


cdef bytes serial_of(X509 *shown):
    """In decimal digits."""
    cdef BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(shown), NULL)
    cdef char *text = BN_bn2dec(number) if number != NULL else NULL
    try:
        return <bytes>text if text != NULL else b""
    finally:
        OPENSSL_free(text)
        BN_free(number)


cdef int64_t seconds(const ASN1_TIME *time) noexcept:
    cdef tm parts
    return timegm(&parts) if ASN1_TIME_to_tm(time, &parts) else 0


cdef list names_of(X509 *shown):
    """Its subjectAltName: host names, email addresses, URIs and IP addresses, in their order."""
    cdef GENERAL_NAMES *found = <GENERAL_NAMES *>X509_get_ext_d2i(shown, NID_subject_alt_name, NULL, NULL)
    cdef int i
    if found == NULL:
        return []
    try:
        names = [name_of(sk_GENERAL_NAME_value(found, i)) for i in range(sk_GENERAL_NAME_num(found))]
    finally:
        GENERAL_NAMES_free(found)
    return [name for name in names if name]


cdef bytes name_of(const GENERAL_NAME *name):
    """Empty: it is of another kind."""
    cdef int kind = 0
    cdef const ASN1_STRING *value = <const ASN1_STRING *>GENERAL_NAME_get0_value(name, &kind)
    cdef char address[48]
    if kind not in (GEN_DNS, GEN_EMAIL, GEN_URI, GEN_IPADD):
        return b""
    text = (<const char *>ASN1_STRING_get0_data(value))[:ASN1_STRING_length(value)]
    if kind == GEN_IPADD:
        if len(text) not in (4, 16):
            return b""
        inet_ntop(AF_INET if len(text) == 4 else AF_INET6, <const char *>text, address, sizeof(address))
        return <bytes>address
    return b"".join([b"\\%02X" % each if each in MARKS else bytes((each,)) for each in text])
