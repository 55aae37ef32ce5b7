"""Who answers at an address under a name: we, somebody else, or nobody. Asked as an authority would, for what nobody else can know."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from enum import Enum

from haystack.tls.acme.orders import Proof

SECONDS = 5.0  # for one address
READ = 4096
HTTP_PORT = 80  # where authorities look (RFC 8555, section 8.3;
TLS_PORT = 443  # RFC 8737, section 3)
PATH = "/.well-known/acme-challenge/"
PROTOCOL = "acme-tls/1"


class Heard(Enum):
    """Who answered: nobody, another server, or this Haystack."""

    NOBODY = 0
    ANOTHER = 1
    US = 2


async def over_http(address: str, proof: Proof) -> Heard:
    """By the beginning of what is answered there, as for http-01."""
    request = f"GET {PATH}{proof.token} HTTP/1.1\r\nHost: {proof.name}\r\nConnection: close\r\n\r\n".encode()
    try:
        async with asyncio.timeout(SECONDS):
            stream, out = await asyncio.open_connection(address, HTTP_PORT, limit=READ)
            try:
                out.write(request)
                told = (await stream.read(READ)).decode("latin-1")
            finally:
                out.close()
    except OSError:
        return Heard.NOBODY
    return Heard.US if proof.authorization in told else Heard.ANOTHER if told else Heard.NOBODY


async def over_tls(address: str, proof: Proof) -> Heard:
    """By the certificate that is shown there, as for tls-alpn-01."""
    try:
        async with asyncio.timeout(SECONDS):
            _, out = await asyncio.open_connection(address, TLS_PORT, ssl=_context(), server_hostname=proof.name, limit=READ)
            try:
                shown: bytes | None = out.get_extra_info("ssl_object").getpeercert(binary_form=True)
            finally:
                out.close()
    except ssl.SSLError:
        return Heard.ANOTHER
    except OSError:
        return Heard.NOBODY
    return Heard.US if hashlib.sha256(proof.authorization.encode()).digest() in (shown or b"") else Heard.ANOTHER


def _context() -> ssl.SSLContext:
    """It verifies nothing: what is shown is signed by nobody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([PROTOCOL])
    return context
