"""Challenges that several Haystacks answer for: who waits for whom, and what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import stat
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from haystack.tls import private_file
from haystack.tls.acme import shared_proofs
from haystack.tls.acme.orders import Proof
from haystack.tls.acme.shared_proofs import KEPT, SharedProofs, key_of
from haystack.tls.acme.solvers import HttpChallenges

PROOF = Proof("www.example.com", "../tok", "tok.thumb")


class One:
    """One Haystack. told: what its workers were told last."""

    def __init__(self, path: Path, *, leads: bool) -> None:
        self.now = 1000.0
        self.shared = SharedProofs(path, lambda: leads, lambda: self.now)
        self.http = HttpChallenges(self.tell, self.heard, self.shared)
        self.told: tuple[tuple[str, str], ...] = ()
        self.deaf = asyncio.Event()
        self.deaf.set()

    def tell(self, pending: tuple[tuple[str, str], ...]) -> None:
        self.told = pending

    async def heard(self) -> None:
        await self.deaf.wait()

    @contextlib.asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.shared.run(self.http.take))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def answer(self) -> str | None:
        return self.http.answer(PROOF.name, PROOF.token)


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - of files and of threads, which have no event
            await asyncio.sleep(0.01)


async def test_when_it_is_shown_all_who_follow_answer_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_proofs, "PATIENCE", 60.0)  # threads and the kernel's news of files may be late on a busy machine
    first = One(tmp_path, leads=True)
    async with One(tmp_path, leads=False).running() as second, One(tmp_path, leads=False).running() as third:
        await until(lambda: len(list(tmp_path.glob("followers/[!.]*"))) == 2)  # not those that are being written
        await first.http.show(PROOF)
        assert [each.answer() for each in (first, second, third)] == ["tok.thumb"] * 3
        assert second.told == ((PROOF.name, PROOF.token),)
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("*/*")} == {0o600}
        await first.http.hide(PROOF)
        await until(lambda: second.answer() is None and third.answer() is None)
        assert (second.told, list(tmp_path.glob("proofs/*"))) == ((), [])
    await until(lambda: not list(tmp_path.glob("followers/*")))  # a thread that was about to write ends after its task


async def test_one_that_ends_while_it_is_about_to_say_that_it_follows_leaves_no_file(tmp_path, monkeypatch):
    """Its write is a thread's, which goes on: who orders would wait in vain for somebody who has gone."""
    begun, go_on, write = threading.Event(), threading.Event(), private_file.write

    def late(path, data):
        begun.set()
        assert go_on.wait(10)
        write(path, data)

    monkeypatch.setattr(private_file, "write", late)
    async with One(tmp_path, leads=False).running():
        await until(begun.is_set)
    go_on.set()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert list(tmp_path.glob("followers/*")) == []


async def test_the_authority_is_not_told_to_look_before_workers_of_others_have_it(tmp_path):
    first = One(tmp_path, leads=True)
    async with One(tmp_path, leads=False).running() as second:
        await until(lambda: list(tmp_path.glob("followers/*")))
        second.deaf.clear()
        showing = asyncio.create_task(first.http.show(PROOF))
        await until(lambda: second.told)
        await asyncio.sleep(0.2)
        assert not showing.done()
        second.deaf.set()
        await showing


async def test_one_that_does_not_follow_is_waited_for_a_while_only_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_proofs, "PATIENCE", 0.2)
    first = One(tmp_path, leads=True)
    (tmp_path / "followers").mkdir()
    (tmp_path / "followers" / "dead").write_text("[]")
    with capture_logs() as lines:
        await first.http.show(PROOF)
    assert [(line["event"], line["name"]) for line in lines] == [("acme.unshared", PROOF.name)]
    assert first.answer() == "tok.thumb"


async def test_nobody_is_waited_for_where_nobody_follows_and_nothing_is_written_for_them(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_proofs, "PATIENCE", -1.0)
    async with One(tmp_path, leads=True).running() as first:
        with capture_logs() as lines:
            await first.http.show(PROOF)
        assert lines == []
        assert not (tmp_path / "followers").exists()


async def test_a_show_that_is_given_up_leaves_nothing(tmp_path):
    first = One(tmp_path, leads=True)
    (tmp_path / "followers").mkdir()
    (tmp_path / "followers" / "slow").write_text("[]")
    showing = asyncio.create_task(first.http.show(PROOF))
    await until(lambda: list(tmp_path.glob("proofs/*")))
    showing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await showing
    assert (first.answer(), first.told) == (None, ())
    await until(lambda: list(tmp_path.glob("proofs/*")) == [])  # a thread may be about to write it


async def test_what_a_dead_one_has_left_counts_for_a_while_and_is_removed(tmp_path):
    await One(tmp_path, leads=True).http.show(PROOF)
    second = One(tmp_path, leads=False)
    async with second.running():
        await until(second.answer)
        second.now += KEPT
        await until(lambda: second.answer() is None)
        assert list(tmp_path.glob("proofs/*")) == []


@pytest.mark.parametrize("content", [b"", b"{}", b'{"name":"a","token":"b","authorization":"c","until":9e9}', b"\xff" * 9000])
async def test_files_that_are_none_of_ours_are_left_alone(tmp_path, content):
    (tmp_path / "proofs").mkdir()
    (tmp_path / "proofs" / "odd.json").write_bytes(content)
    await One(tmp_path, leads=True).http.show(PROOF)
    second = One(tmp_path, leads=False)
    async with second.running():
        await until(second.answer)
        assert second.told == ((PROOF.name, PROOF.token),)
    assert (tmp_path / "proofs" / "odd.json").exists()


async def test_a_folder_that_can_not_be_written_stops_nothing(tmp_path):
    (tmp_path / "proofs").write_text("a file")
    first = One(tmp_path, leads=True)
    with capture_logs() as lines:
        await first.http.show(PROOF)
        async with first.running():
            await until(lambda: len(lines) == 2)
    assert {line["event"] for line in lines} == {"acme.unshared"}
    assert first.answer() == "tok.thumb"


def test_a_token_is_no_path():
    assert key_of(PROOF.name, PROOF.token).isalnum()
