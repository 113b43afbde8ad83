"""What the words of the command line stand for."""

import argparse

from docs.verbs import Verb

# Names in a usage for which there is something to offer, and what that is called in the scripts.
KINDS = {"APP": "apps", "RELEASE": "releases", "PATH": "directories"}


def kinds_of(verbs: list[Verb]) -> list[str]:
    """Return what may be named after some verbs."""
    named = [word for verb in verbs for word in verb.arguments]
    return [*dict.fromkeys(KINDS[word] for word in named if word in KINDS)]


def words_of(verbs: list[Verb]) -> list[str]:
    """Return the words that may follow some verbs and are typed as they are."""
    named = [word for verb in verbs for word in [*verb.below, *verb.arguments]]
    return [*dict.fromkeys(word for word in named if not word.isupper())]


def names_of(verb: Verb) -> list[str]:
    """Return the options of a verb as they are typed."""
    return [name for action in verb.options for name in action.option_strings]


def kind_of(action: argparse.Action) -> str:
    """Return what may be named as the value of an option; empty if nothing is known."""
    return KINDS.get(str(action.metavar or action.dest.upper()), "")
