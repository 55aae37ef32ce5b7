"""What is no command, option or type is wrong use (2), a name that nobody has is not found (1); and both are told in lines that fit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from haystack.console.command import Context, Live
from haystack.console.commands.probe import Said
from haystack.console.shell import answer, run
from tests.fakes.state import NAME, picture, state


class Talk:
    """A terminal that keeps what it is told."""

    terminal, screen, size = True, False, (80, 24)

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def line(self, text: str) -> None:
        self.lines += text.split("\n")

    complain = draw = line


async def status(line: str) -> tuple[int, str]:
    talk, result = Talk(), await answer(state(), line.split())
    if not isinstance(result.effect, Live):
        return result.status, result.text
    found: Any = await result.effect.run(talk)  # type: ignore[arg-type]
    return found, "\n".join(talk.lines)


@pytest.mark.parametrize("line", ["nosuch", "help nosuch", "dig nginx BLA", "services --nosuch", "log nosuch", "top --sort nosuch"])
async def test_what_is_no_command_option_or_type_is_wrong_use(line: str) -> None:
    assert (await status(line))[0] == 2


@pytest.mark.parametrize("line", ["service ngin", "cohorts ngin", "top ngin", "events ngin", "drain ngin", "undrain ngin", "weight ngin 1"])
async def test_a_name_that_nobody_has_is_not_found_and_the_nearest_is_told(line: str) -> None:
    found, text = await status(line)
    assert (found, "did you mean nginx?" in text) == (1, True), text


async def test_a_wrong_type_of_records_names_the_right_one() -> None:
    assert "no such type of records; did you mean AAAA?; usage: dig" in (await status("dig nginx AAA"))[1]
    assert (await status(f"dig {NAME} TYPE1"))[0] != 2


async def test_names_that_are_as_near_are_told_up_to_three() -> None:
    seen = picture()
    (one,) = seen.containers.values()
    seen.containers = {f"{n:064x}": type(one)(id=f"{n:064x}", name=f"shop-00{n}", engine="E") for n in range(1, 6)}
    talk, result = Talk(), run(state(snapshot=seen), ["drain", "shop-00"])
    assert isinstance(result.effect, Live)
    await result.effect.run(talk)  # type: ignore[arg-type]
    assert talk.lines == ["no endpoint, container or service shop-00; did you mean shop-001, shop-002 or shop-003?"]


@pytest.mark.parametrize("line", ["tail --nosuch", "drain --wait", "dig", "probe"])
def test_a_usage_is_broken_between_words(line: str) -> None:
    whole, lines = run(state(), line.split()).text, run(state(), line.split(), Context(width=80)).text.splitlines()
    assert (max(map(len, lines)) <= 80, " ".join(lines)) == (True, whole)


async def test_a_phase_of_a_probe_is_broken_between_words_below_itself() -> None:
    talk = Talk()
    await Said(talk, quiet=False).line("note", "word " * 30 + "end")  # type: ignore[arg-type]
    assert [line[:10] for line in talk.lines] == ["note      ", " " * 10, " " * 10]
    assert {word for line in talk.lines for word in line[10:].split()} == {"word", "end"}
    assert max(map(len, talk.lines)) <= 80


def test_a_setting_without_a_value_is_null_for_scripts() -> None:
    values = {each["name"]: each["value"] for each in json.loads(run(state(), ["config", "--json"]).text)}
    assert (values["HAYSTACK_ADDRESS"], values["HAYSTACK_WORKERS"]) == (None, "2")
    assert "-" not in values.values()
    assert "--all and --json show all of them" in run(state(), ["help", "config"]).text
