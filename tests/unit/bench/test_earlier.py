from pathlib import Path

from bench.macro import earlier
from bench.macro.scenarios import chosen

KEEPALIVE, IDLE, SERVICES = chosen(["keepalive", "idle", "services"])


def row(scenario: str, number: int, peer: str, **figures: float) -> dict[str, object]:
    return {"scenario": scenario, "round": number, "peer": peer, **figures}


def test_the_haystack_before_does_each_work_that_this_one_does():
    assert [c.name for c in earlier.beside(KEEPALIVE, Path("/before")).contestants][-2:] == ["Haystack", "earlier"]
    assert earlier.beside(SERVICES, Path("/before")) is SERVICES
    made = earlier.beside(KEEPALIVE, Path("/before")).contestants[-1].make(80)
    made.stop()
    assert made.command() == ["/before/.venv/bin/haystack", "run"]


def test_ratios_are_those_of_one_round_each():
    rows = [row("keepalive", n, "Haystack", cpu_us=20.0 + n, user_us=4.0) for n in range(3)]
    rows += [row("keepalive", n, "earlier", cpu_us=20.0, user_us=5.0) for n in range(3)]
    rows += [row("keepalive", 0, "nginx", cpu_us=1.0, user_us=1.0)]
    rows += [row("idle", 0, "Haystack", kib=0.6), row("idle", 0, "earlier", kib=1.2)]
    text = earlier.table([KEEPALIVE, IDLE], rows)
    assert "| CPU µs a request | 20.0 | 21.0 | **1.05** (1.00 to 1.10) | at most 1.02 | **missed** by 3% |" in text
    assert "| user µs | 5.00 | 4.00 | **0.80** (0.80 to 0.80) | | |" in text
    assert "| KiB a connection | 1.20 | 0.60 | **0.50** (0.50 to 0.50) | | |" in text


def test_without_an_earlier_one_there_is_no_table():
    assert not earlier.table([KEEPALIVE], [row("keepalive", 0, "Haystack", cpu_us=20.0, user_us=4.0)])
