"""plan: what a run would do now, and what would stop it.

It calls the same functions as `run`, in the same order, and fetches into the mirror as `run` does.
After a gate that says no it goes on, to show the others. It writes only to a copy of the state in
memory. A run can still fail at the build, at the rehearsal or in the services.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from autoupdate.app import App
from autoupdate.gates.attempts import nothing_to_do
from autoupdate.gates.hold import held, in_words
from autoupdate.gates.order import BEFORE_SWITCH, GUARD, VERIFY, Gate, RefusedError
from autoupdate.gates.runnable import check_executable, is_complete, useless_current
from autoupdate.gates.space import check_space
from autoupdate.host.links import linked_release
from autoupdate.model.changes import Changes, Forecast
from autoupdate.model.commits import short
from autoupdate.model.errors import (
    AutoupdateError,
    NoCandidateError,
    UpdateFailedError,
)
from autoupdate.model.events import Event
from autoupdate.model.steps import Result
from autoupdate.model.verdict import Verdict
from autoupdate.records import hold, pin
from autoupdate.update.check import claim_path, look_upstream
from autoupdate.update.failure import refuse_failed_environment
from autoupdate.update.fetch import fetch_safely, why, with_sound_mirror
from autoupdate.update.probation import ours, refuse_dynamic_users, try_probes
from autoupdate.update.rehearsal.choice import choose
from autoupdate.update.rehearsal.choice import in_words as in_words_of_choice
from autoupdate.update.retention import find_staged
from autoupdate.worker.building import Plan

UPDATE, NOTHING, DEFER, FAIL = "update", "nothing", "defer", "fail"


class Outlook(NamedTuple):
    """What a run would do: `would` is one of update, nothing, defer, fail; `reason` says why.

    `release` was built by an earlier run and not switched to yet; `services` would be restarted.
    """

    app: str
    deployed: str
    commit: str
    release: str
    would: str
    reason: str
    advice: str
    gates: tuple[Verdict, ...]
    changes: Changes | None
    environment: Forecast | None
    services: tuple[str, ...]


def plan(app: App, *, trigger: str = "manual", force: bool = False) -> Outlook:
    """Return what a run would do now. The caller holds the app's lock."""
    planner = Planner(app, trigger=trigger, force=force)
    try:
        planner.ask_all()
    except NoCandidateError as error:
        planner.refused(Verdict("upstream", False, error.message, error.advice))
    except AutoupdateError as error:
        planner.failed(error)
    if planner.would and useless_current(app.paths, app.settings.build.python, app.records):
        try:
            planner.ask_about_renewal()
        except AutoupdateError as error:
            planner.failed(error)
    return planner.outlook()


class Silence:
    """A log of which nothing is kept."""

    def write(self, event: Event) -> None:
        """Do nothing."""


class Planner:
    """Collects the verdicts of the gates; the first one that says no decides."""

    def __init__(self, app: App, *, trigger: str, force: bool) -> None:
        self.app = app._replace(records=app.records.in_memory())
        self.trigger, self.force = trigger, force
        release = linked_release(app.paths.current)
        current = app.records.release(release) if release else None
        self.is_deployed = bool(release) and is_complete(app.paths, release)
        self.deployed = current.commit if current else ""
        self.asking = ""
        """The gate that is asked now; an error belongs to it."""
        self.gates: list[Verdict] = []
        self.would = self.reason = self.advice = self.commit = self.release = ""
        self.changes: Changes | None = None
        self.environment: Forecast | None = None
        self.because = ""
        self.services: tuple[str, ...] = ()

    def ask_all(self) -> None:
        """Ask everything that `update` asks before the switch. Raises what `update` would raise."""
        app = self.app
        self.look_for_interruption()
        self.ask_hold()
        self.asking = "path"
        claim_path(app)
        self.asking = "upstream"
        self.commit = look_upstream(app)
        self.passed(self.whose_word())
        if self.is_done():
            return
        self.fetch()
        self.ask(VERIFY + GUARD)
        if not self.release:
            self.look_at_build()
        self.ask_to_switch()

    def ask_to_switch(self) -> None:
        """Ask the gates right before the switch, and which services would be restarted."""
        self.ask(BEFORE_SWITCH)
        self.look("services", refuse_dynamic_users)
        self.look("probe", partial(try_probes, force=self.force))
        running = ours(self.app, self.app.host.services.look(self.app.settings.services))
        self.services = tuple(
            service.name for service in running if service.runs and not service.is_task
        )

    def look(self, asking: str, refuse: Callable[[App], None]) -> None:
        """Do what `update` does right before the switch, and may refuse it."""
        self.asking = asking
        try:
            # What they report belongs to an update.
            refuse(self.app._replace(log=Silence()))
        except RefusedError as refused:
            self.refused(refused.verdict)
        else:
            self.passed("none stops the update")

    def ask_about_renewal(self) -> None:
        """Ask what `rebuild` asks: the current release cannot run, and there is no newer one.

        Raises what `rebuild` would raise.
        """
        app, self.asking = self.app, "renewal"
        self.would = self.reason = self.advice = self.release = ""
        self.commit = self.deployed
        nothing = nothing_to_do(app, self.commit, self.trigger, force=self.force)
        if nothing:
            self.deferred(nothing.reason, nothing.advice)
            return
        self.passed(f"the current release cannot run: commit {short(self.commit)} is built again")
        self.force = True
        self.ask(VERIFY + GUARD)
        self.look_at_build()
        self.ask_to_switch()

    def look_for_interruption(self) -> None:
        """Note an interrupted update or adoption: a run would first finish or undo it."""
        self.asking = "interruption"
        transaction = self.app.records.unfinished()
        if transaction:
            self.passed(
                f"an update to commit {short(transaction.commit)} was interrupted in step"
                f" {transaction.step}; the next run finishes or undoes it first"
            )
        elif os.path.exists(self.app.paths.relocation):
            self.passed("an adoption was interrupted; the next run finishes or undoes it first")

    def ask_hold(self) -> None:
        """Ask whether there is a hold."""
        self.asking = "hold"
        on_hold, found = held(self.app), hold.read(self.app.records)
        if on_hold and found:
            self.deferred(f"on hold {in_words(found)}", on_hold.advice)
        else:
            self.passed("none")

    def whose_word(self) -> str:
        """Say where the commit comes from: the track, or a pin."""
        if pin.find(self.app.records):
            return f"not asked: commit {short(self.commit)} is pinned"
        return f"{self.app.settings.upstream.track} is at commit {short(self.commit)}"

    def is_done(self) -> bool:
        """Ask whether the commit is deployed already, or may not be tried again yet."""
        app, self.asking = self.app, "earlier attempts"
        nothing = nothing_to_do(app, self.commit, self.trigger, force=self.force)
        if nothing is None:
            # There may be some: they are long ago, or --force ignores them.
            self.passed("none that prevents the update")
            if self.commit == self.deployed:
                self.because = why(app, self.commit)
            return False
        if nothing.result is Result.CURRENT:
            self.would = self.would or NOTHING
            self.reason = self.reason or nothing.reason
            self.passed("the commit is already deployed")
            return True
        self.deferred(nothing.reason, nothing.advice, forceable=True)
        return False

    def fetch(self) -> None:
        """Fetch the commit into the mirror, unless it is already built."""
        app, self.asking = self.app, "fetch"
        staged = find_staged(app, self.commit)
        if staged:
            self.release = staged.id
            self.passed(f"release {staged.id} is already built")
        else:
            asked_for = self.commit
            self.commit = fetch_safely(app, asked_for)
            self.passed("the commit is in the mirror")
            if self.commit != asked_for and self.is_done():
                return
        with suppress(UpdateFailedError):
            self.changes = app.worker.compare(self.commit, self.deployed)

    def look_at_build(self) -> None:
        """Ask whether the same dependencies failed lately, and whether there is enough space."""
        app, self.asking = self.app, "mount"
        check_executable(app.host.noexec(app.paths), app.paths)
        self.asking = "environment"
        made = app.worker.forecast(self.commit, self.deployed, app.settings.build)
        self.environment = made
        if not self.force:
            refuse_failed_environment(app, made.asked)
        self.passed("reused from an earlier release" if made.reused else "a new one is built")
        self.asking = "space"
        plan = Plan(made.key, made.interpreter, made.reused, made.free, made.asked)
        check_space(app.records.releases(), plan)
        self.passed(f"{made.free >> 20:,} MiB free")
        self.asking = "rehearsal"
        self.passed(in_words_of_choice(choose(app)))

    def ask(self, gates: tuple[Gate, ...]) -> None:
        """Ask some gates about the commit."""
        for gate in gates:
            self.asking = "mirror"
            verdict = with_sound_mirror(self.app, self.commit, partial(gate, self.app, self.commit))
            if verdict.passes:
                self.gates.append(verdict)
            else:
                self.refused(verdict)

    def passed(self, reason: str) -> None:
        """Note that the gate that is asked now lets the update pass."""
        self.gates.append(Verdict(self.asking, True, reason))

    def deferred(self, reason: str, advice: str, *, forceable: bool = False) -> None:
        """Note that the gate that is asked now defers the update."""
        reason = reason.removeprefix(f"{self.app.name}: ")
        self.stop(DEFER, Verdict(self.asking, False, reason, advice, forceable))

    def refused(self, verdict: Verdict) -> None:
        """Note that a gate says no: the update is deferred, or fails if nothing is deployed."""
        self.stop(DEFER if self.is_deployed and not verdict.is_fault else FAIL, verdict)

    def failed(self, error: AutoupdateError) -> None:
        """Note that a run would end with an error."""
        self.stop(FAIL, Verdict(self.asking, False, error.message, error.advice))

    def stop(self, would: str, verdict: Verdict) -> None:
        """Note a verdict that stops a run, unless --force ignores it."""
        self.gates.append(verdict)
        if not self.would and not (self.force and verdict.forceable):
            self.would, self.reason, self.advice = would, verdict.reason, verdict.advice

    def outlook(self) -> Outlook:
        """Return what a run would do."""
        would, reason = self.would or UPDATE, self.reason.removeprefix(f"{self.app.name}: ")
        if would == UPDATE:
            reason = f"nothing prevents the update to commit {short(self.commit)}"
            reason = self.because or reason
        return Outlook(
            self.app.name, self.deployed, self.commit, self.release, would, reason, self.advice,
            tuple(self.gates), self.changes, self.environment, self.services,
        )  # fmt: skip
