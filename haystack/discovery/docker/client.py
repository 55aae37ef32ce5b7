"""The border to the `docker` package: opening a client for an engine, and its errors as one line for people.

Never does: interpreting answers, retrying. The docker provider's thread uses it; nothing else imports `docker`.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import docker.errors
from docker import APIClient
from docker.tls import TLSConfig
from requests import exceptions
from urllib3 import HTTPConnectionPool

from haystack.discovery.docker import event_stream, pieces
from haystack.discovery.docker.tls import Certificates
from haystack.net.https_adapter import HttpsAdapter
from haystack.settings.masking import masked

TIMEOUT = 15  # seconds that an engine may take for an answer
CHUNK = 1 << 16  # bytes of a long answer that are read at once

CLOCK_SLACK = 2.0  # seconds: a clock's step that is smaller shows as nothing

Client = Any  # docker.APIClient; the package is untyped


def connect(host: str, certificates: Certificates | None, timeout: float = TIMEOUT) -> Client:
    """A client that speaks the engine's own API version. certificates: None for plain text. Raises anything."""
    config: Any = False
    if certificates is not None:
        config = TLSConfig(client_cert=certificates.client, ca_cert=certificates.ca, verify=True)
    base = host.replace("https://", "tcp://", 1)
    first = _client(base, "1.30", config, timeout)  # only to ask for the version: that needs none
    try:
        version = str(first.version(api_version=False)["ApiVersion"])
    finally:
        first.close()
    return _client(base, version, config, timeout)


def _client(base: str, version: str, config: Any, timeout: float) -> Client:
    client = APIClient(base_url=base, version=version, tls=config, timeout=timeout)
    if config:
        client.mount("https://", HttpsAdapter())
    client.trust_env = False  # an HTTP proxy or a CA bundle of the environment is not meant for the engine
    for adapter in client.adapters.values():
        # urllib3 drops a pool and leaves its connections to the garbage collector; an error that is still held keeps them open
        adapter.poolmanager.pools.dispose_func = HTTPConnectionPool.close
    return client


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


def inspected(client: Client, identity: str, timeout: float) -> object:
    """What the engine tells of a container, for which it may take `timeout` seconds. Raises anything, as the package does."""
    return asked(client, f"/containers/{quote(identity, safe='')}/json", timeout).json()


def listed(client: Client, path: str, timeout: float = TIMEOUT, **query: str) -> Iterator[object]:
    """The elements of a list that the engine tells, which may be long: each as it comes. Raises anything, as the package does."""
    with contextlib.closing(asked(client, path, timeout, whole=False, **query)) as answer:
        yield from pieces.elements(answer.iter_content(CHUNK))


def asked(client: Client, path: str, timeout: float, *, whole: bool = True, **query: str) -> Any:
    """A GET, once more where a kept connection had come to its end meanwhile. An error's status is raised as the package's own error.

    whole: read the body, too.
    """
    url = f"{client.base_url}/v{client.api_version}{path}"
    for first in (True, False):
        try:
            answer = client.get(url, params=query, timeout=timeout, stream=not whole)
        except exceptions.ConnectionError as error:
            if isinstance(error, exceptions.Timeout) or late(error) or not first:
                raise
        else:
            return _good(answer)
    raise AssertionError("not reached")


def _good(answer: Any) -> Any:
    try:
        answer.raise_for_status()
    except exceptions.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)  # raises
    return answer


def gone(error: BaseException) -> bool:
    """True when `error` says that what was asked about is no more."""
    return isinstance(error, docker.errors.NotFound) or getattr(error, "status_code", None) == 409  # noqa: PLR2004 - Conflict: it is being removed


def late(error: BaseException) -> bool:
    """True when there was a connection, and no answer in time."""
    # within a body requests calls it a broken connection (requests.models.Response.iter_content)
    return isinstance(error, exceptions.ReadTimeout) or (isinstance(error, exceptions.ConnectionError) and "Read timed out" in str(error))


def answered(error: BaseException) -> bool:
    """True when the engine itself answered with an error: the connection is good."""
    return isinstance(error, docker.errors.APIError)


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
