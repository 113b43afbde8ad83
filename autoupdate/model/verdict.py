"""The answer of a gate about a candidate."""

from typing import NamedTuple


class Verdict(NamedTuple):
    """Whether one gate lets a candidate pass, and why.

    `forceable`: `run --force` ignores this verdict; only for gates about time, never for signature
    checks. `warns`: the gate passes, but its reason is logged as a warning. `is_fault`: not policy,
    but something wrong on this host, so that the run fails.
    """

    gate: str
    passes: bool
    reason: str
    advice: str = ""
    forceable: bool = False
    warns: bool = False
    is_fault: bool = False
