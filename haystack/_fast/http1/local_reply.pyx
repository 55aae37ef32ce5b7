"""Answers of Haystack's own, in the form that the request's Accept prefers, with the reason in Proxy-Status (RFC 9209).

HTML for browsers, problem details (RFC 9457) for programs that ask for JSON, one line of text for all others. A call of gRPC gets a status
of gRPC in the head alone (Trailers-Only, in gRPC's PROTOCOL-HTTP2): its clients would make something of their own of another answer. These
answers are not on the hot path: JSON is left to msgspec.
"""
from msgspec.json import encode

from haystack._fast.http1.head cimport Head, Kind
from haystack._fast.http1.serialize cimport write_date
from haystack._fast.util.buffer cimport Buffer, add
from haystack._fast.util.scan cimport same_any

cdef dict REASONS = {
    200: b"OK", 308: b"Permanent Redirect",
    400: b"Bad Request", 404: b"Not Found", 408: b"Request Timeout", 414: b"URI Too Long",
    421: b"Misdirected Request", 429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    501: b"Not Implemented", 502: b"Bad Gateway", 503: b"Service Unavailable", 504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported", 508: b"Loop Detected",
}
# media range → its form, and whether it names that one
cdef dict RANGES = {
    b"text/html": (Form.HTML, True), b"application/xhtml+xml": (Form.HTML, True),
    b"application/json": (Form.JSON, True), b"application/problem+json": (Form.JSON, True), b"application/*": (Form.JSON, False),
    b"text/plain": (Form.TEXT, True), b"text/*": (Form.TEXT, False), b"*/*": (Form.TEXT, False),
}
cdef dict TYPES = {
    Form.TEXT: b"text/plain; charset=utf-8", Form.HTML: b"text/html; charset=utf-8", Form.JSON: b"application/problem+json",
}
cdef frozenset UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")     # RFC 3986, section 2.3
cdef dict GRPC_TYPES = {
    Form.GRPC: b"application/grpc", Form.GRPC_PROTO: b"application/grpc+proto", Form.GRPC_JSON: b"application/grpc+json",
    Form.GRPC_WEB: b"application/grpc-web", Form.GRPC_WEB_PROTO: b"application/grpc-web+proto",
    Form.GRPC_WEB_TEXT: b"application/grpc-web-text", Form.GRPC_WEB_TEXT_PROTO: b"application/grpc-web-text+proto",
}
cdef dict GRPC_FORMS = {type_: form for form, type_ in GRPC_TYPES.items()}
# status → gRPC's code, as its clients read an answer that has none (http-grpc-status-mapping)
cdef dict CODES = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
# Once a call has been sent, UNAVAILABLE would have clients send it again: a limit that has passed is DEADLINE_EXCEEDED, as Envoy has it.
cdef frozenset LATE = frozenset((b"http_response_timeout", b"connection_read_timeout"))
cdef enum:
    MAX_ACCEPT = 4096       # bytes that are read of it
    UNKNOWN = 2             # of gRPC's codes
    DEADLINE_EXCEEDED = 4
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 15vh auto; padding: 0 1rem; color: #222; background: #fff }}
small {{ color: #666 }}
@media (prefers-color-scheme: dark) {{ body {{ color: #ddd; background: #181818 }} small {{ color: #999 }} }}
</style>
</head>
<body>
<h1>{title}</h1>
{more}
</body>
</html>
"""


cdef int form_of(Head *h) except -1:
    """A call of gRPC's by its Content-Type; else what Accept prefers (RFC 9110, section 12.5.1): the most weight; of equal ones what is
    named before a wildcard, then the first."""
    cdef int i
    cdef int form
    cdef bytes accept = b""
    for i in range(h.count):
        if h.fields[i].name_size == 6 and same_any(h.fields[i].name, b"accept", 6):
            accept += b"," + h.fields[i].value[:min(h.fields[i].value_size, MAX_ACCEPT)]
        elif h.fields[i].name_size == 12 and same_any(h.fields[i].name, b"content-type", 12):
            form = grpc_form(h.fields[i].value[:min(h.fields[i].value_size, MAX_ACCEPT)])
            if form:
                return form
    return preferred(accept)


cdef int grpc_form(bytes content_type) except -1:
    """The form for a call with this Content-Type; 0: it is no call of gRPC's. Of a format that is not known the type goes without it."""
    cdef bytes type_ = content_type.partition(b";")[0].strip().lower()
    return GRPC_FORMS.get(type_, GRPC_FORMS.get(type_.partition(b"+")[0], 0))


cdef int preferred(bytes accept) except -1:
    cdef int found = Form.TEXT
    best = (0.0, False)
    for element in accept.lower().split(b","):
        range_, _, parameters = element.partition(b";")
        form, named = RANGES.get(range_.strip(), (Form.TEXT, None))
        if named is None:
            continue
        rank = (weight(parameters), named)
        if rank > best and rank[0] > 0:
            best, found = rank, form
    return found


cdef double weight(bytes parameters) except -1:
    """Its q, 1 where there is none, 0 where it is not one (RFC 9110, section 12.4.2): what can't be read speaks for nothing."""
    for parameter in parameters.split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            return qvalue(value.strip())
    return 1


cdef double qvalue(bytes text) except -1:
    """0 or 1, a point and at most three digits; of 1 they are zeros."""
    whole, _, rest = text.partition(b".")
    if whole not in (b"0", b"1") or len(rest) > 3 or (rest and not rest.isdigit()):
        return 0
    found = int(whole) + int(rest or b"0") / 10.0 ** len(rest)
    return found if found <= 1 else 0


cdef bytes request_id_of(Head *h, const char *made):
    """The X-Request-Id of a request, and the one of 32 characters that was made where it has none."""
    cdef int i
    for i in range(h.count):
        if h.fields[i].kind == Kind.REQUEST_ID:
            return h.fields[i].value[:h.fields[i].value_size]
    return made[:32] if made != NULL else b""


cdef int write_answer(
        Buffer *out, int status, const char *error, bytes detail, int form, bytes identity, bint head_only, bint close) except -1:
    """An answer of Haystack's own, with Proxy-Status (RFC 9209, section 2); how many bytes its body has.

    error: its word for the reason; empty: it is no error. detail: the reason in words; empty: these are not told. identity: the request's
    X-Request-Id; empty: it has none. With 308, detail is the place to go to. A call of gRPC's has its status in grpc-status, and 200 as
    HTTP's.
    """
    cdef bytes reason = REASONS.get(status, b"Error")
    cdef str said = detail.decode("utf-8", "replace")
    cdef bint call = form >= <int>Form.GRPC and status != 200
    cdef int written = Form.TEXT if form >= <int>Form.GRPC else form
    cdef bytes body = b"" if call else BODIES[written](status, reason.decode(), said, bytes(error).decode(), identity.decode("latin-1"))
    cdef bytes quoted = detail.replace(b"\\", b"").replace(b'"', b"'")
    cdef bytes word = b"; error=%s" % error if error[0] else b""
    cdef bytes head
    if call:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 0\r\n" % GRPC_TYPES[form]
        head += call_status(status, bytes(error), detail, identity)
    else:
        head = b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nVary: Accept\r\n" % (status, reason, TYPES[written], len(body))
    head += b"Proxy-Status: haystack%s%s\r\n" % (word, b'; details="%s"' % quoted if detail and status != 308 else b"")
    if status == 308:
        head += b"Location: %s\r\n" % detail
    if identity:
        head += b"X-Request-Id: %s\r\n" % identity
    if error[0]:
        head += b"Cache-Control: no-store\r\n"      # what is not there now may be there in a second
    if status == 503:
        head += b"Retry-After: 1\r\n"
    if close:
        head += b"Connection: close\r\n"
    add(out, head, len(head))
    write_date(out)
    add(out, b"\r\n", 2)
    if head_only:
        return 0
    add(out, body, len(body))
    return <int>len(body)


cdef bytes call_status(int status, bytes error, bytes detail, bytes identity):
    """An error as two fields of gRPC's; its words are percent-encoded but for printable ASCII (PROTOCOL-HTTP2, Responses)."""
    cdef int code = DEADLINE_EXCEEDED if error in LATE else CODES.get(status, UNKNOWN)
    cdef bytes reason = REASONS.get(status, b"Error")
    cdef bytes line = text_of(status, reason.decode(), detail.decode("utf-8", "replace"), "", identity.decode("latin-1")).strip()
    message = b"".join([b"%c" % c if 32 <= c < 127 and c != 37 else b"%%%02X" % c for c in line])
    return b"grpc-status: %d\r\ngrpc-message: %s\r\n" % (code, message)


def text_of(int status, str reason, str detail, str error, str identity):
    """One line."""
    said = f": {detail}" if detail else ""
    asked = f" (request {identity})" if identity else ""
    return f"{status} {reason}{said}{asked}\n".encode()


def page_of(int status, str reason, str detail, str error, str identity):
    """A page that needs nothing else."""
    lines = [f"<p>{escaped(sentence(detail))}.</p>"] if detail else []
    if identity:
        lines.append(f"<p><small>Request {escaped(identity)}</small></p>")
    return PAGE.format(title=f"{status} {reason}", more="\n".join(lines)).encode()


cdef str escaped(str text):
    """Text within HTML. As html.escape, whose module brings a table of entities: a third of a MiB in each worker."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").replace("'", "&#x27;")


cdef str sentence(str detail):
    """With a capital letter, unless it begins with the name of a host."""
    return detail if "." in detail.partition(" ")[0] else detail[:1].upper() + detail[1:]


def problem_of(int status, str reason, str detail, str error, str identity):
    """Problem details (RFC 9457, section 3). instance: the request, by its id as a URI has it; error: the word of Proxy-Status."""
    told = {"type": "about:blank", "title": reason, "status": status}
    more = ("detail", detail), ("instance", quoted(identity)), ("error", error), ("request_id", identity)
    told |= {name: value for name, value in more if value}
    return encode(told) + b"\n"


cdef str quoted(str text):
    """As a part of a URI (RFC 3986, section 2.1)."""
    return "".join([chr(c) if c in UNRESERVED else f"%{c:02X}" for c in text.encode()])


cdef dict BODIES = {Form.TEXT: text_of, Form.HTML: page_of, Form.JSON: problem_of}
