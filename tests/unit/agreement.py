"""Checks that `plan` predicts what `run` then does, before every run of the unit tests.

The exceptions, which no plan can know, are all named here.
"""

import os
import re
from typing import TYPE_CHECKING

from autoupdate.app import Outcome
from autoupdate.host import runtime_files
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result, Step
from autoupdate.records.records import Records
from autoupdate.reports.plan import DEFER, FAIL, NOTHING, UPDATE, Outlook
from tests.unit.guard import GUARD

if TYPE_CHECKING:
    from tests.unit.world import World

# In these steps only the build, the rehearsal, hooks, the switch and the services can fail.
AFTER_THE_GATES = (
    Step.BUILD, Step.REHEARSE, Step.ACTIVATE, Step.PROBATION, Step.ROLL_BACK, Step.DONE,
)  # fmt: skip
A_HOOK_FAILED = "the next run runs the hooks again"


def can_be_predicted(world: "World") -> bool:
    """Return whether `plan` can predict a run.

    It cannot for a run that will be killed, nor after one that was killed, because only the
    services show how that ends. Nor with a damaged state, nor for a start of a service that asks
    for no update.
    """
    if runtime_files.requests(world.paths) == {runtime_files.RECOVER}:
        return False
    killed = world.die_at or world.dead or GUARD.before_change
    whole = world.is_sound() and not os.path.exists(world.paths.relocation)
    return not killed and whole and world.records.unfinished() is None


def timeless(reason: str) -> str:
    """Return a reason without times in seconds, as some pass between plan and run."""
    return re.sub(r"-?[0-9]+ s\b", "some s", reason)


def check(predicted: Outlook, outcome: Outcome, records: Records) -> None:
    """Compare the prediction with the outcome."""
    last = records.history(1)
    step = Step(last[0].step) if last else Step.FETCH
    agrees = {
        NOTHING: outcome.result is Result.CURRENT,
        DEFER: (outcome.result, outcome.exit_code) == (Result.DEFERRED, Exit.DONE),
        FAIL: outcome.exit_code != Exit.DONE,
        UPDATE: outcome.result is Result.UPDATED
        or step in AFTER_THE_GATES
        or outcome.advice == A_HOOK_FAILED,
    }
    assert agrees[predicted.would], f"plan: {predicted}\nrun: {outcome}"
    if outcome.commit and predicted.commit:
        assert outcome.commit == predicted.commit, f"plan: {predicted}\nrun: {outcome}"
    if predicted.would == DEFER:
        assert timeless(predicted.reason) in timeless(outcome.reason), (
            f"plan: {predicted}\nrun: {outcome}"
        )
