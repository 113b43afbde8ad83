"""The steps of a transaction and the transitions between them; pure, without effects."""

from enum import StrEnum


class Step(StrEnum):
    """The step that a transaction is in; each is recorded before it begins."""

    FETCH = "fetch"
    VERIFY = "verify"
    BUILD = "build"
    REHEARSE = "rehearse"
    ACTIVATE = "activate"
    PROBATION = "probation"
    ROLL_BACK = "roll-back"
    DONE = "done"


class Result(StrEnum):
    """How a run, or a transaction, ended."""

    UPDATED = "updated"
    CURRENT = "current"
    DEFERRED = "deferred"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    BROKEN = "broken"
    INTERRUPTED = "interrupted"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    GIVEN_BACK = "given-back"


NEXT = {
    Step.FETCH: {Step.VERIFY, Step.DONE},
    # A release that waited for a window is built already.
    Step.VERIFY: {Step.BUILD, Step.ACTIVATE, Step.DONE},
    Step.BUILD: {Step.REHEARSE, Step.DONE},
    Step.REHEARSE: {Step.ACTIVATE, Step.DONE},
    Step.ACTIVATE: {Step.PROBATION, Step.ROLL_BACK},
    Step.PROBATION: {Step.DONE, Step.ROLL_BACK},
    Step.ROLL_BACK: {Step.DONE},
    Step.DONE: set(),
}


class Remedy(StrEnum):
    """How the next run ends a transaction whose run died; the log shows the value."""

    DISCARD = "discarding what is unfinished"
    WATCH = "continuing the probation"
    ROLL_BACK = "finishing the rollback"


def may_follow(step: Step, following: Step) -> bool:
    """Return whether a transaction may enter a step after another one."""
    return following in NEXT[step]


def remedy(step: Step, *, switched: bool) -> Remedy:
    """Choose how to end an interrupted transaction; `switched`: its release is the current one."""
    if step is Step.ROLL_BACK:
        return Remedy.ROLL_BACK
    return Remedy.WATCH if switched else Remedy.DISCARD
