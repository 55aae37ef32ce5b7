"""Calls of the system that Python has not."""

from __future__ import annotations

import errno
import os
import platform
import subprocess
import sys

import pytest

from haystack._fast.util.kernel import prctl, syscall
from haystack.proxy import landlock

PR_GET_DUMPABLE = 3
UNKNOWN = 99_999
# lists of 600 bytes are malloc's; the last one keeps the end of the heap
FREED = """
from pathlib import Path
from haystack._fast.util.kernel import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 // 1024

held = [bytearray(600) for _ in range(40_000)]
last = bytearray(600)
held = None
before = resident()
give_back()
print(before - resident())
"""

# pages of what is allocated and freed again and again are new ones each time, unless they stay
KEPT = """
import resource
from haystack._fast.util.kernel import keep

def faults():
    for _ in range(20):
        bytes(4 * 1024 * 1024 - 100).translate(None)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if {keeps}:
    keep(16 * 1024 * 1024)
before = faults()
print(faults() - before)
"""


def test_an_option_that_the_kernel_does_not_know_is_an_error_with_its_reason():
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)) as told:
        prctl(UNKNOWN, 0)
    assert told.value.errno == errno.EINVAL


def test_a_system_call_that_fails_is_less_than_nothing():
    assert syscall(UNKNOWN, 0, b"x", 0) < 0
    assert landlock.version() == syscall(landlock.CREATE, 0, 0, landlock.ASK_VERSION)


@pytest.mark.parametrize("value", ["1", None])
def test_a_word_is_a_number_or_bytes(value):
    with pytest.raises(TypeError):
        prctl(PR_GET_DUMPABLE, value)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators give back by themselves, or never")
def test_what_malloc_holds_and_nobody_uses_goes_back_to_the_kernel():
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) > 10, "MiB of 23"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="as above")
@pytest.mark.parametrize("keeps", [True, False])
def test_what_is_kept_need_not_be_cleared_by_the_kernel_again(keeps):
    done = subprocess.run([sys.executable, "-c", KEPT.format(keeps=keeps)], capture_output=True, text=True, timeout=120, check=True)
    assert (int(done.stdout) < 1000) == keeps
