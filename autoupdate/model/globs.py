"""Globs for paths in a repository: as in a shell, and `**` for any number of directories."""

import re


def is_glob(pattern: str) -> bool:
    """Return whether a pattern may match anything but itself."""
    return re.search(r"[*?\[]", pattern) is not None


def as_expression(pattern: str) -> str:
    """Return the regular expression of a glob: `*` and `?` match no slash, `**/` directories."""
    parts = re.findall(r"\*\*/|\*+|\?|\[!?[^\[\]/]+\]|.", pattern, re.DOTALL)
    return "(?s:" + "".join(map(_expression_of, parts)) + ")"


def _expression_of(part: str) -> str:
    if part == "**/":
        return "(?:.*/)?"
    if part.startswith("*"):
        return "[^/]*" if part == "*" else ".*"
    if part == "?":
        return "[^/]"
    if len(part) > 1:
        # Of a set, only ! and ranges have a meaning in globs.
        inner = part[1:-1].replace("\\", "\\\\").replace("^", "\\^").replace("&", "\\&")
        return f"(?!/)[{'^' + inner[1:] if inner.startswith('!') else inner}]"
    return re.escape(part)
