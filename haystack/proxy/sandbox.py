"""What a worker process may do: it parses what strangers send, so it is left with nothing that it does not need.

No privilege of root's, none to be gained by executing a file, no core dump (it would hold what clients sent), and of the environment only
what Python and the C library read: no secret that Haystack was started with. Never does: starting a process. A worker imports
this module, and nothing of account.py and socket_folder.py, which the control process needs.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Mapping

from haystack._fast.util.kernel import prctl
from haystack.proxy import landlock

PASSED = ("PATH", "HOME", "LANG", "LANGUAGE", "TZ")
PASSED_PREFIXES = ("LC_", "LD_", "PYTHON", "MALLOC_", "GLIBC_", "ASAN_", "UBSAN_", "LSAN_", "COVERAGE_")
PACKAGE = __file__.rpartition("/")[0].rpartition("/")[0]
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_NO_NEW_PRIVS = 38


def environment(whole: Mapping[str, str]) -> dict[str, str]:
    """What a worker gets of this environment. Its settings come by its channel."""
    return {name: text for name, text in whole.items() if name in PASSED or name.startswith(PASSED_PREFIXES)}


def confine(uid: int, gid: int) -> None:
    """Give up, for good, what this process does not need. uid -1: it stays the user that it is. Files are kept from it in any case.

    For the state folder may be the other user's, from a time when the control process was that user too.

    Raises OSError.

    To be called when everything is imported: the other user may not be able to read the code.
    """
    no_core()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    if uid != -1:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    if sys.gettrace() is None:  # what traces it writes at its end what it has seen
        landlock.restrict(landlock.readable(PACKAGE))


def no_core() -> None:
    """Write no core dump. Raises OSError.

    core(5): of a limit of 0, a core dump that is piped to a program takes no notice; of 1, it does, and a file can't hold anything.
    """
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    except ValueError:  # 0 is the most that it may have, as with `--ulimit core=0`: there are no files then
        return


def confine_or_tell(uid: int, gid: int) -> None:
    """The same. Where the system does not let it, as in some user namespaces, it says so and serves all the same."""
    try:
        confine(uid, gid)
    except OSError as error:
        print(f"haystack: a worker keeps its privileges: {error}", file=sys.stderr, flush=True)  # noqa: T201 - stderr is all it has


def end_with_parent() -> None:
    """Have the kernel end this process with its parent: one that is stopped sees no end of its channel, and would hold its sockets.

    To be called after `confine`: another user does not inherit it from itself (prctl(2), PR_SET_PDEATHSIG). Not every system has it.
    """
    with contextlib.suppress(OSError):
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def call(name: str) -> None:
    """Set the name under which ps and top show this process; 15 bytes of it."""
    prctl(PR_SET_NAME, name.encode())
