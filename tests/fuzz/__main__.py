"""python -m tests.fuzz [--seconds N] [TARGET ...], as of TARGETS, or all: each for its time, as `make fuzz` does.

With clang there, the tree is copied to .make/fuzz and its extensions are built there with AddressSanitizer, UndefinedBehaviorSanitizer and
libFuzzer's coverage; the release ones are never touched. Without, only Python code guides the search, and no memory error shows by itself.
What is learned stays in .make/fuzz-corpus/TARGET; an input that fails is left in .make/fuzz-found/ and belongs into tests/fuzz/corpus/.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import atheris

TARGETS = ("head", "body", "exchange", "http2", "http2_up", "dns", "upstream", "hello")
KEPT = Path(".make").resolve()
TREE = KEPT / "fuzz"
PARTS = ("haystack", "tests", "setup.py", "pyproject.toml")
RUNTIME = Path(atheris.path(), "asan_with_fuzzer.so")
# no leak detection: Python leaves a lot behind by design; ours is counted by the ledger
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:detect_odr_violation=0", "UBSAN_OPTIONS": "print_stacktrace=1"}


def main() -> int:
    """Build, run each target, and say how it went. The status is 1 when one failed."""
    options = arguments()
    native = shutil.which("clang") is not None
    print("with AddressSanitizer and native coverage" if native else "no clang: without AddressSanitizer and native coverage", flush=True)
    tree = build() if native else Path.cwd()
    failed = [name for name in options.targets or TARGETS if not run(name, options.seconds, tree, native=native)]
    print(f"failed: {', '.join(failed)}; see .make/fuzz-found" if failed else "nothing found", flush=True)
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)} (default: all)")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    return parser.parse_args()


def build() -> Path:
    """A copy of the tree whose extensions are instrumented; what did not change since the last time is not built again."""
    shutil.rmtree(TREE / "tests", ignore_errors=True)
    for gone in (path for path in TREE.glob("haystack/_fast/**/*.p[xy]*") if not Path(path.relative_to(TREE)).exists()):
        gone.unlink()
    for part in PARTS:
        if Path(part).is_dir():
            shutil.copytree(part, TREE / part, ignore=shutil.ignore_patterns("*.so", "__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy2(part, TREE)
    env = os.environ | {"CC": "clang", "LDSHARED": "clang -shared", "HAYSTACK_FUZZ": "1"}
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "--parallel", str(os.cpu_count() or 1)], cwd=TREE, env=env, check=True
    )
    return TREE


def run(name: str, seconds: int, tree: Path, *, native: bool) -> bool:
    """Fuzz one target; False: it failed, and said how."""
    learned, found = KEPT / "fuzz-corpus" / name, KEPT / "fuzz-found"
    for folder in (learned, found):
        folder.mkdir(parents=True, exist_ok=True)
    env = os.environ | SANITIZERS
    if native:
        env |= {"HAYSTACK_FUZZ_NATIVE": "1", "LD_PRELOAD": str(RUNTIME)}
    if native and name not in {
        "exchange",
        "http2",
        "http2_up",
    }:  # whose bytes are in buffers of its own; elsewhere it shows where each bytes object ends
        env |= {"PYTHONMALLOC": "malloc"}
    options = [f"-max_total_time={seconds}", "-timeout=120", "-max_len=8192", "-len_control=0", "-rss_limit_mb=4096"]
    command = [sys.executable, "-m", f"tests.fuzz.fuzz_{name}", learned, tree / "tests/fuzz/corpus" / name, *options]
    print(f"\n## {name}, {seconds} s", flush=True)
    return subprocess.run([*command, f"-artifact_prefix={found}/{name}-"], cwd=tree, env=env, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
