"""The gates, in their order: `run` stops at the first that refuses, `plan` shows them all."""

from collections.abc import Callable, Sequence

from autoupdate.app import App
from autoupdate.gates import age, guard, hooks
from autoupdate.gates.lineage import lineage
from autoupdate.gates.moved_tags import unmoved_tag
from autoupdate.gates.signatures import GATE, signatures
from autoupdate.gates.window import window
from autoupdate.model.events import OUTSIDE_LINKS, UNSIGNED
from autoupdate.model.steps import Step
from autoupdate.model.verdict import Verdict

# A gate is asked when the commit is already in the mirror.
Gate = Callable[[App, str], Verdict]

# Is the commit upstream's, and does it descend from what was deployed here?
VERIFY: tuple[Gate, ...] = (signatures, unmoved_tag, lineage)
# Is it a sane change?
GUARD: tuple[Gate, ...] = (*guard.GATES, *age.GATES)
# May the deployed commit be built again? It passed the other gates when it was deployed.
DEPLOYED_ALREADY: tuple[Gate, ...] = (signatures,)
# May a release that is built and rehearsed be switched to now?
BEFORE_SWITCH: tuple[Gate, ...] = (window, hooks.may_run)


class RefusedError(Exception):
    """A gate refuses a commit; `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


def pass_all(gates: Sequence[Gate], app: App, commit: str, *, force: bool) -> None:
    """Raise RefusedError for the first gate that refuses; `force` ignores forceable verdicts."""
    for gate in gates:
        verdict = gate(app, commit)
        if not verdict.passes and not (force and verdict.forceable):
            raise RefusedError(verdict)
        if verdict.warns:
            kind = UNSIGNED if verdict.gate == GATE else OUTSIDE_LINKS
            app.tell(kind, f"{app.name}: {verdict.reason}", commit=commit, step=Step.VERIFY)
