"""The command line: `haystack run | demo | check | --version`, each with a flag for every setting.

Never does the work itself: it turns words into settings, says in one line what is wrong with them (status 2), and hands
over to app.py. `haystack auto`, not in the help, is `make run`: run where an engine answers, else demo.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, cast

from haystack import __version__, choice, values
from haystack.proxy import confine
from haystack.settings import SECRET, Settings, SettingsError, flag, load, variable

BAD_USAGE = 2
REPLACE = "take over from the Haystack that runs with the same state folder: it ends once this one serves, and no request is lost"
SWITCHES = frozenset({"admin", "trace", "docker_tls_verify"})


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """End with the line."""
        print(f"{self.prog}: {' '.join(message.split())}", file=sys.stderr)
        sys.exit(BAD_USAGE)


class Secret(argparse.Action):
    """A flag that is not there: every user of the machine would read it in the list of processes."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """End with the line."""
        name = variable(self.dest)
        parser.error(f"{flag(self.dest)} would show a secret in the list of processes: set {name} or {name}_FILE")


def parser() -> Parser:
    """The grammar of the command line."""
    whole = Parser(prog="haystack", description="A name for every container, and HTTP balanced over them.", allow_abbrev=False)
    whole.add_argument("--version", action="version", version=f"haystack {__version__}")
    commands = whole.add_subparsers(dest="command", metavar="run | demo | check", parser_class=Parser)
    for name, what in COMMANDS.items():
        about = {"description": what.__doc__ or ""} | ({} if name == "auto" else {"help": what.__doc__ or ""})
        command = commands.add_parser(name, allow_abbrev=False, **cast("Any", about))
        add_flags(command)
        if name == "run":
            command.add_argument("--replace", action="store_const", const=True, help=REPLACE)
    return whole


def add_flags(command: argparse.ArgumentParser) -> None:
    """One flag a setting. Values are checked with those of the environment, by settings.py."""
    for name, field in Settings.model_fields.items():
        about = f"{field.description} [{variable(name)}]".replace("%", "%%")
        if name in SECRET:
            command.add_argument(flag(name), dest=name, nargs="?", action=Secret, help=argparse.SUPPRESS)
            continue
        if name in SWITCHES:
            command.add_argument(flag(name), dest=name, nargs="?", const="on", metavar="on|off", help=about)
        else:
            command.add_argument(flag(name), dest=name, metavar="VALUE", help=about)


def run(settings: Settings, *, replace: bool = False) -> int:
    """Watch Docker (or HAYSTACK_STATIC), answer DNS and balance HTTP until SIGTERM."""
    from haystack import app  # noqa: PLC0415 - `--version` and a bad flag need none of it

    return app.main(settings, demo=False, replace=replace)


def demo(settings: Settings) -> int:
    """Five embedded demo instances, no Docker, on ports that can be had."""
    from haystack import app  # noqa: PLC0415 - as above

    return app.main(told(settings, choice.demo_settings(settings)), demo=True)


def told(asked: Settings, used: Settings) -> Settings:
    """Those that are used, once it is said which ports are others than one would expect."""
    for line in choice.moved(asked, used):
        print(f"haystack: {line}", file=sys.stderr)
    return used


def auto(settings: Settings) -> int:
    """Run where an engine answers, else the demo, on ports that can be had."""
    if settings.static is not None or choice.answers(settings):
        return run(told(settings, choice.usable_state(choice.usable_ports(settings))))
    print("haystack: no engine answers, so this is the demo; set DOCKER_HOST to serve containers", file=sys.stderr)
    return demo(settings)


def check(settings: Settings) -> int:
    """Show the settings in effect and whether each engine answers; status 1 when one does not."""
    for name, text in settings.shown().items():
        print(f"{name}={text}")
    if settings.static is not None:
        return check_static(settings)
    reasons = {host: choice.trouble(settings, host) for host in settings.docker_host}
    for host, reason in reasons.items():
        print(f"engine {values.masked(host)}: {'answers' if reason is None else values.masked(reason)}")
    return 0 if not any(reasons.values()) else 1


def check_static(settings: Settings) -> int:
    """Whether the static file can be read, and what is odd in it; status 1 when nothing of it can be served."""
    from haystack.discovery import static  # noqa: PLC0415 - as above

    try:
        listing = static.read(settings.static.read_bytes() if settings.static else b"", str(settings.static))
    except (OSError, static.StaticError) as error:
        print(f"static {settings.static}: {getattr(error, 'strerror', None) or error}")
        return 1
    print(f"static {settings.static}: {len(listing.containers)} containers")
    found = [("", p) for p in listing.problems] + [(f"{c.name}: ", p) for c in listing.containers for p in c.problems]
    for whose, problem in found:
        print(f"static {settings.static}: {whose}{problem.subject}: {problem.message}")
    return 0


COMMANDS: dict[str, Callable[..., int]] = {"run": run, "demo": demo, "check": check, "auto": auto}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line; the status to exit with."""
    grammar = parser()
    given = vars(grammar.parse_args(words))
    name = given.pop("command")
    more = {"replace": True} if given.pop("replace", None) else {}
    if name is None:
        grammar.print_help(sys.stderr)
        return BAD_USAGE
    if values.masked(given.get("docker_host") or "") != (given.get("docker_host") or ""):
        grammar.error("--docker-host would show its password in the list of processes: set DOCKER_HOST")
    confine.choose_temporary()
    try:
        settings = load({field: text for field, text in given.items() if text is not None})
    except SettingsError as error:
        print(f"haystack: {error}", file=sys.stderr)
        return BAD_USAGE
    return COMMANDS[name](settings, **more)
