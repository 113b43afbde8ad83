"""Writes the parts of mdoc(7) that the generated sections use."""

import re
import textwrap


def escape(text: str) -> str:
    """Return a line that mdoc takes as plain text."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def paragraph(text: str) -> list[str]:
    """Return prose for mdoc: each sentence begins a line, words in `...` are bold."""
    lines = []
    for part in re.split(r"(?<=[.!?])\s+(?=[A-Z{`])", text.strip()):
        bold = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", escape(part))
        wrapped = textwrap.wrap(bold, 78, break_long_words=False, break_on_hyphens=False)
        lines += [f"\\&{line}" if line.startswith((".", "'")) else line for line in wrapped]
    return lines


def argument(text: str) -> str:
    """Return a text as one quoted argument of a macro."""
    # The zero-width character keeps mdoc from reading words such as "No" as a macro.
    return '"\\&' + escape(text).removeprefix("\\&").replace('"', "\\(dq") + '"'


def tagged(entries: list[tuple[str, list[str]]]) -> list[str]:
    """Return a tagged list: each term (the arguments of .It) with the lines that explain it."""
    lines = [".Bl -tag -width Ds"]
    for term, explanation in entries:
        lines += [f".It {term}", *explanation]
    return [*lines, ".El"]


def sentence(text: str) -> str:
    """Return a phrase as a sentence: with a capital letter and a full stop."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"
