"""What a gate says of a candidate."""

from typing import NamedTuple


class Verdict(NamedTuple):
    """One gate's word.

    `forceable`: `run --force` goes past it, as it is about time, not trust. `warns`: it passes,
    and yet its reason is worth a warning.
    """

    gate: str
    passes: bool
    reason: str
    advice: str = ""
    forceable: bool = False
    warns: bool = False
