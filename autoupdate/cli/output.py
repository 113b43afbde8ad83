"""Prints what a verb has to say: facts as JSON or in words, and what is wrong."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from autoupdate.model.errors import AutoupdateError, Exit

if TYPE_CHECKING:
    from argparse import Namespace

    from autoupdate.app import Outcome


class OutputError(AutoupdateError):
    """What was found or done cannot be told: standard output cannot be written."""


def show(facts: Any, words: Callable[[Any], str], chosen: "Namespace") -> None:
    """Print facts as JSON, if that was chosen, or in words."""
    if chosen.json:
        print_json(facts)
    else:
        print_words(words(facts))


def tell(facts: Any, words: str, chosen: "Namespace") -> None:
    """Print facts as JSON, if that was chosen, or these words."""
    show(facts, lambda _: words, chosen)


def finish(outcome: "Outcome", app: str, chosen: "Namespace") -> int:
    """Print how a run ended; return its exit code."""
    if chosen.json:
        print_json({"app": app, **outcome._asdict()})
    if outcome.exit_code != Exit.DONE:
        complain(outcome.reason, outcome.advice)
    elif not chosen.json:
        put(outcome.reason)
    return outcome.exit_code


def print_words(text: str) -> None:
    """Print words; with their colours on a terminal only (no-color.org)."""
    import os
    import sys

    plain = (
        not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    )
    if plain:
        import re

        text = re.sub(r"\033\[[0-9;]*m", "", text)
    put(text)


def print_json(facts: Any) -> None:
    """Print facts as JSON."""
    import json

    put(json.dumps(facts, indent=2))


def put(text: str) -> None:
    """Print a text. Raises OutputError, and BrokenPipeError when the reader has left."""
    try:
        print(text)
    except OSError as error:
        raise_unwritable(error)
    flush()


def flush() -> None:
    """Have everything written that was printed; raises what `put` does."""
    import sys

    try:
        sys.stdout.flush()
    except OSError as error:
        raise_unwritable(error)


def raise_unwritable(error: OSError) -> NoReturn:
    """Raise BrokenPipeError as it is, all else as OutputError."""
    if isinstance(error, BrokenPipeError):
        raise error
    discard_output()
    raise OutputError(f"cannot write to standard output: {error.strerror}") from None


def discard_output() -> None:
    """Let go of what cannot be written, or the end of the process would try that again."""
    import os
    import sys

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def complain(message: str, advice: str) -> None:
    """Tell on standard error what is wrong, unless that is the journal, which has it already."""
    from autoupdate.host.log import goes_to_journal, say

    if goes_to_journal(2):
        return
    say(f"autoupdatectl: {message}")
    if advice:
        say(f"  {advice}")
