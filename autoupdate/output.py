"""Prints what a verb has to say: facts as JSON or in words, and what is wrong."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autoupdate.errors import Exit

if TYPE_CHECKING:
    from argparse import Namespace

    from autoupdate.app import Outcome


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
        print(outcome.reason)
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
    print(text)


def print_json(facts: Any) -> None:
    """Print facts as JSON."""
    import json

    print(json.dumps(facts, indent=2))


def complain(message: str, advice: str) -> None:
    """Tell on standard error what is wrong, unless that is the journal, which has it already."""
    from autoupdate.log import goes_to_journal, say

    if goes_to_journal(2):
        return
    say(f"autoupdatectl: {message}")
    if advice:
        say(f"  {advice}")
