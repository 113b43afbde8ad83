"""What the control of a failed build showed: whether the host can fetch what it could before."""

from typing import Any, NamedTuple


class Control(NamedTuple):
    """What was tried, and why it failed with which server (empty: unknown, or it did not fail)."""

    tried: tuple[str, ...]
    fault: str = ""
    server: str = ""


def read(answer: dict[str, Any]) -> Control:
    """Return a control from the worker's answer."""
    tried = answer.get("tried")
    names = tuple(map(str, tried)) if isinstance(tried, list) else ()
    return Control(names, str(answer.get("fault", "")), str(answer.get("server", "")))
