"""The command line of autoupdatectl; the man page is made from this parser."""

import argparse
from typing import NoReturn

APP_HELP = "the app; without it the only one on this host, or else ipfs-accelerate"


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with a command line."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f"{self.prog}: {message}; see: {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of autoupdatectl."""
    command = Parser(
        prog="autoupdatectl",
        description="Keep applications deployed from Git up to date.",
        allow_abbrev=False,
    )
    verbs = command.add_subparsers(dest="verb", metavar="VERB", required=True)

    run = verb(verbs, "run", "bring in what upstream has, if it is new")
    run.add_argument(
        "--no-wait", action="store_true", help="leave with 75 when another run is under way"
    )
    run.add_argument(
        "--force", action="store_true", help="also take a commit that is in quarantine"
    )
    rollback = verb(
        verbs,
        "rollback",
        "go back to the previous release, or to a named one",
        ("RELEASE", "the release to go to, as `status` and `history` name it"),
    )
    rollback.add_argument(
        "--no-wait", action="store_true", help="leave with 75 when another run is under way"
    )
    verb(
        verbs,
        "quarantine",
        "list the commits that failed here, or let one be tried again",
        ("clear COMMIT", "let this commit be tried again"),
    )
    verb(verbs, "check", "ask upstream for a new commit; change nothing")
    verb(verbs, "status", "tell where the app stands")
    history = verb(verbs, "history", "list past updates, newest first")
    history.add_argument(
        "--limit", type=positive, default=20, metavar="N", help="how many (default: 20)"
    )
    return command


def verb(
    verbs: "argparse._SubParsersAction[Parser]",
    name: str,
    meaning: str,
    subject: tuple[str, str] = ("", ""),
) -> argparse.ArgumentParser:
    """Add one verb with what all of them take, and perhaps words about what it is done to."""
    added: argparse.ArgumentParser = verbs.add_parser(
        name, help=meaning, description=meaning[0].upper() + meaning[1:] + ".", allow_abbrev=False
    )
    if subject[0]:
        words = (*(f"[{subject[0]}]",), "[APP]")
        added.usage = f"autoupdatectl {name} [-h] [--json] {' '.join(words)}"
        added.add_argument("words", nargs="*", metavar=subject[0], help=subject[1])
    else:
        added.add_argument("app", nargs="?", metavar="APP", help=APP_HELP)
    added.add_argument("--json", action="store_true", help="print JSON")
    return added


def positive(text: str) -> int:
    """Accept a whole number of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)
