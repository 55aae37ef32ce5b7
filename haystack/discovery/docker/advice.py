"""What to do about an engine that does not answer: the line that is told beside the reason, in the log and by `check`.

Looks at the socket and at where Haystack runs, and contacts nobody. Empty where nothing better is known than the reason itself.
"""

from __future__ import annotations

import errno
import getpass
import grp
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from haystack.discovery import own_place
from haystack.discovery.docker import client
from haystack.settings.engine_url import PLAIN, SOCKET, TLS

MOUNT = f"docker run -v {SOCKET.removeprefix('unix://')}:{SOCKET.removeprefix('unix://')}"
START = "start Docker (systemctl start docker), or set DOCKER_HOST"
LOOPBACK = ("localhost", "::1")


def hint(host: str, error: BaseException, inside: bool | None = None) -> str:
    """What to do; host: as in DOCKER_HOST; inside: whether Haystack runs in a container (None: find out)."""
    if refused := client.refused(error):
        switch = refused.split("/")[1].strip("_").upper()
        return f"a socket proxy, or a plugin of the engine, refuses GET {refused}: let it through (docker-socket-proxy: {switch}=1)"
    numbers = {each.errno for each in client.chain(error) if isinstance(each, OSError) and each.errno is not None}
    within = in_container() if inside is None else inside
    if host.startswith("unix://"):
        return _socket(Path(host.removeprefix("unix://")), numbers, within)
    if not numbers:
        return ""
    return _remote(urlsplit(host), numbers, within)


def in_container() -> bool:
    """Whether this process runs in a container."""
    return bool(own_place.container_id()) or Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def _socket(path: Path, numbers: set[int], inside: bool) -> str:
    if errno.EACCES in numbers or errno.EPERM in numbers:
        return _denied(path, inside)
    if errno.ENOENT in numbers:
        return f"the engine's socket is not mounted here: {MOUNT}" if inside else f"no engine listens here: {START}"
    if path.is_dir():
        return "it is a folder, which Docker creates if the path in -v does not exist: remove it, start the engine, then this container"
    if errno.ECONNREFUSED in numbers:
        stale = "the engine of this socket has ended: if the engine was restarted, restart this container"
        return stale if inside else f"no engine listens here: {START}"
    return ""


def _denied(path: Path, inside: bool) -> str:
    """Whose group has the socket."""
    if os.geteuid() == 0:
        return "root is denied, as by SELinux or a user namespace: docker run --security-opt label=disable, or --userns=host"
    try:
        gid = path.stat().st_gid
    except OSError:
        return f"a folder above {path} can't be looked into: run Haystack as root, or as that folder's user"
    if inside:
        return f"the socket belongs to group {gid}: docker run --group-add {gid}, or run Haystack as root"
    try:
        group = grp.getgrgid(gid).gr_name
    except KeyError:
        group = str(gid)
    return f"the socket belongs to group {group}: sudo usermod -aG {group} {_user()} and log in again, or run Haystack as root"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def _remote(url: object, numbers: set[int], inside: bool) -> str:
    name, port = getattr(url, "hostname", None) or "", getattr(url, "port", None)
    if numbers & {socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_NODATA}:
        return f"no address is known for {name}: check the name in DOCKER_HOST"
    if inside and errno.ECONNREFUSED in numbers and (name in LOOPBACK or name.startswith("127.")):
        gateway = own_place.gateway() or "172.17.0.1"
        return f"{name} is this container itself: mount the engine's socket ({MOUNT}), or name its machine, as in tcp://{gateway}:{port}"
    if errno.ECONNREFUSED in numbers:
        return f"nothing listens on that port: engines use {PLAIN}, with TLS {TLS}, if they were started with -H tcp://"
    if numbers & {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT}:
        return "no answer from that address: check the address, firewalls and routes"
    return ""
