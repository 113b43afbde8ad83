"""The parts of autoupdatectl(8) that come from its parser and its exit codes."""

import argparse
import re

from autoupdate.model.errors import Exit
from docs.man.mdoc import argument, paragraph, sentence, tagged
from docs.verbs import Verb, all_verbs

EXIT_CODES = {
    Exit.DONE: "Success: updated, already up to date, or deferred by the policy of this host.",
    Exit.FAILED: "The update failed. The last good release, if any, is in place. With `doctor`:"
    " there are problems. With `notify --test`: a message was not delivered.",
    Exit.USAGE: "The command line or a setting is invalid.",
    Exit.BROKEN: "The update and the rollback failed. Manual action is needed.",
    Exit.UNREACHABLE: "Upstream did not answer, or is not a Git repository.",
    Exit.BUSY: "Another run is under way.",
    Exit.NOT_PERMITTED: "The user is not permitted to do this. Most verbs that change something"
    " need root.",
}
# An option that more verbs than this have in common is explained only once.
COMMON = 3


def common_options() -> list[argparse.Action]:
    """Return the options and arguments that several verbs have in common."""
    seen: dict[str, list[argparse.Action]] = {}
    for verb in all_verbs().values():
        for action in verb.options:
            seen.setdefault(_identity(action), []).append(action)
    return [same[0] for same in seen.values() if len(same) > COMMON]


def verbs_section() -> list[str]:
    """Explain every verb with its own options."""
    common = {_identity(action) for action in common_options()}
    entries = []
    for verb in all_verbs().values():
        own = [action for action in verb.options if _identity(action) not in common]
        lines = paragraph(verb.meaning)
        if own:
            lines += tagged([explained(action) for action in own])
        entries.append((synopsis(verb), lines))
    return tagged(entries)


def options_section() -> list[str]:
    """Explain the common options."""
    return tagged([explained(action) for action in common_options()])


def exit_section() -> list[str]:
    """Explain every exit code."""
    return tagged([(str(int(code)), paragraph(EXIT_CODES[code])) for code in Exit])


def synopsis(verb: Verb) -> str:
    """Return how a verb is called, as arguments of .It."""
    tokens = re.findall(r"[][{}|]|[^][{}|\s]+", verb.usage)
    return " ".join([f"Cm {argument(verb.name)}", *(_macro(token) for token in tokens)])


def explained(action: argparse.Action) -> tuple[str, list[str]]:
    """Return an option or an argument as a term, and its meaning."""
    name = argument(str(action.metavar or action.dest.upper()))
    term = f"Ar {name}"
    if action.option_strings:
        term = " , ".join(f"Fl {argument(option[1:])}" for option in action.option_strings)
        term += f" Ar {name}" if action.nargs != 0 else ""
    return term, paragraph(sentence((action.help or "") % vars(action)))


def _macro(token: str) -> str:
    brackets = {"[": "Oo", "]": "Oc", "{": "Bro", "}": "Brc", "|": "|"}
    if token in brackets:
        return brackets[token]
    if token.startswith("-"):
        return f"Fl {argument(token[1:])}"
    return f"Ar {argument(token)}" if token.isupper() else f"Cm {argument(token)}"


def _identity(action: argparse.Action) -> str:
    return f"{action.option_strings} {action.metavar} {action.help}"
