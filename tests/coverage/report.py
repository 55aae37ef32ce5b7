"""What was noted, as a table by room, and the places where nothing ran with the reason of each (reasons.toml)."""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import coverage

from tests.coverage import compiled
from tests.coverage.measure import FOUND, ROOT
from tests.coverage.places import Place, uncovered

LARGE = 3  # lines of a place that has to have a reason
REASONS = Path(__file__).with_name("reasons.toml")
FOR_TESTS = tuple(f"haystack/_fast/{room}testing.pyx" for room in ("", "net/", "exchange/", "dns/"))

Reasons = Mapping[str, Mapping[str, str]]  # file → Class.function → why nothing runs there


@dataclass
class Findings:
    """could, did: lines by room, first those of Python, then the compiled ones; places: where nothing ran, by file and line."""

    could: Counter[str] = field(default_factory=Counter)
    did: Counter[str] = field(default_factory=Counter)
    places: list[Place] = field(default_factory=list)

    def add(self, file: str, could: set[int], did: set[int]) -> None:
        """Take in one file."""
        self.could[room(file)] += len(could)
        self.did[room(file)] += len(could & did)
        self.places += uncovered(file, (ROOT / file).read_text(encoding="utf-8").splitlines(), could, did)

    @property
    def traced(self) -> bool:
        """Whether any compiled line told that it ran: in another build than that of `make coverage`, none does."""
        return any(did for room, did in self.did.items() if is_compiled(room))

    @property
    def large(self) -> list[Place]:
        """The uncovered places that need a reason."""
        return [place for place in self.places if place.size >= LARGE]


def findings() -> Findings:
    """Of the last run, by the sources as they are now."""
    measured = coverage.Coverage(data_file=str(FOUND), config_file=str(ROOT / "pyproject.toml"))
    measured.load()
    found = Findings()
    for path in sorted((ROOT / "haystack").rglob("*.py")):
        _, statements, _, missing, _ = measured.analysis2(str(path))
        found.add(str(path.relative_to(ROOT)), set(statements), set(statements) - set(missing))
    for file, could in sorted(compiled.lines(ROOT / "build" / "coverage").items()):
        if file not in FOR_TESTS and (ROOT / file).exists():  # the C source of one that was removed may still be there
            found.add(file, could, set(measured.get_data().lines(str(ROOT / file)) or ()))
    return found


def room(file: str) -> str:
    """The room of a file: what haystack/ or haystack/_fast/ has beside its single modules is one, too."""
    parts = file.split("/")
    depth = 2 if parts[1] == "_fast" and len(parts) > 2 else 1
    return "/".join(parts[: depth + 1]) + "/" if len(parts) > depth + 1 else "/".join(parts[:depth]) + "/*"


def table(found: Findings) -> Iterator[str]:
    """The lines of the table, with a sum for Python and one for what is compiled."""
    yield f"{'room':28}{'lines':>8}{'run':>8}{'%':>8}"
    for compiled_rooms, name in ((False, "Python"), (True, "compiled")):
        rooms = [each for each in found.could if is_compiled(each) == compiled_rooms]
        for each in sorted(rooms):
            yield _row(each, found.could[each], found.did[each])
        yield _row(f"all of it, {name}", sum(found.could[r] for r in rooms), sum(found.did[r] for r in rooms))


def is_compiled(room: str) -> bool:
    """Whether the room's lines are told by extensions; packages in it have an empty __init__.py each."""
    return room.startswith("haystack/_fast/")


def _row(name: str, could: int, did: int) -> str:
    return f"{name:28}{could:8}{did:8}{100 * did / could if could else 100:8.1f}"


def reasons() -> Reasons:
    """What stands in reasons.toml."""
    return tomllib.loads(REASONS.read_text(encoding="utf-8"))


def explained(places: Iterable[Place], why: Reasons) -> Iterator[tuple[Place, str]]:
    """Each place with its reason; empty: there is none."""
    return ((place, why.get(place.file, {}).get(place.where, "")) for place in places)


def idle(places: Iterable[Place], why: Reasons) -> list[str]:
    """The reasons that no place needs, as FILE Class.function."""
    needed = defaultdict(set)
    for place in places:
        needed[place.file].add(place.where)
    return [f"{file} {where}" for file, told in why.items() for where in told if where not in needed[file]]
