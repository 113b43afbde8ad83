"""How lines of facts are laid out, and what their colours mean."""

import re
import textwrap
from collections.abc import Sequence

WIDTH = 80
LABEL = 14
STRONG, FAINT, RED, GREEN, YELLOW = "\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[33m"
PLAIN = "\033[0m"
# What when.py makes stays on one line; textwrap does not break at a no-break space.
TIME = re.compile(
    r"(?:[0-9,]+ (?:s|min|h|days?) ago|in [0-9,]+ (?:s|min|h|days?)) \([^)]*\)"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}"
)
NO_BREAK = "\u00a0"


def coloured(text: str, colour: str) -> str:
    """Return a text in a colour."""
    return f"{colour}{text}{PLAIN}" if text else ""


def fact(label: str, text: str, colour: str = "", width: int = LABEL) -> str:
    """Return a label and a text next to it; its further lines are indented like the first one."""
    indent = " " * (2 + width)
    first, *more = wrapped(text, WIDTH - len(indent)) or [""]
    name = label if len(label) < width else f"{label} "
    padded = coloured(name, colour) + " " * (width - len(name))
    return "\n".join([f"  {padded}{first}".rstrip(), *(f"{indent}{line}" for line in more)])


def facts(label: str, texts: Sequence[str], colour: str = "") -> list[str]:
    """Return several texts next to one label, each on a line of its own."""
    return [fact("" if number else label, text, colour) for number, text in enumerate(texts)]


def advice(text: str, indent: int = 4) -> list[str]:
    """Return what to do next, on lines of its own."""
    return [f"{' ' * indent}{line}" for line in wrapped(text, WIDTH - indent)] if text else []


def wrapped(text: str, width: int) -> list[str]:
    """Return a text in lines; times, and words that are longer than a line, are not broken."""
    text = TIME.sub(lambda found: found[0].replace(" ", NO_BREAK), text)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(NO_BREAK, " ") for line in lines]
