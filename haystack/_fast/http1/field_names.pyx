"""What the name of a field means to a proxy: one table, asked once for each field.

Most names are in no bucket of it, and are never compared with anything.
"""
from haystack._fast.http1.head cimport Kind
from haystack._fast.util.scan cimport same_word

cdef enum:
    MOST = 96               # names; two hundred fifty-six buckets stay mostly empty
    LONGEST = 48            # no name is longer than this
    PREFIX = 12             # of x-forwarded-

NAMES = {
    b"host": Kind.HOST,
    b"content-length": Kind.CONTENT_LENGTH,
    b"transfer-encoding": Kind.TRANSFER_ENCODING,
    b"connection": Kind.CONNECTION,
    b"keep-alive": Kind.KEEP_ALIVE,
    b"upgrade": Kind.UPGRADE,
    b"te": Kind.TE,
    b"trailer": Kind.TRAILER,
    b"expect": Kind.EXPECT,
    b"date": Kind.DATE,
    b"via": Kind.VIA,
    b"x-request-id": Kind.REQUEST_ID,
    # between one proxy and the next (RFC 9110, section 11.7; the first is an invention of browsers of old)
    b"proxy-connection": Kind.PROXY_HOP,
    b"proxy-authenticate": Kind.PROXY_HOP,
    b"proxy-authorization": Kind.PROXY_HOP,
    # CGI makes HTTP_PROXY of it, which libraries take for their own proxy's address (CVE-2016-5385)
    b"proxy": Kind.PROXY_HOP,
    # of an upgrade to h2c, which is never passed on (RFC 7540, section 3.2.1; RFC 9113, section 3.1)
    b"http2-settings": Kind.PROXY_HOP,
    b"x-forwarded-for": Kind.FORWARDED_FOR,
    b"x-forwarded-host": Kind.FORWARDED_HOST,
    b"x-forwarded-port": Kind.FORWARDED_PORT,
    b"x-forwarded-proto": Kind.FORWARDED_PROTO,
    b"x-real-ip": Kind.REAL_IP,
}

# What else a proxy says of the client, and so nobody else may, beside every X-Forwarded-…
CLAIMS = (
    b"forwarded",                                                               # RFC 7239
    # its address
    b"true-client-ip", b"client-ip", b"x-client-ip", b"x-cluster-client-ip", b"x-remote-ip", b"x-remote-addr", b"x-proxyuser-ip",
    b"proxy-client-ip", b"wl-proxy-client-ip", b"cf-connecting-ip", b"cf-connecting-ipv6", b"cf-pseudo-ipv4", b"fastly-client-ip",
    b"fly-client-ip", b"x-appengine-user-ip", b"x-azure-clientip", b"x-azure-socketip", b"x-envoy-external-address", b"x-envoy-internal",
    b"x-original-forwarded-for", b"forwarded-for", b"x-originating-ip",
    # what it asked for, and how
    b"x-original-url", b"x-original-uri", b"x-original-host", b"x-original-method", b"x-original-proto", b"x-original-scheme",
    b"x-rewrite-url", b"x-scheme", b"x-url-scheme", b"front-end-https", b"x-http-host-override",
    # its certificate (RFC 9440, section 2.4), and whose it is
    b"client-cert", b"client-cert-chain", b"x-client-cert", b"x-ssl-client-cert", b"x-ssl-cert", b"x-arr-clientcert", b"ssl-client-cert",
    b"x-client-verify", b"x-client-dn", b"x-client-cn", b"ssl-client-verify", b"ssl-client-subject-dn", b"ssl-client-issuer-dn",
    b"x-ssl-client-verify", b"x-ssl-client-dn", b"x-ssl-client-s-dn", b"x-ssl-client-cn", b"x-ssl-client-serial",
)

cdef struct Known:
    const char *name
    int size
    int kind
    int following           # in the same bucket; 0: none

cdef Known known[MOST]


cdef int make_table() except -1:
    cdef int place = 0, at
    for name, kind in [*NAMES.items(), *((claim, Kind.FORWARDED) for claim in CLAIMS)]:
        place += 1
        if place >= MOST or len(name) > LONGEST:
            raise ValueError(name)
        at = bucket(name, len(name))
        known[place] = Known(name, <int>len(name), kind, buckets[at])
        buckets[at] = <unsigned char>place
    return 0


make_table()


cdef int kind_in(int place, const char *name, int size) noexcept nogil:
    """The Kind of the field of this name, which is looked for among those of one bucket."""
    while place:
        if known[place].size == size and same_word(name, known[place].name, size):
            return known[place].kind
        place = known[place].following
    if size > PREFIX and name[11] == c'-' and name[1] == c'-' and same_word(name, b"x-forwarded-", PREFIX):
        return Kind.FORWARDED
    return Kind.OTHER


cdef bint is_disguised(const char *name, int size) noexcept nogil:
    """True for a name that would mean something to us with dashes for its marks: CGI, WSGI and Rack can't tell the two apart.

    They make an underscore of a dash (RFC 3875, section 4.1.18); some servers do of everything that is no letter and no digit.
    """
    cdef char dashed[LONGEST + 1]
    cdef int i
    size = min(size, LONGEST + 1)           # what is longer can only be one of x-forwarded-…
    for i in range(size):
        dashed[i] = name[i] if is_plain(name[i]) else c'-'
    return kind_of(dashed, size) != Kind.OTHER


cdef inline bint is_plain(char c) noexcept nogil:
    return c'0' <= c <= c'9' or c'a' <= (c | 32) <= c'z'
