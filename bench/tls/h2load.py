"""h2load, the load of HTTP/2: one thread, pinned to the cores of the load."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.macro.wrk import UNITS, Report, spent
from bench.tls.certificate import HOST


@dataclass(frozen=True)
class H2Load:
    """What is asked for. body: bytes that are sent with each request."""

    connections: int = 8
    streams: int = 32
    path: str = "/"
    headers: tuple[str, ...] = ()
    body: bytes = b""


def command(load: H2Load, port: int, seconds: int, cores: set[int], body: Path | None = None) -> list[str]:
    """The command line: h2load of Debian, bound to these cores. It offers h2 and nothing else. body: the file that it is in."""
    words = ["taskset", "-c", ",".join(map(str, sorted(cores))), "h2load", "-t1", f"-c{load.connections}", f"-m{load.streams}"]
    words += [f"-D{seconds}", "--warm-up-time=0", "--npn-list=h2", f"--connect-to=127.0.0.1:{port}"]
    for line in load.headers:
        words += ["-H", line]
    if body:
        words += ["-d", str(body)]
    return [*words, f"https://{HOST}{load.path}"]


def run(load: H2Load, port: int, seconds: int, cores: set[int], folder: Path) -> Report:
    """Load one port of 127.0.0.1. Raises CalledProcessError, RuntimeError when it is not HTTP/2."""
    body = folder / "body" if load.body else None
    if body:
        body.write_bytes(load.body)
    before = spent()
    done = subprocess.run(command(load, port, seconds, cores, body), check=True, capture_output=True, text=True)
    return parse(done.stdout, spent() - before)


def parse(text: str, cpu_us: float = 0.0) -> Report:
    """The report of h2load; it has no percentiles, so p50 is its mean and p99 its greatest. Raises RuntimeError, ValueError."""
    if "Application protocol: h2\n" not in text:
        raise RuntimeError("h2load and the server have not agreed on h2: nothing was measured")
    rate = re.search(r"^finished in [\d.]+\w+, ([\d.]+) req/s", text, re.MULTILINE)
    done = re.search(r"^requests: .* (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text, re.MULTILINE)
    codes = re.search(r"^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text, re.MULTILINE)
    times = re.search(r"^time for request:\s+\S+\s+([\d.]+)(us|ms|s)\s+([\d.]+)(us|ms|s)", text, re.MULTILINE)
    if not (rate and done and codes and times):
        raise ValueError(f"not a report of h2load: {text!r}")
    # the warm-up counts none of its codes; those that were cut off by the end are not done
    wrong = int(done[3]) + int(done[4]) + int(done[5]) + sum(int(code) for code in codes.groups()[1:])
    greatest, mean = float(times[1]) * UNITS[times[2]], float(times[3]) * UNITS[times[4]]
    return Report(int(done[2]), float(rate[1]), mean, greatest, wrong, cpu_us)
