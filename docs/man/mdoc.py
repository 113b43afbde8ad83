"""The little of mdoc(7) that the generated parts of the pages are written in."""

import re
import textwrap


def escape(text: str) -> str:
    """Return a line that mdoc takes for nothing but text."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def paragraph(text: str) -> list[str]:
    """Return prose as mdoc wants it: a sentence begins a line, words in `...` are bold."""
    lines = []
    for part in re.split(r"(?<=[.!?])\s+(?=[A-Z])", text.strip()):
        bold = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", escape(part))
        wrapped = textwrap.wrap(bold, 78, break_long_words=False, break_on_hyphens=False)
        lines += [f"\\&{line}" if line.startswith((".", "'")) else line for line in wrapped]
    return lines


def argument(text: str) -> str:
    """Return one argument of a macro, whatever is in it."""
    # The zero-width character keeps words such as "No" from being taken for a macro.
    return '"\\&' + escape(text).removeprefix("\\&").replace('"', "\\(dq") + '"'


def tagged(entries: list[tuple[str, list[str]]]) -> list[str]:
    """Return a list of terms, each the arguments of .It, with the lines that explain them."""
    lines = [".Bl -tag -width Ds"]
    for term, explanation in entries:
        lines += [f".It {term}", *explanation]
    return [*lines, ".El"]


def sentence(text: str) -> str:
    """Return a phrase with a capital at its beginning and a full stop at its end."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"
