"""Prints the output of verbs: facts as JSON or as text for people, and errors."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from autoupdate.model.errors import AutoupdateError, Exit

if TYPE_CHECKING:
    from argparse import Namespace

    from autoupdate.app import Outcome


class OutputError(AutoupdateError):
    """Standard output cannot be written."""


def show(facts: Any, words: Callable[[Any], str], chosen: "Namespace") -> None:
    """Print facts as JSON with `--json`, otherwise as text that `words` makes of them."""
    if chosen.json:
        print_json(facts)
    else:
        print_words(words(facts))


def tell(facts: Any, words: str, chosen: "Namespace") -> None:
    """Print facts as JSON with `--json`, otherwise this text."""
    show(facts, lambda _: words, chosen)


def finish(outcome: "Outcome", app: str, chosen: "Namespace") -> int:
    """Print how a run ended; return its exit code."""
    if chosen.json:
        print_json({"app": app, **outcome._asdict()})
    if outcome.exit_code != Exit.DONE:
        complain(outcome.reason, outcome.advice)
    elif not chosen.json:
        put(safe(outcome.reason))
    return outcome.exit_code


def print_words(text: str) -> None:
    """Print a text, in colour only on a terminal that wants it (no-color.org)."""
    import os
    import sys

    plain = (
        not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    )
    if plain:
        import re

        text = re.sub(r"\033\[[0-9;]*m", "", text)
    put(safe(text))


def safe(text: str) -> str:
    """Escape what could move the cursor or write elsewhere; facts contain upstream's text.

    Lines and colours are kept: the worst that upstream can do with these is to look colourful.
    """
    import re

    from autoupdate.host.log_sinks import printable

    parts = re.split(r"(\033\[[0-9;]*m|\n)", text)
    # Every second one is what the pattern found.
    return "".join(part if number % 2 else printable(part) for number, part in enumerate(parts))


def print_json(facts: Any) -> None:
    """Print facts as JSON."""
    import json

    put(json.dumps(facts, indent=2))


def can_ask(chosen: "Namespace") -> bool:
    """Return whether somebody is there who can answer."""
    import sys

    return sys.stdin.isatty() and sys.stdout.isatty() and not chosen.json


def ask(question: str) -> bool:
    """Ask a person; return whether the answer is yes."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def put(text: str) -> None:
    """Print a text. Raises OutputError, and BrokenPipeError when the reader closed the pipe."""
    try:
        print(text)
    except OSError as error:
        raise_unwritable(error)
    flush()


def flush() -> None:
    """Write everything that was printed so far. Raises what `put` raises."""
    import sys

    try:
        sys.stdout.flush()
    except OSError as error:
        raise_unwritable(error)


def raise_unwritable(error: OSError) -> NoReturn:
    """Raise BrokenPipeError as it is, other errors as OutputError."""
    if isinstance(error, BrokenPipeError):
        raise error
    discard_output()
    raise OutputError(f"cannot write to standard output: {error.strerror}") from None


def discard_output() -> None:
    """Send standard output to /dev/null, or Python would fail to flush it once more at exit."""
    import os
    import sys

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def complain(message: str, advice: str) -> None:
    """Print an error on standard error, unless that is the journal: it has the message already."""
    from autoupdate.host.log import goes_to_journal, say

    if goes_to_journal(2):
        return
    say(f"autoupdatectl: {message}")
    if advice:
        say(f"  {advice}")
