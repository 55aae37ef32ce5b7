"""The border to the `docker` package: opening a client for an engine, and its errors as one line for people.

Never does: interpreting answers, retrying. The docker provider's thread uses it; nothing else imports `docker`.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import docker.errors
from docker import APIClient
from docker.tls import TLSConfig
from requests import exceptions

from haystack.discovery.docker import bounded, event_stream, pieces
from haystack.discovery.docker.bounded import Call, TooLongError
from haystack.discovery.docker.tls import Certificates
from haystack.net.https_adapter import HttpsAdapter
from haystack.settings.masking import masked

TIMEOUT = 15.0  # seconds that an engine may take for an answer
LONG = 60.0  # seconds for a list: 10,000 containers are 20 MB, which a line of 10 Mbit/s needs 16 s for
LONGEST = 16 << 20  # bytes of an answer about one thing: of a container with a megabyte of labels and variables a good deal more than all
LONGEST_LIST = 256 << 20  # bytes of a list: 100,000 tasks of a Swarm, at 2.5 kB each
ELEMENTS = 1_000_000  # of a list: what is kept of a small one is more than its bytes
CHUNK = 1 << 16  # bytes of a long answer that are read at once
AS_IT_IS = {"Accept-Encoding": "identity"}  # so that the bytes that are counted are those that are kept

PATH_SHOWN = 80  # characters of a path that a person is told
CLOCK_SLACK = 2.0  # seconds: a clock's step that is smaller shows as nothing


class EncodedError(Exception):
    """An answer is compressed; the text is one line."""


class Client(APIClient):  # type: ignore[misc]  # the package is untyped
    """An engine's. calls: those that run now; ended: so are all, and no further one begins."""

    def __init__(self, base: str, version: str, config: Any, timeout: float) -> None:
        super().__init__(base_url=base, version=version, tls=config, timeout=timeout)
        if config:
            self.mount("https://", HttpsAdapter())
        self.trust_env = False  # an HTTP proxy or a CA bundle of the environment is not meant for the engine
        self.calls: set[Call] = set()
        self.ended = False
        bounded.bind(self)

    def end_calls(self) -> None:
        """From any thread: whoever waits for an answer waits no longer, nor will anybody."""
        self.ended = True
        for call in tuple(self.calls):
            call.end()


def connect(host: str, certificates: Certificates | None, timeout: float = TIMEOUT) -> Client:
    """A client that speaks the engine's own API version. certificates: None for plain text. Raises anything."""
    config: Any = False
    if certificates is not None:
        config = TLSConfig(client_cert=certificates.client, ca_cert=certificates.ca, verify=True)
    base = host.replace("https://", "tcp://", 1)
    first = Client(base, "1.30", config, timeout)  # only to ask for the version: that needs none
    try:
        version = _version_of(asked(first, "/version", timeout, versioned=False).json())
    except (docker.errors.NotFound, exceptions.InvalidJSONError) as error:
        raise KeyError("ApiVersion") from error  # as of a web server, whose page would be no reason
    finally:
        first.close()
    return Client(base, version, config, timeout)


def _version_of(told: Any) -> str:
    """The API version that an engine tells. Raises KeyError: it tells none, and so is no engine."""
    version = told.get("ApiVersion") if isinstance(told, dict) else None
    if not isinstance(version, str) or not _API.fullmatch(version):
        raise KeyError("ApiVersion")
    return version


def clock(client: Client, timeout: float) -> float | None:
    """The engine's own time in Unix seconds, the fraction cut off; None where it does not tell. Raises anything."""
    answer = asked(client, "/_ping", timeout)
    try:
        return parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return None


def missed(client: Client, since: str, timeout: float) -> list[object] | None:
    """The events after `since` (seconds.nanoseconds) up to the engine's present second, asked for anew. Raises anything.

    None: that is in the engine's future: its clock went back, and nothing can be asked by time.

    Proves two things: that the engine answers within `timeout` seconds, and, where there are events that a stream has not
    brought, that the stream is dead. Until when to ask is told by the engine's own clock: an end to come would be waited for.
    """
    now = clock(client, timeout)
    if now is None or now <= float(since):  # the engine refuses such a question
        return [] if now is None or now > float(since) - CLOCK_SLACK else None
    answer = asked(client, "/events", timeout, since=since, until=str(int(now)))
    return event_stream.whole(answer.content)


def info(client: Client) -> object:
    """What the engine tells of itself. Raises anything, as the package does."""
    return asked(client, "/info", TIMEOUT).json()


def version(client: Client) -> object:
    """Which one it is. Raises anything, as the package does."""
    return asked(client, "/version", TIMEOUT).json()


def inspected(client: Client, identity: str, timeout: float) -> object:
    """What the engine tells of a container, for which it may take `timeout` seconds. Raises anything, as the package does."""
    return asked(client, f"/containers/{quote(identity, safe='')}/json", timeout).json()


def image(client: Client, reference: str, timeout: float) -> object:
    """What the engine tells of an image. Raises anything, as the package does."""
    return asked(client, f"/images/{quote(reference, safe='/:')}/json", timeout).json()


def listed(client: Client, path: str, silence: float = TIMEOUT, **query: str) -> Iterator[object]:
    """The elements of a list that the engine tells, which may be long: each as it comes. Raises anything, as the package does."""
    with contextlib.closing(streamed(client, path, silence, **query)) as chunks:
        for count, element in enumerate(pieces.elements(chunks)):
            if count >= ELEMENTS:
                raise TooLongError(f"the engine's list has more than {ELEMENTS} elements")
            yield element


def streamed(client: Client, path: str, silence: float, **query: str) -> Generator[bytes, None, None]:
    """A long answer in pieces, the next of which has to come within `silence` seconds, and all within LONG. Raises anything."""
    with _answer(client, path, Call(LONG, LONGEST_LIST, silence), query) as answer:
        yield from answer.iter_content(CHUNK)


def asked(client: Client, path: str, timeout: float, *, versioned: bool = True, **query: str) -> Any:
    """The whole answer to a GET, which has to be there within so many seconds. An error's status is raised as the package's own error."""
    with _answer(client, path, Call(timeout, LONGEST, timeout), query, versioned=versioned) as answer:
        answer.content  # noqa: B018 - reads it
        return answer


class Stream:
    """An answer without end, as an iterable of what comes, in pieces of bounded size; close() ends it from any thread."""

    def __init__(self, client: Client, path: str, query: dict[str, str]) -> None:
        """Raises anything, as the package does."""
        self._call = Call(TIMEOUT, LONGEST, TIMEOUT)
        self._kept = ExitStack()
        self._answer = self._kept.enter_context(_answer(client, path, self._call, query))
        self._call.let_run()

    def __iter__(self) -> Iterator[bytes]:
        with self._kept:
            while data := self._answer.raw.read1(CHUNK, decode_content=False):  # and not by HTTP's chunks: one may be of any size
                yield data

    def close(self) -> None:
        """End it."""
        self._call.end()


def events(client: Client, **query: str) -> Stream:
    """The engine's event stream. Raises anything, as the package does."""
    return Stream(client, "/events", query)


@contextmanager
def _answer(client: Client, path: str, call: Call, query: dict[str, str], *, versioned: bool = True) -> Iterator[Any]:
    """The answer to a GET, with its body still to come; asked once more where a kept connection had come to its end meanwhile."""
    url = f"{client.base_url}/v{client.api_version}{path}" if versioned else f"{client.base_url}{path}"
    client.calls.add(call)
    if client.ended:
        call.end()
    try:
        for first in (True, False):
            try:
                with call.asking():
                    answer = client.get(url, params=query, timeout=call.patience, stream=True, headers=AS_IT_IS)
                break
            except exceptions.ConnectionError as error:
                if isinstance(error, exceptions.Timeout) or late(error) or not first:
                    raise
        with contextlib.closing(answer):
            yield _good(_plain(answer))
    finally:
        client.calls.discard(call)


def _plain(answer: Any) -> Any:
    """Raises EncodedError: a few bytes may be any number of them then."""
    coding = answer.headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise EncodedError(f"the engine's answer is compressed ({coding[:20]}), which it was not asked for")
    return answer


def _good(answer: Any) -> Any:
    try:
        answer.raise_for_status()
    except exceptions.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)  # raises
    return answer


def gone(error: BaseException) -> bool:
    """True when `error` says that what was asked about is no more."""
    return isinstance(error, docker.errors.NotFound) or getattr(error, "status_code", None) == 409  # noqa: PLR2004 - Conflict: it is being removed


def refused(error: BaseException) -> str:
    """The path of a call that somebody before the engine does not let through, without its version; empty: it is not that."""
    if getattr(error, "status_code", None) not in (403, 405):
        return ""
    path = urlsplit(getattr(getattr(error, "response", None), "url", "") or "").path
    return _VERSION.sub("", path)[:PATH_SHOWN] if path.strip("/") else ""


def late(error: BaseException) -> bool:
    """True when there was a connection, and no answer in time."""
    # within a body requests calls it a broken connection (requests.models.Response.iter_content)
    return isinstance(error, exceptions.ReadTimeout) or (isinstance(error, exceptions.ConnectionError) and "Read timed out" in str(error))


def unusable(error: BaseException) -> bool:
    """True when there was an answer that can't be read: it is too long, compressed, or no JSON."""
    return isinstance(error, TooLongError | EncodedError | exceptions.InvalidJSONError)


def answered(error: BaseException) -> bool:
    """True when the engine itself answered with an error: the connection is good."""
    return isinstance(error, docker.errors.APIError)


def failed(error: BaseException) -> bool:
    """True when the engine answered that it has failed itself (RFC 9110, section 15.6)."""
    return isinstance(error, docker.errors.APIError) and bool(error.is_server_error())


def explain(error: BaseException, certified: bool = True) -> str:
    """One line that says what is wrong and, where known, what to set.

    certified: a client certificate was shown. Engines of before Go 1.21 call a missing one a bad one.
    """
    if isinstance(error, KeyError):  # docker's client takes a JSON error apart that has another shape
        return "it answers, but is not a Docker Engine"
    found = list(chain(error))
    told = " ".join(str(e) for e in found).lower()
    if not certified and "alert bad certificate" in told:
        return _MEANINGS[0][1]
    for words, meaning in _MEANINGS:
        if words in told:
            return meaning
    for one in found:
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"TLS: the engine's certificate is not accepted: {one.verify_message}"
        if isinstance(one, OSError) and one.strerror and one.errno:
            return one.strerror.lower()
    return masked((str(error).splitlines() or [type(error).__name__])[0][:200]) or type(error).__name__


def chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and all that it was made from, the innermost last."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]


_API = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")
_VERSION = re.compile(r"^/v[0-9.]+(?=/)")
_MEANINGS = (
    ("certificate required", "TLS: the engine asks for a client certificate: set DOCKER_CERT and DOCKER_KEY, or DOCKER_CERT_PATH"),
    ("alert bad certificate", "TLS: the engine does not accept the client certificate: check DOCKER_CERT and DOCKER_KEY"),
    ("alert unknown ca", "TLS: the engine does not know the CA of the client certificate: check DOCKER_CERT"),
    ("self-signed certificate", "TLS: the engine's certificate is not signed by the CA given: check DOCKER_CA or ca.pem"),
    ("unable to get local issuer", "TLS: the engine's certificate is not signed by the CA given: check DOCKER_CA or ca.pem"),
    ("certificate signature failure", "TLS: the engine's certificate is not signed by the CA given: check DOCKER_CA or ca.pem"),
    ("http request to an https server", "the engine speaks TLS on this port: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"),
    ("wrong version number", "TLS: the engine does not speak TLS on this port"),
    ("record layer failure", "TLS: the engine does not speak TLS on this port"),
    ("read timed out", "the engine does not answer in time"),
)
