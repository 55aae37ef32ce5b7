"""How much memory Haystack's control group may have (cgroups(7), both versions), and whether that is enough for what the settings allow.

Never changes anything: a limit that is too low is told, as the kernel's end of a process for want of memory tells nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from haystack.settings.settings import Settings

MIB = 1 << 20
SHARED, WORKER = 80 * MIB, 18 * MIB  # what two workers and the others have at rest, with HTTPS and the shell: 116 MiB (docs/sizing.md)
CLIENTS = 32 * MIB  # for connections: of 2,000 clients with TLS
FOLDERS = {"": ("", "memory.max"), "memory": ("memory", "memory.limit_in_bytes")}  # by the controllers in /proc/self/cgroup: version 2, 1


def allowed(root: Path = Path("/")) -> int | None:
    """The lowest limit in bytes, of the group and those above it; None: there is none, or it is not told."""
    return min(_limits(root), default=None)


def _limits(root: Path) -> Iterator[int]:
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        folder, name = FOLDERS.get("memory" if "memory" in controllers.split(",") else controllers, ("", ""))
        if name:
            group = Path(path.lstrip("/"))
            for each in dict.fromkeys((group, *group.parents)):  # a container may see its own group as the topmost one
                with suppress(ValueError):  # `max`, or no such file
                    yield int(_text(root / "sys/fs/cgroup" / folder / each / name))


def needed(settings: Settings) -> int:
    """Bytes that all processes together may have with these settings and some clients, as long as answers that nobody reads are bounded."""
    return SHARED + WORKER * settings.workers + CLIENTS + settings.answer_memory


def warning(settings: Settings, root: Path = Path("/")) -> str:
    """The warning about a limit that is too low; empty: it is high enough."""
    limit, wanted = allowed(root), needed(settings)
    if limit is None or (limit >= wanted and settings.answer_memory):
        return ""
    unread = f"{settings.answer_memory // MIB}M" if settings.answer_memory else "0, which is no limit,"
    what = f"HAYSTACK_WORKERS={settings.workers} and HAYSTACK_ANSWER_MEMORY={unread} may need"
    much = f"{wanted // MIB} MiB with some clients" if settings.answer_memory else "more"
    end = "then the kernel ends Haystack: raise the limit (docker run --memory), or lower these"
    return f"the memory limit is {limit // MIB} MiB, and {what} {much}; {end}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
