"""What is lost while the control process stands still (SIGSTOP), of the zone and of what is cached."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.dns import dnsperf, names
from bench.dns.busy import asker_command
from bench.dns.names import Zone
from bench.dns.scenarios import UPSTREAM
from bench.dns.servers import HaystackDns, Knot, prove
from bench.macro.compare import Cores, place

STOPPED = 5.0
AROUND = 1.0
RATE = 10_000.0


def stopped(_rounds: int, _seconds: int, have: list[int]) -> list[dict[str, Any]]:
    """The lost and the slowest of a run in whose middle the control process stands for STOPPED seconds."""
    cores, zone = Cores(have, 1), Zone(10_000)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = stack.enter_context(Knot(UPSTREAM.zone_file(), names.FORWARDED))
        server = stack.enter_context(HaystackDns(zone, HAYSTACK_DNS_FORWARD=f"{names.FORWARDED}=127.0.0.1:{upstream.port}"))
        records = [*zone.records(), *UPSTREAM.records()]
        prove(server, records[:6] + records[-6:])
        place(server, cores.proxy, cores.load)
        (folder / "questions").write_text(names.questions(iter(records)))
        dnsperf.run(server.port, folder / "questions", cores.load)
        command = asker_command(server.port, cores.proxy, STOPPED + 2 * AROUND, server.groups()["worker"])
        (folder / "names").write_text("\n".join(r.name for r in records if r.kind == "A"))
        with (folder / "names").open() as given:
            asking = subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE, text=True)
        halt = threading.Thread(target=_halt, args=(server.pid,))
        halt.start()
        try:
            told = dnsperf.run(server.port, folder / "questions", cores.load, seconds=STOPPED + 2 * AROUND, rate=RATE)
        finally:
            halt.join()
            asked = json.loads(asking.communicate()[0])
    more = f"{told.completed} answers, {told.bad} of them errors, at {told.rate:,.0f} a second: 10,000 names of the zone, 1,000 cached"
    slow = f"{asked['asked']} questions beside, {asked['lost']} lost; 99.9 % below {asked['p999_ms']:.2f} ms; "
    slow += f"by the clock, with what other programs took: {asked['slowest_by_the_clock_ms']:.1f} ms"
    what = f"control process stopped for {STOPPED:g} s"
    return [
        {"work": f"{what}: lost or errors", "value": told.lost + told.bad, "unit": "queries", "limit": 0, "goal": None, "more": more},
        {"work": f"{what}: slowest answer", "value": asked["slowest_ms"], "unit": "ms", "limit": 10, "goal": None, "more": slow},
    ]


def _halt(pid: int) -> None:
    time.sleep(AROUND)  # the load goes on meanwhile: this is how long it is looked at
    os.kill(pid, signal.SIGSTOP)
    time.sleep(STOPPED)  # as above
    os.kill(pid, signal.SIGCONT)
