"""The command line: `haystack run | demo | check | help`, each with a flag for every setting.

Never does the work itself: it turns words into settings, says in one line what is wrong with them (status 2), and hands
over to running.py. `haystack auto`, not in the help, is `make run`: run where an engine answers, else demo.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from haystack.model.spelling import nearest
from haystack.settings import masking, otel, variables
from haystack.settings.settings import SECRET, Settings, SettingsError, display, flag, load, variable
from haystack.startup import bootstrap, checks, defaults, engine_credentials
from haystack.startup.keeper import Keeper

BAD_USAGE = 2
REPLACE = "replace the running Haystack with the same state folder without losing a request: it exits once this one serves"
SWITCHES = frozenset({"admin", "trace", "docker_tls_verify"})
# beside those of this module
OTHERS = {
    "healthcheck": "Check the health of the running Haystack; status 0 if it is healthy.",
    "help": "Show this help; `haystack help run` lists every setting with its default.",
    "version": "Show the version.",
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """End with the line."""
        complain(message)
        sys.exit(BAD_USAGE)


def complain(message: str) -> None:
    """The one line for a person."""
    print(f"haystack: {' '.join(message.split())}", file=sys.stderr)


class Secret(argparse.Action):
    """A flag that is not there: every user of the machine would read it in the list of processes."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """End with the line."""
        name = variable(self.dest)
        parser.error(f"{flag(self.dest)} would show a secret in the process list: set {name} or {name}_FILE")


def parser(name: str) -> Parser:
    """The grammar of one command."""
    command = COMMANDS[name]
    made = Parser(prog=f"haystack {name}", description=command.__doc__ or "", allow_abbrev=False)
    add_flags(made)
    if name == "run":
        made.add_argument("--replace", action="store_const", const=True, help=REPLACE)
    return made


def add_flags(command: argparse.ArgumentParser) -> None:
    """One flag a setting. Values are checked with those of the environment, by settings.py."""
    for name, field in Settings.model_fields.items():
        default = display(name, field.get_default(call_default_factory=True))
        about = f"{field.description} (default: {default}) [{variable(name)}]".replace("%", "%%").replace(" (default: -)", "")
        if name in SECRET:
            command.add_argument(flag(name), dest=name, nargs="?", action=Secret, help=argparse.SUPPRESS)
            continue
        if name in SWITCHES:
            command.add_argument(flag(name), dest=name, nargs="?", const="on", metavar="on|off", help=about)
        else:
            command.add_argument(flag(name), dest=name, metavar="VALUE", help=about)


def overview() -> str:
    """What there is to type."""
    lines = [f"  {name:12} {what.__doc__}" for name, what in COMMANDS.items() if name != HIDDEN]
    return "\n".join([
        "usage: haystack COMMAND [--SETTING VALUE ...]", "", "DNS names and HTTP load balancing for containers.", "",
        *lines, *(f"  {name:12} {what}" for name, what in OTHERS.items()), "",
        "Each setting is an environment variable or the flag of the same name: HAYSTACK_HTTP_PORT is --http-port.",
    ])  # fmt: skip


def run(settings: Settings, *, replace: bool = False, keeper: Keeper | None = None) -> int:
    """Watch Docker (or HAYSTACK_STATIC), answer DNS and balance HTTP until SIGTERM."""
    checks.refuse(settings)
    if keeper is not None:
        try:
            settings = engine_credentials.handed_over(settings, keeper)  # before the next line: it starts while that is imported
        except OSError as error:
            complain(f"discovery can't be started: {error.strerror or error}")
            return 1
    with bootstrap.begun(settings, replace=replace) as processes:
        from haystack.command_line import running  # noqa: PLC0415 - `--version` and a bad flag need none of it, and workers start meanwhile

        return running.main(settings, demo=False, replace=replace, processes=processes, **_apart(keeper))


def _apart(keeper: Keeper | None) -> dict[str, Any]:
    """What says that engines are watched by another process."""
    return {"keeper": keeper} if keeper is not None else {}


def demo(settings: Settings) -> int:
    """Run a demo of five embedded instances, without Docker, on available ports."""
    used = defaults.demo_settings(settings)
    checks.refuse(used)
    told(settings, used)
    with bootstrap.begun(used) as processes:
        from haystack.command_line import running  # noqa: PLC0415 - as above

        return running.main(used, demo=True, processes=processes)


def told(asked: Settings, used: Settings) -> Settings:
    """Those that are used, once it is said which ports are others than one would expect."""
    for line in defaults.moved(asked, used):
        complain(line)
    return used


def _answers(settings: Settings) -> bool:
    """Asked by a child: what this process goes on as touches no engine, and has no room for what that takes."""
    pid = os.fork()
    if pid == 0:
        found = False
        try:
            from haystack.startup import engines  # noqa: PLC0415 - it brings the docker package

            found = engines.answers(settings)
        finally:
            os._exit(0 if found else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def auto(settings: Settings, *, keeper: Keeper | None = None) -> int:
    """Run where an engine answers, else the demo, on ports that can be had."""
    if settings.static is not None or _answers(settings):
        return run(told(settings, defaults.usable_state(defaults.usable_ports(settings))), **_apart(keeper))
    if keeper is not None:
        keeper.dismiss()
    print("haystack: no engine answers, so this is the demo; set DOCKER_HOST to serve containers", file=sys.stderr)
    return demo(settings)


def check(settings: Settings) -> int:
    """Show the settings in effect, mistakes in them, and whether each engine answers; status 0 if all is well."""
    for name, text in settings.shown().items():
        print(f"{name}={text}")
    for line in checks.warnings(settings):
        print(f"warning: {line}")
    if wrong := list(checks.found(settings)):
        for line in wrong:
            complain(line)
        return BAD_USAGE
    return check_sources(settings)


def check_sources(settings: Settings) -> int:
    """Whether what containers come from can be read; status 1 where something can't."""
    if settings.static is not None:
        return check_static(settings)
    from haystack.startup import engines  # noqa: PLC0415 - as above

    reasons = {host: engines.trouble(settings, host) for host in settings.docker_host}
    for host, reason in reasons.items():
        print(f"engine {masking.masked(host)}: {'answers' if reason is None else masking.masked(reason)}")
    return 0 if not any(reasons.values()) else 1


def check_static(settings: Settings) -> int:
    """Whether the static file can be read, and what is odd in it; status 1 where there is anything."""
    from haystack.discovery import static  # noqa: PLC0415 - as above

    try:
        listing = static.read(settings.static.read_bytes() if settings.static else b"", str(settings.static))
    except (OSError, static.StaticError) as error:
        print(f"static {settings.static}: {getattr(error, 'strerror', None) or error}")
        return 1
    print(f"static {settings.static}: {len(listing.containers)} container{'' if len(listing.containers) == 1 else 's'}")
    found = [("", p) for p in listing.problems] + [(f"{c.name}: ", p) for c in listing.containers for p in c.problems]
    for whose, problem in found:
        print(f"static {settings.static}: {whose}{problem.subject}: {problem.message}")
    return 1 if found else 0


def help_(words: Sequence[str]) -> int:
    """Tell what there is, or what one command takes."""
    if not words:
        print(overview())
        return 0
    if words[0] in COMMANDS:
        parser(words[0]).print_help()
        return 0
    if words[0] in OTHERS:
        print(f"haystack {words[0]}: {OTHERS[words[0]]}")
        return 0
    return unknown(words[0])


def unknown(name: str) -> int:
    """Say that there is no such command, and which was meant; or that one was given a word and takes none."""
    if name in OTHERS:
        complain(f"`haystack {name}` takes no argument: {OTHERS[name]}")
        return BAD_USAGE
    known = [*(each for each in COMMANDS if each != HIDDEN), *OTHERS]
    near = nearest(name, known)
    complain(f"no command {name!r}: " + (f"did you mean {near}?" if near else f"the commands are {', '.join(known)}"))
    return BAD_USAGE


def before_command(words: Sequence[str]) -> int:
    """Say where the command stands, by the line that was meant; a value that is not to be seen is not repeated."""
    secret = {flag(field) for field in SECRET}
    shown = "" if any(word.partition("=")[0] in secret or masking.masked(word) != word for word in words) else f" {' '.join(words)}"
    complain(f"a command comes before the flags: haystack run{shown}")
    return BAD_USAGE


OVERVIEW = ("help", "--help", "-h")
HIDDEN = "auto"  # for `make run`
COMMANDS: dict[str, Callable[..., int]] = {"run": run, "demo": demo, "check": check, HIDDEN: auto}


def main(words: Sequence[str], keeper: Keeper | None = None) -> int:
    """Run one command line; the status to exit with. keeper: of startup/keeper.py, for a command that watches engines."""
    if not words:
        print(overview(), file=sys.stderr)
        return BAD_USAGE
    name, *rest = words
    if name not in OVERVIEW and name.startswith("--"):
        return before_command(words)
    if name in OVERVIEW:
        return help_(rest)
    if name not in COMMANDS:
        return unknown(name)
    try:
        return _started(name, rest, keeper)
    except SettingsError as error:
        complain(str(error))
        return BAD_USAGE


def _started(name: str, words: Sequence[str], keeper: Keeper | None) -> int:
    """Run a command with the settings that its flags and the environment give. Raises SettingsError."""
    grammar = parser(name)
    found, more = grammar.parse_known_args(list(words))
    if more:
        grammar.error(_stray(name, more[0]))
    given = vars(found)
    extra: dict[str, Any] = {"replace": True} if given.pop("replace", None) else {}
    extra |= _apart(keeper)
    if masking.masked(given.get("docker_host") or "") != (given.get("docker_host") or ""):
        grammar.error("--docker-host would show its password in the process list: set DOCKER_HOST")
    variables.refuse_misspelt(os.environ)
    otel.take_files(os.environ)
    settings = load({field: text for field, text in given.items() if text is not None})
    return COMMANDS[name](settings, **extra)


def _stray(name: str, word: str) -> str:
    """What is to be said of a word that is no flag of this command."""
    given = word.partition("=")[0]
    if not given.startswith("-"):
        return f"{given!r} is no flag: settings are --NAME VALUE"
    near = nearest(given, [flag(field) for field in Settings.model_fields if field not in SECRET])
    return f"no flag {given}: " + (f"did you mean {near}?" if near else f"`haystack help {name}` lists them")
