"""The steps of a transaction, and how an interrupted one is ended."""

import pytest

from autoupdate.model.steps import NEXT, Remedy, Step, may_follow, remedy


def test_every_step_can_be_reached_and_left() -> None:
    assert set(NEXT) == set(Step)
    reached, pending = {Step.FETCH}, [Step.FETCH]
    while pending:
        new = NEXT[pending.pop()] - reached
        reached |= new
        pending += new
    assert reached == set(Step)
    assert [step for step in Step if not NEXT[step]] == [Step.DONE]


@pytest.mark.parametrize(
    ("step", "following"),
    [
        (Step.FETCH, Step.ACTIVATE),
        (Step.FETCH, Step.BUILD),
        (Step.BUILD, Step.ACTIVATE),
        (Step.BUILD, Step.PROBATION),
        (Step.BUILD, Step.ROLL_BACK),
        (Step.ACTIVATE, Step.BUILD),
        (Step.PROBATION, Step.ACTIVATE),
        (Step.ROLL_BACK, Step.PROBATION),
        (Step.DONE, Step.FETCH),
    ],
)
def test_forbidden_transition(step: Step, following: Step) -> None:
    assert not may_follow(step, following)


def test_a_switched_release_is_watched_or_rolled_back_never_dropped() -> None:
    for step in set(Step) - {Step.DONE}:
        cure = remedy(step, switched=True)
        assert cure is (Remedy.ROLL_BACK if step is Step.ROLL_BACK else Remedy.WATCH)


@pytest.mark.parametrize(
    "step", [Step.FETCH, Step.VERIFY, Step.BUILD, Step.REHEARSE, Step.ACTIVATE]
)
def test_a_release_that_was_not_switched_to_is_discarded(step: Step) -> None:
    assert remedy(step, switched=False) is Remedy.DISCARD


def test_a_rollback_is_finished_even_when_it_switched_already() -> None:
    assert remedy(Step.ROLL_BACK, switched=False) is Remedy.ROLL_BACK
