"""The door for changes: what is changed holds when that returns, ends by itself, and what has gone is not remembered for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from haystack.catalog.registry import Registry
from haystack.model import ports
from haystack.model.overrides import Scope, Target
from haystack.model.records import Container, Listing
from haystack.model.services import Endpoint
from haystack.observe.journal import Journal
from haystack.operator import changes, kept
from haystack.operator.changes import ChangeError, NotKeptError, Operator, Who

WEB = "web.services.haystack"
EVE = Who(by="eve@desk", fingerprint="SHA256:x")
SERVICE = Target(scope=Scope.SERVICE, id=WEB, name="web")


def container(number: int) -> Container:
    return Container(
        id=f"{number:04x}" * 16, name=f"web-{number}", engine="e", services=("web",), address="10.0.0.1", ports=(ports.named(80, "tcp"),)
    )


def endpoint(number: int) -> Target:
    found = container(number)
    return Target(scope=Scope.ENDPOINT, id=f"{found.short_id}:80/tcp", name=f"{found.name}:80", container=found.id)


def whole(number: int) -> Target:
    found = container(number)
    return Target(scope=Scope.CONTAINER, id=found.id, name=found.name, container=found.id)


class Rig:
    """An operator's door with a catalog of some containers behind it, and clocks that only go when they are told to."""

    def __init__(self, folder: Path) -> None:
        self.now, self.steady, self.busy = 1_000_000.0, 0.0, False
        self.registry = Registry("haystack")
        self.journal = Journal(lambda: self.now)
        self.operator = self.opened(folder)
        self.tasks: list[asyncio.Task[None]] = []

    def opened(self, folder: Path) -> Operator:
        async def loads(_ids: tuple[str, ...], _service: str) -> dict[str, int]:
            return {}

        return Operator(self.registry, loads, folder, lambda: self.busy, self.journal.add, lambda: self.now, lambda: self.steady)

    def list(self, *numbers: int) -> None:
        self.registry.replace("x", Listing(containers=tuple(sorted((container(n) for n in numbers), key=lambda c: c.id))))

    async def start(self, *numbers: int) -> None:
        self.list(*numbers)
        await self.registry.settle()
        await self.operator.start()
        self.tasks.append(asyncio.create_task(self.operator.run()))

    def of(self, number: int) -> Endpoint:
        return next(e for e in self.registry.snapshot.services[WEB].endpoints if e.container == container(number).id)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():  # noqa: ASYNC110 - a build that changes nothing is no event
                await asyncio.sleep(0.001)


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(changes, "LOOK", 0.001)
    made = Rig(tmp_path)
    await made.start(1, 2)
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


async def test_what_is_drained_is_out_when_that_returns_and_in_when_that_is_undone(rig: Rig) -> None:
    for target in (endpoint(1), whole(1), SERVICE):
        made = await rig.operator.drain(target, EVE, why="trial", seconds=60)
        assert (rig.of(1).ready, rig.of(1).overrides, made.until) == (False, (made,), rig.now + 60)
        assert await rig.operator.undrain(target, EVE) is made
        assert rig.of(1).ready
        assert await rig.operator.undrain(target, EVE) is None


async def test_each_change_is_a_line_of_the_log_with_the_key(rig: Rig) -> None:
    with capture_logs() as lines:
        await rig.operator.drain(endpoint(1), EVE, why="a\nb", seconds=60)
        await rig.operator.set_weight(endpoint(1), 5, EVE)
        await rig.operator.undrain(endpoint(1), Who(by="bob", fingerprint="SHA256:y"))
        await rig.operator.reset_weight(endpoint(1), EVE)
    told = [line for line in lines if line["event"].startswith("operator.")]
    assert [line["event"] for line in told] == ["operator.drained", "operator.weighted", "operator.undone", "operator.undone"]
    assert [(line["by"], line["fingerprint"]) for line in told[:3:2]] == [("eve@desk", "SHA256:x"), ("bob", "SHA256:y")]
    assert (told[0]["why"], told[0]["until"], told[0]["target"]) == ("a b", "1970-01-12 13:47:40Z", endpoint(1).id)
    assert [told[2]["of"], told[2]["kind"], told[3]["kind"]] == ["eve@desk", "drain", "weight"]
    kept_in_mind = [(e.kind, e.about, e.services, e.by, e.text) for e in rig.journal.since(0.0)]
    assert kept_in_mind == [
        ("operator.drained", "web-1:80", (WEB,), "eve@desk", "drained: a b, until 1970-01-12 13:47:40Z"),
        ("operator.weighted", "web-1:80", (WEB,), "eve@desk", "has weight 5"),
        ("operator.undone", "web-1:80", (WEB,), "bob", "drain of eve@desk was undone"),
        ("operator.undone", "web-1:80", (WEB,), "eve@desk", "weight of eve@desk was undone"),
    ]


async def test_a_weight_holds_and_is_undone(rig: Rig) -> None:
    await rig.operator.set_weight(endpoint(1), 0, EVE)
    assert rig.of(1).weight == 0
    await rig.operator.reset_weight(endpoint(1), EVE)
    assert rig.of(1).weight == 100


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda o: o.set_weight(endpoint(1), 65536, EVE), "0 to 65535"),
        (lambda o: o.set_weight(endpoint(1), -1, EVE), "0 to 65535"),
        (lambda o: o.set_weight(SERVICE, 5, EVE), "only endpoints"),
        (lambda o: o.drain(endpoint(1), EVE, seconds=1e9), "366 days"),
        (lambda o: o.drain(endpoint(1), EVE, seconds=float("nan")), "366 days"),
    ],
)
async def test_what_can_not_be_is_refused_and_changes_nothing(rig: Rig, change: Any, complaint: str) -> None:
    with pytest.raises(ChangeError, match=complaint):
        await change(rig.operator)
    assert not len(rig.operator.overrides)


async def test_while_another_haystack_takes_over_nothing_can_be_changed(rig: Rig) -> None:
    await rig.operator.drain(endpoint(1), EVE)
    rig.busy = True
    for change in (
        rig.operator.drain(endpoint(2), EVE),
        rig.operator.undrain(endpoint(1), EVE),
        rig.operator.set_weight(endpoint(2), 1, EVE),
    ):
        with pytest.raises(ChangeError, match="taking over"):
            await change
    assert [each.target for each in rig.operator.overrides] == [endpoint(1).id]


async def test_many_at_once_hold_each(rig: Rig) -> None:
    rig.list(*range(1, 301))
    await rig.registry.settle()
    await asyncio.gather(*(rig.operator.drain(endpoint(n), EVE) for n in range(1, 301)))
    assert not any(e.ready for e in rig.registry.snapshot.services[WEB].endpoints)
    await asyncio.gather(*(rig.operator.undrain(endpoint(n), EVE) for n in range(1, 301)))
    assert all(e.ready for e in rig.registry.snapshot.services[WEB].endpoints)


async def test_the_end_of_its_time_takes_effect_by_itself(rig: Rig) -> None:
    with capture_logs() as lines:
        await rig.operator.drain(endpoint(1), EVE, seconds=60)
        await rig.operator.drain(endpoint(2), EVE)
        rig.now += 60
        await rig.until(lambda: rig.of(1).ready)
    assert not rig.of(2).ready
    assert [line["target"] for line in lines if line["event"] == "operator.expired"] == [endpoint(1).id]


async def test_one_that_is_drained_anew_ends_at_the_newer_time(rig: Rig) -> None:
    await rig.operator.drain(endpoint(1), EVE, seconds=60)
    again = await rig.operator.drain(endpoint(1), EVE, seconds=6000)
    rig.now += 600
    rig.operator._changed.set()
    await asyncio.sleep(0.01)
    assert list(rig.operator.overrides) == [again]


async def test_a_container_that_comes_back_is_drained_still_and_one_that_stays_away_is_forgotten(rig: Rig) -> None:
    await rig.operator.drain(whole(1), EVE)
    await rig.operator.drain(endpoint(2), EVE)
    rig.list(2)
    await rig.registry.settle()
    await rig.until(lambda: len(rig.operator._missing) == 1)
    rig.steady += changes.GONE_OTHERS - 1
    rig.list(1, 2)
    await rig.registry.settle()
    assert not rig.of(1).ready
    await rig.until(lambda: not rig.operator._missing)
    rig.list(2)
    await rig.registry.settle()
    await rig.until(lambda: len(rig.operator._missing) == 1)
    rig.steady += changes.GONE_OTHERS
    await rig.until(lambda: len(rig.operator.overrides) == 1)
    assert [each.target for each in rig.operator.overrides] == [endpoint(2).id]


async def test_nothing_counts_as_gone_while_a_source_does_not_answer(rig: Rig) -> None:
    await rig.operator.drain(whole(1), EVE)
    rig.list(2)
    rig.registry.failed("x", "no answer")
    await rig.registry.settle()
    rig.steady += 10 * changes.GONE_OTHERS
    await asyncio.sleep(0.02)
    assert not rig.operator._missing
    assert len(rig.operator.overrides) == 1


async def test_what_is_kept_is_there_after_a_restart_and_what_is_not_is_not(rig: Rig, tmp_path: Path) -> None:
    await rig.operator.drain(endpoint(1), EVE, keep=True)
    await rig.operator.drain(endpoint(2), EVE)
    await rig.operator.set_weight(endpoint(2), 7, EVE, keep=True, seconds=60)
    path = tmp_path / kept.NAME
    assert path.stat().st_mode & 0o777 == 0o600
    for late, count in ((0, 2), (60, 1)):
        again = rig.opened(tmp_path)
        rig.now += late
        await again.start()
        assert {each.target for each in again.overrides} == {endpoint(1).id, endpoint(2).id} - ({endpoint(2).id} if late else set())
        assert len(again.overrides) == count
    await rig.operator.undrain(endpoint(1), EVE)
    await rig.until(lambda: kept.read(path) == ())


async def test_what_was_handed_over_counts_and_not_the_file(rig: Rig, tmp_path: Path) -> None:
    made = await rig.operator.drain(endpoint(1), EVE, keep=True)
    again = rig.opened(tmp_path)
    handed = replace(made, target=endpoint(2).id)
    await again.start([handed])
    assert list(again.overrides) == [handed]
    assert kept.read(tmp_path / kept.NAME) == (handed,), "whoever was before may not have been able to write it"
    again = rig.opened(tmp_path)
    await again.start([])
    assert not len(again.overrides)


async def test_liars_are_not_restored(rig: Rig, tmp_path: Path) -> None:
    made = await rig.operator.drain(endpoint(1), EVE)
    lies = [
        replace(made, scope="world"), replace(made, target=""), replace(made, weight=-1), replace(made, weight=70000),
        replace(made, at=1e300), replace(made, at=float("nan")), replace(made, until=float("inf")), replace(made, why="x" * 201),
        replace(made, scope="service", weight=3),
    ]  # fmt: skip
    again = rig.opened(tmp_path)
    await again.start(lies)
    assert not len(again.overrides)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b'[{"scope": 1}]', b'{"a": 1}', b"[" * 100_000])
async def test_a_bad_file_is_told_and_ignored(rig: Rig, tmp_path: Path, text: bytes) -> None:
    (tmp_path / kept.NAME).write_bytes(text)
    with capture_logs() as lines:
        again = rig.opened(tmp_path)
        await again.start()
    assert [line["event"] for line in lines] == ["operator.unreadable"]
    assert not len(again.overrides)


async def test_one_that_is_being_replaced_does_not_write_the_file_which_is_the_other_one_s(rig: Rig, tmp_path: Path) -> None:
    await rig.operator.drain(endpoint(1), EVE, keep=True, seconds=60)
    written = (tmp_path / kept.NAME).read_bytes()
    rig.busy = True
    rig.now += 60
    await rig.until(lambda: rig.of(1).ready)
    assert (tmp_path / kept.NAME).read_bytes() == written
    rig.busy = False  # the other one has given up
    await rig.until(lambda: kept.read(tmp_path / kept.NAME) == ())


async def test_a_file_that_others_can_write_is_refused(rig: Rig, tmp_path: Path) -> None:
    await rig.operator.drain(endpoint(1), EVE, keep=True)
    (tmp_path / kept.NAME).chmod(0o620)
    with pytest.raises(kept.UnreadableError, match="others can write it"):
        kept.read(tmp_path / kept.NAME)


async def test_where_nothing_can_be_kept_the_change_holds_and_the_operator_is_told(rig: Rig, tmp_path: Path) -> None:
    rig.operator._path = tmp_path / "file" / kept.NAME
    (tmp_path / "file").write_text("no folder")
    with capture_logs() as lines, pytest.raises(NotKeptError, match="not over a restart"):
        await rig.operator.drain(endpoint(1), EVE, keep=True)
    assert not rig.of(1).ready
    assert "operator.unkept" in [line["event"] for line in lines]
