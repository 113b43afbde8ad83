"""How lines of facts are laid out, and what their colours mean."""

import textwrap
from collections.abc import Sequence

WIDTH = 80
LABEL = 14
STRONG, FAINT, RED, GREEN, YELLOW = "\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[33m"
PLAIN = "\033[0m"


def coloured(text: str, colour: str) -> str:
    """Return a text in a colour."""
    return f"{colour}{text}{PLAIN}" if text else ""


def fact(label: str, text: str, colour: str = "", width: int = LABEL) -> str:
    """Return a label and a text beside it, which goes on below itself."""
    indent = " " * (2 + width)
    first, *more = wrapped(text, WIDTH - len(indent)) or [""]
    name = label if len(label) < width else f"{label} "
    padded = coloured(name, colour) + " " * (width - len(name))
    return "\n".join([f"  {padded}{first}".rstrip(), *(f"{indent}{line}" for line in more)])


def facts(label: str, texts: Sequence[str], colour: str = "") -> list[str]:
    """Return several texts beside one label."""
    return [fact("" if number else label, text, colour) for number, text in enumerate(texts)]


def advice(text: str, indent: int = 4) -> list[str]:
    """Return what to type next, in lines of its own; a command is never broken."""
    return [f"{' ' * indent}{line}" for line in wrapped(text, WIDTH - indent)] if text else []


def wrapped(text: str, width: int) -> list[str]:
    """Return a text in lines; names and commands that are longer than a line stay whole."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number of things in words."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def short(commit: str) -> str:
    """Return so much of a commit's name as people compare."""
    return commit[:12]
