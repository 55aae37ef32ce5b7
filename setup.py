"""Builds one extension for each .pyx below haystack/_fast. A failed extension fails the build: there is no slow fallback.

HAYSTACK_DEBUG=1 compiles with bounds checks and the allocation counters of _fast/util/allocations.pyx.
HAYSTACK_COVERAGE=1 (for `make coverage`) compiles as for debugging, and so that each line tells a tracer that it runs.
HAYSTACK_COMPILED=1: they are in the tree already, by `setup.py build_ext --inplace`; an editable install would make them once more.
HAYSTACK_FUZZ=1 (with CC=clang; for `make fuzz`) compiles with those counters, AddressSanitizer and libFuzzer's coverage.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

COVERAGE = os.environ.get("HAYSTACK_COVERAGE") == "1"
DEBUG = COVERAGE or os.environ.get("HAYSTACK_DEBUG") == "1"
FUZZ = os.environ.get("HAYSTACK_FUZZ") == "1"
# Workers parse what strangers send: an overrun ends the process, and no pointer table can be written (https://wiki.debian.org/Hardening).
# 3 checks copies into what was allocated too; where compiler or C library know no 3, it is 2.
HARDEN = ["-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3"]
HARDEN_LINK = ["-Wl,-z,relro,-z,now"]
SANITIZE = ["-fsanitize=address,undefined,fuzzer-no-link", "-fno-sanitize-recover=undefined"]
FAST = Path("haystack/_fast")
LIBRARIES = {  # those of the system
    **{f"net/{name}.pyx": ["ssl", "crypto"] for name in ("client_certificates", "tls", "tls_client", "tls_server", "tls_wire")},
    **{f"connection/http2_{name}.pyx": ["nghttp2"] for name in ("leg", "server", "server_events", "client", "client_events", "client_leg")},
}

directives = {
    "language_level": "3",
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "nonecheck": DEBUG,
    "linetrace": COVERAGE,
    "freethreading_compatible": False,
}
# _NOGIL: nogil functions tell of their lines too, and take the GIL for each of them (which their callers hold nearly always)
macros = [
    ("HAYSTACK_DEBUG", "1" if DEBUG or FUZZ else "0"),
    ("CYTHON_TRACE", "1" if COVERAGE else "0"),
    ("CYTHON_TRACE_NOGIL", "1" if COVERAGE else "0"),
]
KIND = "coverage" if COVERAGE else "debug" if DEBUG else "release"
if FUZZ:
    compile_args = ["-O1", "-g", *SANITIZE]
elif DEBUG:
    compile_args = ["-O1", "-g", *HARDEN, *(["-Wno-unused-function"] if COVERAGE else [])]  # those that RETURNED takes the use of
else:
    compile_args = ["-O3", "-g1", "-fno-plt", *HARDEN]
extensions = [
    Extension(
        ".".join(path.with_suffix("").parts),
        [str(path)],
        define_macros=macros,
        extra_compile_args=compile_args,
        extra_link_args=SANITIZE if FUZZ else HARDEN_LINK,
        libraries=LIBRARIES.get(str(path.relative_to(FAST)), []),
    )
    for path in sorted(FAST.rglob("*.pyx"))
]


# Cython hands a tracer what a function returns, as a Python object: behind a pointer in a struct, it would read a text that may not be.
RETURNED = re.compile(r"^(\s*)__Pyx_TraceReturnCValue\(\w+, \w+, ", re.MULTILINE)


class Build(build_ext):
    """Says what is done: compiling takes a minute or two."""

    def build_extension(self, extension: Extension) -> None:
        """Compile one; a line when it is done."""
        for path in map(Path, extension.sources if COVERAGE else ()):
            text = path.read_text(encoding="utf-8")
            if text != (kept := RETURNED.sub(r"\1__Pyx_TraceReturnValue(Py_None, ", text)):
                path.write_text(kept, encoding="utf-8")
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
        build_dir=f"build/{KIND}",
        force=os.environ.get("HAYSTACK_FORCE") == "1",
    ),
)
