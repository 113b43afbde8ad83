"""How a run ends when any gate refuses the commit."""

from functools import partial

import pytest

from autoupdate.app import App
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from autoupdate.model.verdict import Verdict
from autoupdate.reports import plan
from autoupdate.update import activate, update
from tests.unit.effects import commit
from tests.unit.world import World


def refuses(app: App, commit: str) -> Verdict:
    """Refuse every commit."""
    return Verdict("test", passes=False, reason="not today", advice="wait", forceable=True)


@pytest.mark.parametrize("place", ["GUARD", "BEFORE_SWITCH"])
def test_a_gate_that_refuses(world: World, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, place, (refuses,))
    if place == "GUARD":
        stricter = partial(update.make_release, guarded_by=(refuses,))
        monkeypatch.setattr(update, "make_release", stricter)
    else:
        monkeypatch.setattr(activate, place, (refuses,))
    first = world.deploy(1)
    assert (first.result, first.exit_code) == (Result.FAILED, Exit.FAILED)
    assert "nothing is deployed" in first.reason
    assert world.run(force=True).result is Result.UPDATED
    later = world.deploy(2)
    assert (later.result, later.exit_code, later.advice) == (Result.DEFERRED, Exit.DONE, "wait")
    assert "not today" in later.reason
    assert world.current_commit() == commit(1)
    assert world.records.quarantined() == []
    world.assert_whole()
