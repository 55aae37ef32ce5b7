"""Libraries without what a worker never uses of the standard library; and what is left of that afterwards: nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

import pytest

from haystack.proxy import lean_imports

REAL_ONES = """
import sys
from haystack.proxy import launch
launch.imported()
print({"ssl", "subprocess", "typing_extensions", "msgspec.inspect"} & set(sys.modules))
import ast, msgspec, ssl, subprocess
import msgspec.inspect
print(ast.literal_eval("1"), subprocess.PIPE, ssl.create_default_context().check_hostname, msgspec.inspect.type_info(int))
"""
SET_UP = """
import ctypes, os
libc = ctypes.CDLL(None)
seen = libc.inotify_init1(os.O_NONBLOCK)
assert libc.inotify_add_watch(seen, os.environ["OPENSSL_CONF"].encode(), 0x20) > 0  # IN_OPEN
def was_read():
    try:
        return bool(os.read(seen, 4096))
    except BlockingIOError:
        return False
from haystack.proxy import launch
launch.imported()
print(was_read())
from haystack._fast.net.tls_server import TlsServer
print(was_read())
TlsServer("1.2", print)
print(was_read())
"""
OTHERS = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}  # it imports much itself


def test_whoever_imports_one_of_them_later_gets_the_real_one():
    done = subprocess.run([sys.executable, "-c", REAL_ONES], capture_output=True, text=True, timeout=120, check=False, env=OTHERS)
    real = "1 -1 True IntType(gt=None, ge=None, lt=None, le=None, multiple_of=None)"
    assert (done.stdout.splitlines(), done.stderr) == (["set()", real], "")


def test_openssl_is_not_set_up_before_there_is_a_listener_for_https(tmp_path):
    """It reads its settings then. It takes a worker, and a spare, 2 MiB."""
    (tmp_path / "openssl.cnf").write_text("")
    env = {**OTHERS, "OPENSSL_CONF": str(tmp_path / "openssl.cnf")}
    done = subprocess.run([sys.executable, "-c", SET_UP], capture_output=True, text=True, timeout=120, check=False, env=env)
    assert (done.stdout.split(), done.stderr) == (["False", "False", "True"], "")


def test_what_has_been_imported_already_stays_what_it_is():
    lean_imports.without("asyncio", {"ssl": None, "sys": None})
    import ssl  # noqa: PLC0415 - what it is now

    assert (sys.modules["ssl"], sys.modules["sys"]) == (ssl, sys)


def test_a_library_that_fails_leaves_no_absent_module_behind(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("import never_there\nraise ValueError(never_there.Some, never_there.SOME)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="Some") as told:
        lean_imports.without("broken_library", {"never_there": lean_imports.Absent("never_there")})
    assert isinstance(sys.modules.get("never_there"), ModuleType) is False
    assert issubclass(told.value.args[0], Exception)
    assert told.value.args[1] == 0
