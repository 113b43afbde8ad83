"""Reads the verbs from the parser of autoupdatectl, for the manual page and shell completion."""

import argparse
import re
from functools import partial
from typing import NamedTuple

from autoupdate.cli.parser import parser


class Verb(NamedTuple):
    """One verb, also one of two words such as "config show"."""

    name: str
    meaning: str
    usage: str
    """What may follow the name, such as "[--force] [APP]", without --help."""
    options: list[argparse.Action]
    """Its options and arguments, without --help and without the words below it."""
    below: list[str]
    """The words that may follow it as verbs of their own, as "show" follows "config"."""

    @property
    def arguments(self) -> list[str]:
        """The words that may follow; those in capitals are placeholders."""
        return re.findall(
            r"(?<![A-Za-z-])[A-Za-z][A-Za-z-]*", re.sub(r"\[-[^]]*\]", "", self.usage)
        )


def all_verbs() -> dict[str, Verb]:
    """Return every verb by its name, in the order of the parser."""
    return {verb.name: verb for verb in _below(parser(), "")}


def first_words() -> dict[str, str]:
    """Return the verbs that follow the command itself, with their meaning."""
    return {verb.name: verb.meaning for verb in all_verbs().values() if " " not in verb.name}


def _below(of: argparse.ArgumentParser, name: str) -> list[Verb]:
    found = []
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                full = f"{name} {word}".strip()
                found += [_verb(full, inner), *_below(inner, full)]
    return found


def _verb(name: str, of: argparse.ArgumentParser) -> Verb:
    # The usage must be one line, independent of the width of the terminal.
    of.formatter_class = partial(argparse.HelpFormatter, width=10_000)
    usage = of.format_usage().partition(f"autoupdatectl {name}")[2]
    usage = " ".join(usage.replace("[-h]", "").replace("...", "").split())
    inner = [action for action in of._actions if isinstance(action, argparse._SubParsersAction)]
    skipped = (argparse._SubParsersAction, argparse._HelpAction)
    options = [action for action in of._actions if not isinstance(action, skipped)]
    return Verb(name, of.description or "", usage, options, [*inner[0].choices] if inner else [])
