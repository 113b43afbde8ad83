"""The gates that a candidate passes, in their order: `run` obeys them, `plan` shows them."""

from collections.abc import Callable, Sequence

from autoupdate.app import App
from autoupdate.gates import age, guard, hooks
from autoupdate.gates.lineage import lineage
from autoupdate.gates.moved_tags import unmoved_tag
from autoupdate.gates.signatures import signatures
from autoupdate.gates.window import window
from autoupdate.model.events import UNSIGNED
from autoupdate.model.steps import Step
from autoupdate.model.verdict import Verdict

# Looks at a commit; the mirror has it already.
Gate = Callable[[App, str], Verdict]

# Whether a commit is upstream's, and comes after what was deployed here.
VERIFY: tuple[Gate, ...] = (signatures, unmoved_tag, lineage)
# Whether it is a sane change to take.
GUARD: tuple[Gate, ...] = (*guard.GATES, *age.GATES)
# Whether the commit that is deployed may be built once more: it passed the others when it came.
DEPLOYED_ALREADY: tuple[Gate, ...] = (signatures,)
# Whether a release that is built and rehearsed may be switched to now.
BEFORE_SWITCH: tuple[Gate, ...] = (window, hooks.may_run)


class RefusedError(Exception):
    """A gate does not let a commit pass; `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


def pass_all(gates: Sequence[Gate], app: App, commit: str, *, force: bool) -> None:
    """Raise RefusedError for the first gate that does not let a commit pass, even if forced."""
    for gate in gates:
        verdict = gate(app, commit)
        if not verdict.passes and not (force and verdict.forceable):
            raise RefusedError(verdict)
        if verdict.warns:
            app.tell(UNSIGNED, f"{app.name}: {verdict.reason}", commit=commit, step=Step.VERIFY)
