"""The command line of autoupdatectl: one entry in VERBS for each verb.

The man page and the completion of shells are made from this parser.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from autoupdate.model.errors import AutoupdateError, Exit

# What a transaction can end with (state.Result).
RESULTS = ("updated", "deferred", "failed", "rolled-back", "broken", "interrupted", "unreachable")
EVERY_APP_HELP = "the app; without it every app on this host"
CONFIG_CHECK = "List everything that is wrong or odd in the settings"
CONFIG_SHOW = "List every setting with the file that it comes from"
APP_HELP = "the app; without it the only one on this host, or else ipfs-accelerate"


class CommandLineError(AutoupdateError):
    """The command line is none of ours."""

    exit_code = Exit.USAGE


class Parser(argparse.ArgumentParser):
    """Raises what is wrong with a command line: only the caller knows how it is to be told."""

    def error(self, message: str) -> NoReturn:
        """Raise CommandLineError."""
        raise CommandLineError(message, f"see: {self.prog} --help")


class ShowVersion(argparse.Action):
    """Prints the version of the package, and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Ask for the version only now: that costs time."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            known = version("ipfs-accelerate-autoupdate")
        except PackageNotFoundError:
            known = "of a source tree"
        print(f"{parser.prog} {known}")
        parser.exit(0)


class Verb(NamedTuple):
    """A verb: the function below autoupdate.cli.verbs that does it, its meaning, its arguments."""

    does: str
    meaning: str
    arguments: Callable[[argparse.ArgumentParser], None]


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of autoupdatectl; for words to be parsed it may know their verb alone."""
    command = Parser(
        prog="autoupdatectl",
        description="Keep applications deployed from Git up to date.",
        allow_abbrev=False,
    )
    command.add_argument(
        "--version", action=ShowVersion, nargs=0, help="print the version and exit"
    )
    verbs = command.add_subparsers(dest="verb", metavar="VERB", required=True)
    # A run that finds nothing new must not pay for the other verbs.
    for name in words[:1] if words[:1] and words[0] in VERBS else VERBS:
        verb = VERBS[name]
        described = verb.meaning[0].upper() + verb.meaning[1:] + "."
        added = verbs.add_parser(name, help=verb.meaning, description=described, allow_abbrev=False)
        added.set_defaults(does=verb.does)
        verb.arguments(added)
    return command


def with_app(of: argparse.ArgumentParser, meaning: str = APP_HELP) -> None:
    """Let a verb take an app and --json."""
    of.add_argument("app", nargs="?", metavar="APP", help=meaning)
    with_json(of)


def with_json(of: argparse.ArgumentParser) -> None:
    """Let a verb print JSON."""
    of.add_argument("--json", action="store_true", help="print JSON")


def with_words(of: argparse.ArgumentParser, subject: str, meaning: str) -> None:
    """Let a verb take words about what it is done to, and an app; see words.py."""
    of.usage = f"{of.prog} [-h] [--json] [{subject}] [APP]"
    of.add_argument("words", nargs="*", metavar=subject, help=meaning)
    with_json(of)


def run(of: argparse.ArgumentParser) -> None:
    """Arguments of `run`."""
    no_wait(of)
    of.add_argument(
        "--force",
        action="store_true",
        help="go past windows, minimum age and quarantine; never past trust",
    )
    with_app(of)


def rollback(of: argparse.ArgumentParser) -> None:
    """Arguments of `rollback`."""
    no_wait(of)
    with_words(of, "RELEASE", "the release to go to, as `status` and `history` name it")


def no_wait(of: argparse.ArgumentParser) -> None:
    """Let a verb leave at once."""
    of.add_argument(
        "--no-wait", action="store_true", help="leave with 75 when another run is under way"
    )


def quarantine(of: argparse.ArgumentParser) -> None:
    """Arguments of `quarantine`."""
    with_words(of, "clear COMMIT", "let this commit be tried again")


def adopt(of: argparse.ArgumentParser) -> None:
    """Arguments of `adopt`."""
    of.add_argument(
        "--look", action="store_true", help="tell what would be taken over; change nothing"
    )
    of.add_argument(
        "--leave-commits",
        action="store_true",
        help="go on without the commits that upstream does not have; they are kept in the mirror",
    )
    of.add_argument("path", metavar="PATH", help="the directory that the services run from now")
    with_app(of)


def accept_rewrite(of: argparse.ArgumentParser) -> None:
    """Arguments of `accept-rewrite`."""
    of.add_argument("commit", metavar="COMMIT", help="the commit, as the refusal names it")
    with_app(of)


def hold(of: argparse.ArgumentParser) -> None:
    """Arguments of `hold`."""
    of.add_argument(
        "--until",
        metavar="TIME",
        help='the end: "2026-12-24", "2026-12-24 18:00" (local time), a time of RFC 3339, or a time'
        ' span from now on such as "2d"; without it the hold lasts until `unhold`',
    )
    of.add_argument("--reason", default="", metavar="TEXT", help="why, for those who wonder")
    with_app(of)


def pin(of: argparse.ArgumentParser) -> None:
    """Arguments of `pin`."""
    of.add_argument(
        "commit", metavar="COMMIT", help="its full name, or the first digits of a fetched commit"
    )
    with_app(of)


def status(of: argparse.ArgumentParser) -> None:
    """Arguments of `status`."""
    with_app(of, EVERY_APP_HELP)
    of.set_defaults(every=True)


def config(of: argparse.ArgumentParser) -> None:
    """The verbs below `config`."""
    below = of.add_subparsers(dest="what", metavar="VERB", required=True)
    check = below.add_parser(
        "check", help=CONFIG_CHECK, description=f"{CONFIG_CHECK}.", allow_abbrev=False
    )
    with_app(check, EVERY_APP_HELP)
    check.set_defaults(does="config.check", every=True)
    show = below.add_parser(
        "show", help=CONFIG_SHOW, description=f"{CONFIG_SHOW}.", allow_abbrev=False
    )
    with_app(show)
    show.set_defaults(does="config.show")


def plan(of: argparse.ArgumentParser) -> None:
    """Arguments of `plan`."""
    of.add_argument("--force", action="store_true", help="what `run --force` would do")
    with_app(of)


def show(of: argparse.ArgumentParser) -> None:
    """Arguments of `show`."""
    of.add_argument(
        "release",
        metavar="RELEASE",
        help="current, previous, or the beginning of a release's name or of its commit's",
    )
    with_app(of)


def history(of: argparse.ArgumentParser) -> None:
    """Arguments of `history`."""
    of.add_argument(
        "--limit", type=positive, default=20, metavar="N", help="how many (default: 20)"
    )
    of.add_argument(
        "--result",
        action="append",
        type=results,
        default=[],
        metavar="RESULT",
        help=f"only those that ended so, several with commas between: {', '.join(RESULTS)}",
    )
    of.add_argument(
        "--since",
        metavar="TIME",
        help='only those that began then or later: as for `hold --until`, but "2d" is two days ago',
    )
    with_app(of)


def notify(of: argparse.ArgumentParser) -> None:
    """Arguments of `notify`."""
    of.add_argument("--test", action="store_true", help="send a test message to each of them")
    with_app(of)


def results(text: str) -> list[str]:
    """Accept names of results with commas between."""
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word not in RESULTS:
            raise argparse.ArgumentTypeError(f"{word!r} is none of {', '.join(RESULTS)}")
    return words


def positive(text: str) -> int:
    """Accept a whole number of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)


VERBS = {
    "run": Verb("run.run", "bring in what upstream has, if it is new", run),
    "rollback": Verb(
        "rollback.rollback", "go back to the previous release, or to a named one", rollback
    ),
    "quarantine": Verb(
        "quarantine.quarantine",
        "list the commits that failed here, or let one be tried again",
        quarantine,
    ),
    "adopt": Verb("adopt.adopt", "take over an existing checkout, with all that is in it", adopt),
    "accept-rewrite": Verb(
        "accept_rewrite.accept_rewrite",
        "take a commit that does not descend from what was deployed, or whose tag was moved",
        accept_rewrite,
    ),
    "hold": Verb("hold.hold", "keep the app as it is, until a time or until unhold", hold),
    "unhold": Verb("hold.unhold", "let the app be updated again", with_app),
    "pin": Verb("pin.pin", "deploy this commit, newer or older, and stay there", pin),
    "unpin": Verb("pin.unpin", "follow upstream again", with_app),
    "release-path": Verb(
        "release_path.release_path", "give a plain checkout back, and manage it no more", with_app
    ),
    "plan": Verb("plan.plan", "tell what a run would do now, gate by gate, and why not", plan),
    "check": Verb("check.check", "ask upstream for a new commit; change nothing", with_app),
    "status": Verb("status.status", "tell where the app stands", status),
    "notify": Verb("notify.notify", "list who is told of events, and what still waits", notify),
    "show": Verb("show.show", "tell what a release holds and what it brought", show),
    "doctor": Verb("doctor.doctor", "find what is wrong on this host, and what to type", with_app),
    "config": Verb("config.check", "look at the settings of an app", config),
    "history": Verb("history.history", "list past updates, newest first", history),
}
