"""What the words of a command line are: fixed words, apps, releases, directories."""

import argparse

from docs.verbs import Verb

# Placeholders in a usage that can be completed, and what the scripts call their values.
KINDS = {"APP": "apps", "OLD": "apps", "RELEASE": "releases", "PATH": "directories"}


def kinds_of(verbs: list[Verb]) -> list[str]:
    """Return the kinds of values that can be completed after some verbs."""
    named = [word for verb in verbs for word in verb.arguments]
    return [*dict.fromkeys(KINDS[word] for word in named if word in KINDS)]


def words_of(verbs: list[Verb]) -> list[str]:
    """Return the fixed words that may follow some verbs."""
    named = [word for verb in verbs for word in [*verb.below, *verb.arguments]]
    return [*dict.fromkeys(word for word in named if not word.isupper())]


def names_of(verb: Verb) -> list[str]:
    """Return the options of a verb as they are typed."""
    return [name for action in verb.options for name in action.option_strings]


def kind_of(action: argparse.Action) -> str:
    """Return the kind of an option's value; empty if it cannot be completed."""
    return KINDS.get(str(action.metavar or action.dest.upper()), "")
