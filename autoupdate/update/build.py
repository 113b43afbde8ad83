"""build: makes a release in its final directory, with its environment, while the old one runs."""

from autoupdate.app import App
from autoupdate.config import applied
from autoupdate.gates.guard import tell_left_out
from autoupdate.gates.runnable import check_executable, is_usable
from autoupdate.gates.space import check_space, needed
from autoupdate.host.links import linked_release
from autoupdate.model.control import Control
from autoupdate.model.errors import (
    AutoupdateError,
    DependenciesFailedError,
    HostFaultError,
    UnreachableError,
    UpdateFailedError,
)
from autoupdate.model.events import REHEARSED, STEP
from autoupdate.model.steps import Step
from autoupdate.records import network_trouble
from autoupdate.records.rows import Release, Transaction
from autoupdate.update.failure import refuse_failed_environment, remember_environment
from autoupdate.update.fetch import with_sound_mirror
from autoupdate.update.retention import free_spare, make_room


def build(
    app: App, transaction: Transaction, signer: str, *, newest: bool = False, force: bool
) -> Release:
    """Build a release of the commit, which `signer` signed, and return it.

    Packages that fit keep their versions, unless the `newest` are wanted.
    Raises UpdateFailedError, HostFaultError, UnreachableError.
    """
    commit, release = transaction.commit, transaction.release
    settings = app.settings.build
    check_executable(app.host.noexec(app.paths), app.paths)
    app.records.enter(transaction.id, Step.BUILD, app.clock.now())
    app.tell(STEP, f"{app.name}: building release {release}",
             commit=commit, release=release, step=Step.BUILD)  # fmt: skip
    with_sound_mirror(app, commit, lambda: app.worker.check_out(release, commit))
    tell_left_out(app, commit)
    app.worker.add_submodules(
        release, commit, app.settings.upstream, app.settings.guard.max_release
    )
    plan = app.worker.plan(release, settings)
    if plan.environment and free_spare(app, plan.environment):
        plan = app.worker.plan(release, settings)
    if plan.free < needed(app.records.releases(), plan) and make_room(app):
        plan = app.worker.plan(release, settings)
    check_space(app.records.releases(), plan)
    if not force:
        refuse_failed_environment(app, plan.asked)
    app.host.provide_shared(release)
    deployed = app.records.release(linked_release(app.paths.current))
    try:
        made = app.worker.build(
            release,
            app.settings.shared,
            settings,
            deployed.environment if deployed else "",
            deployed.id if deployed else "",
            newest=newest,
        )
    except UpdateFailedError as error:
        fault = with_control(app, transaction, error)
        if isinstance(fault, DependenciesFailedError):
            remember_environment(app, transaction, plan.asked, fault)
        raise fault from None
    # All servers that were needed work.
    network_trouble.end(app.records)
    for note in made.notes:
        app.tell(REHEARSED, f"{app.name}: release {release}: {note}",
                 commit=commit, release=release)  # fmt: skip
    built = Release(
        release, commit, app.clock.now(), "", signer, made.environment, plan.interpreter,
        made.bytes, applied.write(app.settings),
    )  # fmt: skip
    app.records.add_release(built)
    app.keep_second_copy()
    return built


def with_control(app: App, transaction: Transaction, error: UpdateFailedError) -> AutoupdateError:
    """Return the error to report for a failed build, whose class says whose fault it is.

    The commit is to blame only if the host can still fetch what the deployed release is made of,
    and the indexes that the commit needs can be asked. If nothing is deployed that can run, they
    alone can tell.
    """
    previous = app.records.release(transaction.previous)
    if isinstance(error, HostFaultError):
        return error
    usable = previous and is_usable(app.paths, app.settings.build.python, previous)
    deployed = previous.id if previous and usable else ""
    try:
        found = app.worker.control(deployed, transaction.release, error.message, app.settings.build)
    except HostFaultError as failed:
        return HostFaultError(f"{error.message}; and the control failed: {failed.message}")
    except UnreachableError as slow:
        found = Control((), slow.message)
    if found.fault:
        return UnreachableError(
            f"{error.message}; the commit is not blamed, because the control failed as well:"
            f" packages were fetched again from the same servers, and {found.fault}",
            server=found.server,
        )
    network_trouble.end(app.records)
    if found.tried:
        shown = f"{', '.join(found.tried)}: the servers answer"
    elif deployed:
        shown = f"no package of the deployed release {deployed} is from an index"
    else:
        shown = "nothing that is deployed can run, and no index can be tried"
    app.tell(STEP, f"{app.name}: control of the failed build: {shown}, so the commit is blamed",
             commit=transaction.commit, step=Step.BUILD)  # fmt: skip
    return error
