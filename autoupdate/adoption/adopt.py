"""adopt: turns an existing checkout into a managed app, and loses no byte of it.

examine → copy for the builds' user → fetch → build, all while the services run from the old
directory; then change_over.py. The old directory is kept, with everything that was not moved.
"""

import os
import shutil
from collections.abc import Sequence
from typing import NamedTuple

from autoupdate.adoption import relocation
from autoupdate.adoption.adoptable import (
    refuse_local_commits,
    refuse_other_upstream,
    refuse_path,
    refuse_shared,
)
from autoupdate.adoption.change_over import change_over, refuse_unwatched, running
from autoupdate.adoption.disable_old_updaters import refuse_late_drop_ins, refuse_running
from autoupdate.adoption.duplicate import duplicate, needed
from autoupdate.adoption.host_changes import HostChanges
from autoupdate.adoption.old_updaters import BY_NAME, OldUpdater, find
from autoupdate.adoption.relocation import ADOPT, COPY, EXCHANGE, LINK, RENAME, Journal, Move
from autoupdate.app import App, Outcome
from autoupdate.gates.order import BEFORE_SWITCH, RefusedError, pass_all
from autoupdate.gates.runnable import is_complete
from autoupdate.gates.space import RESERVE
from autoupdate.host.links import linked_release, switch
from autoupdate.host.shared import OPEN, is_handed_over
from autoupdate.model.checkout import Checkout, TakenOver
from autoupdate.model.commits import short
from autoupdate.model.errors import (
    AutoupdateError,
    HostFaultError,
)
from autoupdate.model.events import STASHED, STEP
from autoupdate.model.sizes import counted
from autoupdate.records.rows import Transaction
from autoupdate.update.check import look_upstream
from autoupdate.update.failure import give_up, refuse
from autoupdate.update.fetch import fetch_safely, name_release
from autoupdate.update.probation import look
from autoupdate.update.retention import take_staged
from autoupdate.update.update import make_release


class Inspected(NamedTuple):
    """What an adoption begins with: its stamp, the old updaters, what was saved to the mirror."""

    stamp: str
    legacy: tuple[OldUpdater, ...]
    taken: TakenOver


def adopt(app: App, host: HostChanges, path: str, *, leave_commits: bool = False) -> Outcome:
    """Adopt the checkout at a path. Needs the app's lock.

    Raises ConfigurationError if it cannot be adopted as it is; then nothing is changed.
    """
    if unwatched := refuse_unwatched(app):
        return unwatched
    stamp, legacy, taken = inspect(app, host, path, leave_commits=leave_commits)
    transaction = begin(app, taken.base)
    try:
        staged = take_staged(app, transaction)
        transaction, built = staged or (name_release(app, transaction, taken.base), None)
        # The administrator's command ignores gates that are about time.
        make_release(app, transaction, built, force=True)
        pass_all(BEFORE_SWITCH, app, transaction.commit, force=True)
        journal = plan(app, path, stamp, transaction, legacy)
        refuse_running(host.processes_in(path))
    except RefusedError as refused:
        return refuse(app, transaction, refused.verdict)
    except AutoupdateError as error:
        return give_up(app, transaction, error)
    return change_over(app, host, transaction, journal, lambda: activate(app, transaction))


def inspect(
    app: App, host: HostChanges, path: str, *, leave_commits: bool, look_only: bool = False
) -> Inspected:
    """Examine the checkout at a path, save what only it has to the mirror, and report it.

    Raises ConfigurationError if it cannot be adopted as it is.
    """
    legacy = tuple(find(host.paths, path, app.settings.services))
    refuse_path(app, host.paths.app(app.name), path)
    refuse_shared(app, path)
    refuse_late_drop_ins(host.paths, legacy)
    check_space_for_copies(app, path)
    checkout = examine(app, path, host)
    refuse_other_upstream(app, path, checkout)
    stamp = "".join(filter(str.isdigit, app.clock.now()))
    taken = take_over(app, path, stamp)
    refuse_local_commits(app, path, taken, leave_commits=leave_commits)
    tell(app, host, path, checkout, taken, legacy, look_only=look_only)
    return Inspected(stamp, legacy, taken)


def check_space_for_copies(app: App, path: str) -> None:
    """Raise HostFaultError when there is not enough space for a copy of the checkout."""
    copies = [item for item in app.settings.shared if crosses(app, f"{path}/{item}")]
    wanted = RESERVE + needed(path, app.settings.shared)
    wanted += sum(needed(f"{path}/{item}", ()) for item in copies)
    free = shutil.disk_usage(app.paths.home).free
    if free < wanted:
        raise HostFaultError(
            f"not enough space for a copy of {path}: {wanted >> 20} MiB are needed below"
            f" {app.paths.home}, {free >> 20} MiB are free",
            f"free some space, or move large files out of {path}",
        )


def crosses(app: App, place: str) -> bool:
    """Return whether a shared path is on another file system than our directories."""
    return relocation.exists(place) and os.lstat(place).st_dev != os.stat(app.paths.home).st_dev


def examine(app: App, path: str, host: HostChanges) -> Checkout:
    """Examine a copy of the checkout, as the builds' user."""
    copied = duplicate(path, app.paths.adopting, app.settings.shared, host.builder)
    if copied.odd:
        app.tell(STEP, f"{app.name}: sockets, pipes and devices are kept only in the old directory"
                 f" ({named(copied.odd)})")  # fmt: skip
    return app.worker.examine_checkout(app.settings.shared)


def take_over(app: App, path: str, stamp: str) -> TakenOver:
    """Fetch upstream, and then what only the checkout has, into the mirror."""
    message = f"autoupdate: local changes in {path}, saved {app.clock.now()}"
    fetch_safely(app, look_upstream(app))
    return app.worker.take_over_checkout(app.settings.shared, stamp, message)


def tell(
    app: App,
    host: HostChanges,
    path: str,
    checkout: Checkout,
    taken: TakenOver,
    legacy: Sequence[OldUpdater],
    *,
    look_only: bool,
) -> None:
    """Log what was found, and what happens to it."""
    branch = checkout.branch or "no branch"
    app.tell(STEP, f"{app.name}: {path} is at commit {short(checkout.commit)} ({branch}), with"
             f" {checkout.modified_count} changed, {checkout.untracked_count} untracked and"
             f" {checkout.ignored_count} ignored paths,"
             f" {counted(checkout.stashes, 'stash', 'stashes')}, {counted(taken.local, 'commit')}"
             " that upstream lacks", commit=checkout.commit)  # fmt: skip
    changed = named(checkout.modified + checkout.untracked)
    if taken.saved and look_only:
        app.tell(STEP, f"{app.name}: local changes in {path} would be saved as a stash ({changed})")
    elif taken.saved:
        app.tell(STASHED, f"{app.name}: local changes in {path} were saved as a stash ({changed});"
                 f" to list them: sudo -u _autoupdate git -C {app.paths.mirror} stash list"
                 )  # fmt: skip
    if checkout.ignored:
        app.tell(STEP, f"{app.name}: ignored files are kept only in the old directory"
                 f" ({named(checkout.ignored)})")  # fmt: skip
    for item in legacy:
        why = "" if item.why == BY_NAME else f" ({item.why})"
        app.tell(STEP, f"{app.name}: {item.kind} of the old updater, to be disabled:"
                 f" {item.place}: {item.text.strip()}{why}")  # fmt: skip
    for process in host.processes_in(path):
        if process.unit not in app.settings.services:
            app.tell(STEP, f"{app.name}: process {process.pid} uses {path}, and will use the old"
                     f" directory until it ends: {process.command}")  # fmt: skip


def named(paths: Sequence[str]) -> str:
    """Return the first few of some paths."""
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")


def begin(app: App, commit: str) -> Transaction:
    """Open the transaction of an adoption; an app that was given back has a previous release."""
    current = linked_release(app.paths.current)
    previous = current if current and is_complete(app.paths, current) else ""
    return app.records.transaction(app.records.begin(ADOPT, commit, previous, app.clock.now()))


def plan(
    app: App, path: str, stamp: str, transaction: Transaction, legacy: Sequence[OldUpdater]
) -> Journal:
    """Return the journal, with every change in its order."""
    kept, aside = f"{path}.before-autoupdate-{stamp}", f"{app.paths.legacy}/{stamp}"
    os.makedirs(aside, mode=0o700, exist_ok=True)
    open_shared(app, path)
    current = app.paths.current
    # The link is made next to the directory; then the two change places.
    moves = [
        Move(LINK, kept, current),
        Move(EXCHANGE, path, kept, relocation.inode(path), current),
    ]
    for shared in app.settings.shared:
        if relocation.exists(f"{path}/{shared}"):
            moves += move_shared(app, path, kept, aside, shared)
    return Journal(
        verb=ADOPT, path=path, kept=kept, stamp=stamp, commit=transaction.commit,
        release=transaction.release, services=running(look(app)),
        links=(linked_release(current), linked_release(app.paths.previous)),
        moves=tuple(moves), legacy=tuple(tuple(item) for item in legacy),
    )  # fmt: skip


def move_shared(app: App, path: str, kept: str, aside: str, shared: str) -> list[Move]:
    """Return the moves of a shared path to the shared directory; what exists there is put aside."""
    target, moves = f"{app.paths.shared}/{shared}", []
    seed = relocation.inode(target)
    if seed:
        moves.append(Move(RENAME, target, f"{aside}/{shared.replace('/', '_')}", seed))
    parts = shared.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        above = "/".join(parts[:depth])
        if not relocation.exists(f"{app.paths.shared}/{above}"):
            move = Move(relocation.DIRECTORY, f"{kept}/{above}", f"{app.paths.shared}/{above}")
            moves.append(move)
    if crosses(app, f"{path}/{shared}"):
        return [*moves, Move(COPY, f"{kept}/{shared}", target, seed)]
    inode = relocation.inode(f"{path}/{shared}")
    return [*moves, Move(RENAME, f"{kept}/{shared}", target, inode)]


def open_shared(app: App, path: str) -> None:
    """Mark the shared directory as handed over, so that what is moved in keeps its owners."""
    if app.settings.shared and not is_handed_over(app.paths):
        facts = os.stat(path)
        os.chown(app.paths.shared, facts.st_uid, facts.st_gid)
        os.chmod(app.paths.shared, OPEN)


def activate(app: App, transaction: Transaction) -> None:
    """Switch `current` to the new release."""
    switch(app.paths, transaction.release, transaction.previous)
    app.records.set_activated(transaction.release, app.clock.now())
