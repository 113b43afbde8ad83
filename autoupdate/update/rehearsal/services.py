"""Starts the services of a new release in a sandbox, before those that run are touched."""

from autoupdate.app import App
from autoupdate.host.rehearsal.watch import SHORT_OF_MEMORY, Fault
from autoupdate.model.commits import short
from autoupdate.model.errors import HostFaultError, UpdateFailedError
from autoupdate.model.events import REHEARSED, STEP
from autoupdate.model.steps import Step
from autoupdate.records.rows import Release
from autoupdate.update.rehearsal.choice import OFF, Choice, choose, in_words, set_fault

ADVICE = (
    "if production allows what it needed, see docs/operation.md, Rehearsals: rehearse.services"
    ' = "off", then autoupdatectl run --force'
)


def rehearse_services(app: App, release: Release) -> None:
    """Rehearse the services of a release. Raises UpdateFailedError if it is to blame.

    That is, if something fails in it twice, and not in the deployed release in the same sandbox.
    What fails there, too, does not take part any more; what cannot be judged is a warning.
    """
    if app.settings.rehearse.services == OFF:
        return
    try:
        choice = choose(app)
        say(app, release, in_words(choice))
        while choice.services:
            fault = perform(app, release.id, choice)
            if fault is None:
                return
            subject = judge(app, release, choice, fault)
            if not subject:
                return
            choice = choice.without(subject)
    except HostFaultError as error:
        warn(app, release, f"the services cannot be rehearsed: {error.message}")


def judge(app: App, release: Release, choice: Choice, fault: Fault) -> str:
    """Return what must not take part any more, as the release is not to blame; "" if all passed.

    Raises UpdateFailedError if it is.
    """
    if fault.doubt:
        warn(app, release, f"{fault.subject} is not rehearsed further: {fault}; this is not held"
                           f" against the commit, because {fault.doubt}")  # fmt: skip
        return fault.subject
    say(app, release, f"{fault}; the deployed release {choice.deployed} is tried in the same way")
    old = perform(app, choice.deployed, choice)
    if old:
        warn(app, release, f"{old.subject} is not rehearsed from now on, as it fails with the"
                           f" deployed release, too: {old}")  # fmt: skip
        if old.doubt != SHORT_OF_MEMORY:
            set_fault(app, old.subject, str(old))
        return old.subject
    again = perform(app, release.id, choice)
    if again is None:
        warn(app, release, f"{fault}; at a second try it passed")
        return ""
    if again.doubt:
        return judge(app, release, choice, again)
    raise UpdateFailedError(
        f"{again} (in a sandbox, before the switch; the deployed release runs there)", ADVICE
    )


def perform(app: App, release: str, choice: Choice) -> Fault | None:
    """Rehearse a release; return the first fault. Raises HostFaultError."""
    return app.host.rehearsals.perform(release, choice.services, choice.probes, choice.time)


def say(app: App, release: Release, what: str) -> None:
    """Log a step of the rehearsal."""
    app.tell(STEP, f"{app.name}: rehearsal of commit {short(release.commit)}: {what}",
             commit=release.commit, release=release.id, step=Step.REHEARSE)  # fmt: skip


def warn(app: App, release: Release, what: str) -> None:
    """Log something that the administrator may want to know."""
    app.tell(REHEARSED, f"{app.name}: rehearsal of commit {short(release.commit)}: {what}",
             commit=release.commit, release=release.id, step=Step.REHEARSE)  # fmt: skip
