"""By which rules a certificate is verified, for clients of the ssl module: those of other programs, on each Python. Pure.

Since 3.13, Python's own contexts and urllib3's are strict about extensions (VERIFY_X509_STRICT, RFC 5280): they refuse a CA without key
usage, which is what `openssl req -x509` makes and Docker's own instructions lead to. OpenSSL by itself, Go and so the `docker` command,
curl and browsers take it. Whose signature it is, for which name and until when is verified by either.
"""

from __future__ import annotations

import ssl


def usual(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, without that strictness."""
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
