"""Builds one extension for each .pyx below haystack/_fast. A failed extension fails the build: there is no slow fallback.

HAYSTACK_DEBUG=1 compiles with bounds checks, line tracing and the allocation counters of _fast/util/allocations.pyx.
HAYSTACK_COMPILED=1: they are in the tree already, by `setup.py build_ext --inplace`; an editable install would make them once more.
HAYSTACK_FUZZ=1 (with CC=clang; for `make fuzz`) compiles with those counters, AddressSanitizer and libFuzzer's coverage.
"""

from __future__ import annotations

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("HAYSTACK_DEBUG") == "1"
FUZZ = os.environ.get("HAYSTACK_FUZZ") == "1"
# Workers parse what strangers send: an overrun ends the process, and no pointer table can be written (https://wiki.debian.org/Hardening).
# 3 checks copies into what was allocated too; where compiler or C library know no 3, it is 2.
HARDEN = ["-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3"]
HARDEN_LINK = ["-Wl,-z,relro,-z,now"]
SANITIZE = ["-fsanitize=address,undefined,fuzzer-no-link", "-fno-sanitize-recover=undefined"]
FAST = Path("haystack/_fast")

directives = {
    "language_level": "3",
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "nonecheck": DEBUG,
    "linetrace": DEBUG,
    "freethreading_compatible": False,
}
# CYTHON_TRACE without _NOGIL: a traced nogil function would take the GIL at each line
macros = [("HAYSTACK_DEBUG", "1" if DEBUG or FUZZ else "0"), ("CYTHON_TRACE", "1" if DEBUG else "0")]
extensions = [
    Extension(
        ".".join(path.with_suffix("").parts),
        [str(path)],
        define_macros=macros,
        extra_compile_args=["-O1", "-g", *SANITIZE] if FUZZ else ["-O1", "-g", *HARDEN] if DEBUG else ["-O3", "-g1", "-fno-plt", *HARDEN],
        extra_link_args=SANITIZE if FUZZ else HARDEN_LINK,
    )
    for path in sorted(FAST.rglob("*.pyx"))
]


class Build(build_ext):
    """Says what is done: compiling takes a minute or two."""

    def build_extension(self, extension: Extension) -> None:
        """Compile one; a line when it is done."""
        super().build_extension(extension)
        print(f"compiled {extension.name}", flush=True)  # noqa: T201 - for whoever waits


setup(
    cmdclass={"build_ext": Build},
    ext_modules=[]
    if os.environ.get("HAYSTACK_COMPILED") == "1"
    else cythonize(
        extensions,
        nthreads=os.cpu_count() or 1,
        quiet=True,
        compiler_directives=directives,
        annotate=DEBUG,
        build_dir="build/debug" if DEBUG else "build/release",
        force=os.environ.get("HAYSTACK_FORCE") == "1",
    ),
)
