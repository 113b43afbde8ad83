"""The gates that a candidate passes, in their order: `run` obeys them, `plan` shows them."""

from collections.abc import Callable, Sequence

from autoupdate.app import App
from autoupdate.gates import guard, hooks
from autoupdate.gates.lineage import lineage, unmoved_tag
from autoupdate.gates.signatures import signatures
from autoupdate.gates.window import window
from autoupdate.model.events import UNSIGNED
from autoupdate.model.steps import Step
from autoupdate.model.verdict import Verdict

# Looks at a commit; the mirror has it already.
Gate = Callable[[App, str], Verdict]

# Whether a commit may be built: verify and guard.
BEFORE_BUILD: tuple[Gate, ...] = (signatures, unmoved_tag, lineage, *guard.GATES)
# Whether the commit that is deployed may be built once more: it passed the others when it came.
DEPLOYED_ALREADY: tuple[Gate, ...] = (signatures,)
# Whether a release that is built and rehearsed may be switched to now.
BEFORE_SWITCH: tuple[Gate, ...] = (window, hooks.may_run)


def first_refusal(gates: Sequence[Gate], app: App, commit: str, *, force: bool) -> Verdict | None:
    """Return the word of the first gate that does not let a commit pass; None when all do."""
    for gate in gates:
        verdict = gate(app, commit)
        if not verdict.passes and not (force and verdict.forceable):
            return verdict
        if verdict.warns:
            app.tell(UNSIGNED, f"{app.name}: {verdict.reason}", commit=commit, step=Step.VERIFY)
    return None
