"""The command line of autoupdatectl: one entry in VERBS for each verb.

The manual page and the shell completion are generated from this parser.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from autoupdate.cli import arguments as of
from autoupdate.model.errors import AutoupdateError, Exit


class CommandLineError(AutoupdateError):
    """The command line is invalid."""

    exit_code = Exit.USAGE


class Parser(argparse.ArgumentParser):
    """Raises errors instead of printing them: the caller knows whether to print text or JSON."""

    def error(self, message: str) -> NoReturn:
        """Raise CommandLineError."""
        raise CommandLineError(message, f"see: {self.prog} --help")


class ShowVersion(argparse.Action):
    """Prints the version of the package and exits."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Look the version up only when it is asked for, because that costs time."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            known = version("ipfs-accelerate-autoupdate")
        except PackageNotFoundError:
            known = "(source tree)"
        print(f"{parser.prog} {known}")
        parser.exit(0)


class Verb(NamedTuple):
    """A verb: the function in autoupdate.cli.verbs that does it, its meaning, its arguments."""

    does: str
    meaning: str
    arguments: Callable[[argparse.ArgumentParser], None]


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of autoupdatectl; with `words`, possibly of their verb alone."""
    command = Parser(
        prog="autoupdatectl",
        description="Keep applications deployed from Git up to date.",
        allow_abbrev=False,
    )
    command.add_argument(
        "--version", action=ShowVersion, nargs=0, help="print the version and exit"
    )
    verbs = command.add_subparsers(dest="verb", metavar="VERB", required=True)
    # A run that finds nothing new must not spend time on the other verbs.
    for name in words[:1] if words[:1] and words[0] in VERBS else VERBS:
        verb = VERBS[name]
        described = verb.meaning[0].upper() + verb.meaning[1:] + "."
        added = verbs.add_parser(name, help=verb.meaning, description=described, allow_abbrev=False)
        added.set_defaults(does=verb.does)
        verb.arguments(added)
    return command


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed arguments. Raises CommandLineError."""
    command = parser(arguments)
    # What follows is not ours, whatever it looks like.
    ours = arguments.index("--") if "--" in arguments[1:] and arguments[0] == "exec" else None
    chosen, rest = command.parse_known_args(arguments[:ours])
    if chosen.verb == "exec":
        chosen.command = arguments[ours + 1 :] if ours else []
        if not chosen.command:
            raise CommandLineError("there is no command after --", f"usage: {of.EXEC_USAGE}")
    # argparse takes words that come after an option for unknown ones.
    if rest and "words" in chosen and not any(word.startswith("-") for word in rest):
        chosen.words += rest
    elif rest:
        command.error(f"unrecognized arguments: {' '.join(rest)}")
    return chosen


VERBS = {
    "run": Verb("run.run", "update to the newest upstream commit", of.run),
    "rollback": Verb(
        "rollback.rollback", "roll back to the previous release, or to a named one", of.rollback
    ),
    "rebuild": Verb(
        "rebuild.rebuild", "build the deployed commit again, through the same gates", of.rebuild
    ),
    "restart": Verb(
        "rebuild.restart",
        "restart the services on the current release, without an update, and watch them",
        of.with_app,
    ),
    "exec": Verb(
        "exec.execute",
        "run a command in the current release, as the user of its services; exit with its status",
        of.execute,
    ),
    "quarantine": Verb(
        "quarantine.quarantine",
        "list the commits that failed on this host, or let one be tried again",
        of.quarantine,
    ),
    "adopt": Verb(
        "adopt.adopt",
        "turn an existing checkout into a managed app, without losing anything",
        of.adopt,
    ),
    "accept-rewrite": Verb(
        "accept_rewrite.accept_rewrite",
        "accept a commit although upstream rewrote its history or moved its tag",
        of.accept_rewrite,
    ),
    "hold": Verb("steer.hold", "stop updates until a given time, or until `unhold`", of.hold),
    "unhold": Verb("steer.unhold", "end a hold: allow updates again", of.with_app),
    "pin": Verb("steer.pin", "deploy this commit, newer or older, and no other", of.pin),
    "unpin": Verb("steer.unpin", "end a pin: follow upstream again", of.with_app),
    "release-path": Verb(
        "adopt.release_path", "turn a managed app back into a plain checkout", of.with_app
    ),
    "rename": Verb("rename.rename", "give an app another name, while its services run", of.rename),
    "forget": Verb(
        "forget.forget",
        "remove what an app that is no longer used, or a former name, has left on this host",
        of.forget,
    ),
    "plan": Verb(
        "plan.plan", "show what a run would do now, and the verdict of every gate", of.plan
    ),
    "check": Verb(
        "check.check", "ask upstream whether there is a new commit; change nothing", of.with_app
    ),
    "status": Verb("status.status", "show the state of an app, and the reason for it", of.status),
    "notify": Verb(
        "notify.notify", "list notification targets and how many messages wait for each", of.notify
    ),
    "show": Verb("show.show", "show what a release contains and what it changed", of.show),
    "doctor": Verb(
        "doctor.doctor", "list problems on this host, each with a command that fixes it", of.doctor
    ),
    "config": Verb("config.check", "check or show the settings of an app", of.config),
    "gate": Verb(
        "gate.enable", "choose which services check for updates before they start", of.gate
    ),
    "history": Verb("history.history", "list past updates, newest first", of.history),
}
