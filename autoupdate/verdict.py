"""What a gate says of a candidate."""

from typing import NamedTuple


class Verdict(NamedTuple):
    """One gate's word; `forceable`: `run --force` goes past it, as it is about time, not trust."""

    gate: str
    passes: bool
    reason: str
    advice: str = ""
    forceable: bool = False
