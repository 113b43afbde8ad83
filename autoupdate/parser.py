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
    verb(verbs, "check", "ask upstream for a new commit; change nothing")
    verb(verbs, "status", "tell where the app stands")
    history = verb(verbs, "history", "list past updates, newest first")
    history.add_argument(
        "--limit", type=positive, default=20, metavar="N", help="how many (default: 20)"
    )
    return command


def verb(
    verbs: "argparse._SubParsersAction[Parser]", name: str, meaning: str
) -> argparse.ArgumentParser:
    """Add one verb with what all of them take."""
    added: argparse.ArgumentParser = verbs.add_parser(
        name, help=meaning, description=meaning[0].upper() + meaning[1:] + ".", allow_abbrev=False
    )
    added.add_argument("app", nargs="?", metavar="APP", help=APP_HELP)
    added.add_argument("--json", action="store_true", help="print JSON")
    return added


def positive(text: str) -> int:
    """Accept a whole number of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)
