"""HAYSTACK_DNS_RECORDS from its start to its end: refused, served, read again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import dns.message
import dns.query
import dns.rcode

from tests.fakes.worker import Haystack, Member


def ask(haystack: Haystack, name: str, kind: str = "A") -> list[str]:
    query = dns.message.make_query(name, kind)
    reply = dns.query.udp(query, "127.0.0.1", port=int(haystack.wait("dns.listening")["port"]), timeout=5)
    return sorted(r.to_text() for rrset in reply.answer for r in rrset) or [dns.rcode.to_text(reply.rcode())]


def until(haystack: Haystack, name: str, answer: list[str]) -> None:
    end = time.monotonic() + 10
    while (found := ask(haystack, name)) != answer:
        assert time.monotonic() < end, found
        time.sleep(0.02)


def test_records_are_served_beside_what_is_found_and_follow_the_file(fakes: object, tmp_path: Path) -> None:
    path = tmp_path / "records.zone"
    path.write_text("nas A 10.0.0.5\ngit CNAME nas\nmail.example. A 10.0.0.6\n")
    with Haystack([Member("web", 1)], HAYSTACK_DNS_RECORDS=str(path)) as haystack:
        assert ask(haystack, "nas.haystack") == ["10.0.0.5"]
        assert ask(haystack, "git.haystack") == ["10.0.0.5", "nas.haystack."]
        assert ask(haystack, "mail.example") == ["10.0.0.6"]
        assert ask(haystack, "web.services.haystack") == ["127.0.0.1"]
        path.write_text("nas A 10.0.0.7\n")
        until(haystack, "nas.haystack", ["10.0.0.7"])
        assert ask(haystack, "git.haystack") == ["NXDOMAIN"]
        path.write_text("nas A 10.0.0\n")
        assert haystack.wait("records.broken")["error"] == f"{path}: line 1: '10.0.0' is no IPv4 address"
        assert ask(haystack, "nas.haystack") == ["10.0.0.7"]


def test_a_bad_line_ends_the_start(tmp_path: Path) -> None:
    path = tmp_path / "records.zone"
    path.write_text("nas A 10.0.0.5\nnas MX 10 mail\n")
    environment = {"PATH": os.environ["PATH"], "HAYSTACK_DNS_RECORDS": str(path), "HAYSTACK_STATE_DIR": str(tmp_path)}
    words = [sys.executable, "-m", "haystack", "run", "--http-port", "0"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    told = f"{path}: line 2: 'MX' records are not possible: it takes A, AAAA, CNAME, TXT or SRV"
    assert (done.returncode, done.stderr) == (2, f"haystack: HAYSTACK_DNS_RECORDS: {told}\n")
