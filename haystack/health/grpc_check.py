"""grpc.health.v1.Health/Check, once: what the server says of itself or of one of its services, and what to do where it says nothing.

The two messages have one field each and are written by hand (protocol buffers, encoding). Never decides what an answer counts for.
The prober asks.
"""

from __future__ import annotations

from haystack.health import http2_call
from haystack.health.endpoint_tls import Seal
from haystack.health.http2_call import Answer
from haystack.observe.safe_text import printable

PATH = "/grpc.health.v1.Health/Check"
SERVING = "SERVING"
STATUSES = ("UNKNOWN", SERVING, "NOT_SERVING", "SERVICE_UNKNOWN")  # HealthCheckResponse.ServingStatus, by its number
CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
    "UNAUTHENTICATED",
)  # fmt: skip
ADVICE = {  # by code
    "UNIMPLEMENTED": "add grpc.health.v1.Health to the server, or remove haystack.health.grpc",
    "PERMISSION_DENIED": "let Health/Check through without credentials",
    "UNAUTHENTICATED": "let Health/Check through without credentials",
}
UNKNOWN_SERVICE = "set its status in the server, or haystack.health.grpc=on to ask for the server as a whole"
SHOWN = 80  # characters of a server's own words
HEADER = 5  # bytes before a message: whether it is compressed, and its length (PROTOCOL-HTTP2, Length-Prefixed-Message)
WIRE_SIZES = {1: 8, 5: 4}  # bytes of a field's value, by its wire type

_VARINT, _LENGTH = 0, 2  # wire types
_MORE = 0x80  # of a byte of a number: another one follows


def subject(service: str) -> str:
    """What is asked for, in words."""
    return f"gRPC health of {service}" if service else "gRPC health"


def request(service: str) -> bytes:
    """HealthCheckRequest as it is sent."""
    text = service.encode()
    message = b"\x0a" + _varint(len(text)) + text if text else b""
    return b"\x00" + len(message).to_bytes(4, "big") + message


def head(authority: str, seconds: float, *, within: bool = False) -> list[tuple[str, str]]:
    """Header fields of the call (PROTOCOL-HTTP2, Requests). within: TLS."""
    return [
        *http2_call.head("POST", PATH, authority, within=within),
        ("te", "trailers"),
        ("grpc-timeout", f"{min(int(seconds * 1000), 99_999_999)}m"),
        ("content-type", "application/grpc"),
    ]


async def ask(
    address: str,
    port: int,
    service: str,
    authority: str,
    timeout: float,  # noqa: ASYNC109 - the caller decides
    seal: Seal | None = None,
    greeting: bytes = b"",
) -> tuple[bool, str]:
    """Whether it is SERVING, and what it said. seal: it is asked within TLS; greeting: what comes before all."""
    fields = head(authority, timeout, within=seal is not None)
    found = await http2_call.call(address, port, fields, request(service), timeout, seal, greeting)
    return (False, f"port {port} {found}") if isinstance(found, str) else read(found, service, port)


def read(answer: Answer, service: str, port: int) -> tuple[bool, str]:
    """What an answer says: whether it is SERVING, and that in words."""
    code = answer.fields.get(b"grpc-status", b"")
    if not code.isdigit():
        return False, f"port {port} answers a gRPC call with HTTP {answer.status} and no grpc-status (not a gRPC server?)"
    number = http2_call.number(code) or (0 if code == b"0" else len(CODES))
    name = CODES[number] if number < len(CODES) else f"code {number}"
    if name != "OK":
        return False, _refused(name, answer.fields.get(b"grpc-message", b""), service)
    try:
        status = serving_status(bytes(answer.body))
    except ValueError:
        return False, f"{subject(service)} is no HealthCheckResponse"
    said = STATUSES[status] if status < len(STATUSES) else str(status)
    advice = f" ({UNKNOWN_SERVICE})" if said == "SERVICE_UNKNOWN" else ""
    return said == SERVING, f"{subject(service)} is {said}{advice}"


def _refused(name: str, message: bytes, service: str) -> str:
    """A call that failed, with the server's words or what to do."""
    if name == "NOT_FOUND":
        return f"{subject(service)} is not known to the server ({UNKNOWN_SERVICE})"
    told = ADVICE.get(name) or printable(message.decode("utf-8", "replace"))[:SHOWN]
    return f"{subject(service)} can't be had: {name}" + (f" ({told})" if told else "")


def serving_status(body: bytes) -> int:
    """The number of the status in a HealthCheckResponse as it is sent. Raises ValueError where it is none."""
    message = body[HEADER:]
    if len(body) < HEADER or body[0] != 0 or len(message) != int.from_bytes(body[1:HEADER], "big"):
        raise ValueError("no message")
    status, at = 0, 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        if tag & 7 == _VARINT:
            value, at = _read_varint(message, at)
            status = value if tag >> 3 == 1 else status
        elif tag & 7 == _LENGTH:
            size, at = _read_varint(message, at)
            at += size
        else:
            at += WIRE_SIZES.get(tag & 7, len(message) + 1)
    if at > len(message):
        raise ValueError("cut off")
    return status


def _varint(value: int) -> bytes:
    """A number, seven bits a byte, the lowest first."""
    written = bytearray()
    while value >= _MORE:
        written.append(value % _MORE | _MORE)
        value >>= 7
    return bytes((*written, value))


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends. Raises ValueError where it does not."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        value |= data[at] % _MORE << shift
        at += 1
        if data[at - 1] < _MORE:
            return value, at
    raise ValueError("no number")
