"""DOCKER_HOST: the URL of an engine, checked; what is wrong with it is said so that it can be mended. Pure."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from haystack.model.spelling import nearest

SOCKET = "unix:///var/run/docker.sock"
EXAMPLE = "tcp://1.2.3.4:2375"
NETWORK = ("tcp", "http", "https")
SSH = "ssh"
SCHEMES = ("unix", *NETWORK, SSH)
PLAIN, TLS = 2375, 2376
UNSUPPORTED = {
    "npipe": "run Haystack in a Linux container, where Docker Desktop has unix:///var/run/docker.sock",
    "fd": "use the socket that the engine listens on, as in unix:///var/run/docker.sock",
}


def read(value: str) -> str:
    """The URL in its usual form. Raises ValueError."""
    scheme, colon, rest = value.partition(":")
    scheme = scheme.lower()
    if scheme in UNSUPPORTED and colon:
        raise ValueError(f"{scheme}:// is not supported: {UNSUPPORTED[scheme]}")
    if scheme == "unix" and colon:
        return _socket(rest)
    if scheme == SSH and colon:
        return _over_ssh(value, rest)
    if scheme in NETWORK and colon:
        return _remote(value, scheme, rest)
    raise ValueError(_no_scheme(value))


def _no_scheme(value: str) -> str:
    scheme, separator, _ = value.partition("://")
    if not separator:
        return f"it begins with no scheme: {'unix' if value.startswith('/') else 'tcp'}://{value}"
    near = nearest(scheme, SCHEMES)
    return f"there is no scheme {scheme}://" + (f": did you mean {near}://?" if near else "")


def _socket(rest: str) -> str:
    if not rest.startswith("///") or rest == "///":
        raise ValueError(f"unix:// is followed by an absolute path, as in {SOCKET}")
    return f"unix:{rest}"


def is_ssh(url: str) -> bool:
    """Whether the engine is reached over SSH."""
    return url.startswith(f"{SSH}://")


def _over_ssh(value: str, rest: str) -> str:
    parts = _parts(value, SSH, rest, "ssh://host")
    if parts.password is not None:
        raise ValueError("a password in it is no way in: SSH knows its users by keys, as in ~/.ssh")
    if parts.query or parts.fragment:
        raise ValueError("nothing follows but the path of the engine's socket: ssh://USER@HOST:PORT/PATH")
    return f"{SSH}:{rest.rstrip('/')}"


def _parts(value: str, scheme: str, rest: str, example: str) -> SplitResult:
    """The parts of a URL with a host, and a good port or none. Raises ValueError."""
    if not rest.startswith("//"):
        raise ValueError(f"{scheme}:// has two slashes, as in {example}")
    try:
        parts = urlsplit(value)
    except ValueError:  # brackets that don't match
        raise ValueError("it names no host") from None
    if not parts.hostname:
        raise ValueError("it names no host")
    try:
        number = parts.port
    except ValueError:
        number = 0
    if number == 0 or parts.netloc.endswith(":"):
        raise ValueError("it has no port from 1 to 65535")
    return parts


def _remote(value: str, scheme: str, rest: str) -> str:
    parts = _parts(value, scheme, rest, EXAMPLE)
    if parts.password is not None:
        raise ValueError("a user and a password in it are no way in: an engine knows its clients by certificates (DOCKER_CERT_PATH)")
    if parts.query or parts.fragment:
        raise ValueError(f"nothing follows its port: {scheme}://HOST:PORT")
    return f"{scheme}:{rest.rstrip('/')}"


def with_port(url: str, *, tls: bool) -> str:
    """The URL with the port that Docker's own client would take where it names none. tls: whether TLS is asked for."""
    parts = urlsplit(url)
    if parts.scheme not in NETWORK or parts.port is not None:
        return url
    secure = parts.scheme == "https" or (parts.scheme == "tcp" and tls)
    return parts._replace(netloc=f"{parts.netloc}:{TLS if secure else PLAIN}").geturl()
