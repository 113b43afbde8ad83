"""`plan` agrees with what `run` then does: asked before every run of the unit tests.

What no plan can know is named here, and nothing else is left out.
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

# Only the build, the rehearsal, hooks, the switch and the services themselves can fail there.
AFTER_THE_GATES = (
    Step.BUILD, Step.REHEARSE, Step.ACTIVATE, Step.PROBATION, Step.ROLL_BACK, Step.DONE,
)  # fmt: skip
A_HOOK_SAID_NO = "the next run asks the hooks again"


def can_be_foretold(world: "World") -> bool:
    """Tell whether a run can be foretold.

    Not one that will be killed, nor one that first ends what a killed one left: what becomes of
    that, only its services can show. A state that is damaged is not read. Nor one for a start of a
    service that asks for no update.
    """
    if runtime_files.requests(world.paths) == {runtime_files.RECOVER}:
        return False
    killed = world.die_at or world.dead or GUARD.before_change
    whole = world.is_sound() and not os.path.exists(world.paths.relocation)
    return not killed and whole and world.records.unfinished() is None


def timeless(reason: str) -> str:
    """Return a reason without the seconds that pass between plan and run."""
    return re.sub(r"-?[0-9]+ s\b", "some s", reason)


def check(foretold: Outlook, outcome: Outcome, records: Records) -> None:
    """Compare what was foretold with what came."""
    last = records.history(1)
    step = Step(last[0].step) if last else Step.FETCH
    agrees = {
        NOTHING: outcome.result is Result.CURRENT,
        DEFER: (outcome.result, outcome.exit_code) == (Result.DEFERRED, Exit.DONE),
        FAIL: outcome.exit_code != Exit.DONE,
        UPDATE: outcome.result is Result.UPDATED
        or step in AFTER_THE_GATES
        or outcome.advice == A_HOOK_SAID_NO,
    }
    assert agrees[foretold.would], f"plan: {foretold}\nrun: {outcome}"
    if outcome.commit and foretold.commit:
        assert outcome.commit == foretold.commit, f"plan: {foretold}\nrun: {outcome}"
    if foretold.would == DEFER:
        assert timeless(foretold.reason) in timeless(outcome.reason), (
            f"plan: {foretold}\nrun: {outcome}"
        )
