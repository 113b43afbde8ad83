"""release-path: gives back a plain checkout in the place of our link.

The checkout is made while the services run: the commit of the current release, with an environment
for its final path. Then the shared files are moved back into it, and it replaces the link.
"""

import os
import shutil

from autoupdate.adoption import relocation
from autoupdate.adoption.change_over import change_over, refuse_unwatched, running, sweep
from autoupdate.adoption.duplicate import Copier
from autoupdate.adoption.host_changes import HostChanges
from autoupdate.adoption.relocation import (
    COPY,
    DIRECTORY,
    EXCHANGE,
    RELEASE_PATH,
    RENAME,
    UNLINK,
    Journal,
    Move,
)
from autoupdate.app import App, Outcome
from autoupdate.host.links import is_managed, linked_release
from autoupdate.host.process import Identity
from autoupdate.host.shared import owner
from autoupdate.model.commits import short
from autoupdate.model.errors import AutoupdateError, ConfigurationError, HostFaultError, describe
from autoupdate.model.events import STEP
from autoupdate.model.sizes import counted
from autoupdate.model.steps import Result, Step
from autoupdate.records.rows import Release, Transaction
from autoupdate.update.local_changes import save_local_changes
from autoupdate.update.probation import look


def give_back(app: App, host: HostChanges) -> Outcome:
    """Give back a plain checkout. Needs the app's lock.

    Raises ConfigurationError when there is nothing to give back.
    """
    if unwatched := refuse_unwatched(app):
        return unwatched
    release = current_release(app)
    new = f"{app.settings.path}.given-back"
    refuse_leftovers(new)
    transaction = begin(app, release)
    try:
        make_checkout(app, host, transaction, release, new)
        journal = plan(app, release, new)
        app.records.enter(transaction.id, Step.REHEARSE, app.clock.now())
    except AutoupdateError as error:
        shutil.rmtree(new, ignore_errors=True)
        sweep(app)
        now = app.clock.now()
        app.records.finish(transaction.id, Result.FAILED, error.exit_code, error.message, now)
        raise
    return change_over(app, host, transaction, journal, lambda: None)


def current_release(app: App) -> Release:
    """Return the release that the services run from. Raises ConfigurationError without one."""
    path, release = app.settings.path, app.records.release(linked_release(app.paths.current))
    if release is None or not is_managed(path, app.paths):
        raise ConfigurationError(
            f"{path} is not managed by autoupdate, so there is nothing to give back",
            f"autoupdatectl status {app.name}",
        )
    return release


def refuse_leftovers(new: str) -> None:
    """Raise ConfigurationError for what an interrupted attempt left next to the path."""
    if relocation.exists(new):
        raise ConfigurationError(
            f"{new} already exists; an interrupted attempt may have left it",
            f"look at it, then remove it: rm -r {new}",
        )


def begin(app: App, release: Release) -> Transaction:
    """Open the transaction; it has no new release."""
    now = app.clock.now()
    number = app.records.begin(RELEASE_PATH, release.commit, release.id, now, Step.BUILD)
    return app.records.transaction(number)


def make_checkout(
    app: App, host: HostChanges, transaction: Transaction, release: Release, new: str
) -> None:
    """Make the checkout next to the path, for the owner of the old one or the services' user."""
    settings = app.settings
    kind, _, name = settings.upstream.track.partition(":")
    branch = name if kind == "branch" else ""
    app.tell(STEP, f"{app.name}: making a plain checkout of commit {short(release.commit)}",
             commit=release.commit, release=release.id, step=Step.BUILD)  # fmt: skip
    save_local_changes(app, transaction)
    shutil.rmtree(app.paths.leaving, ignore_errors=True)
    os.mkdir(app.paths.leaving, 0o700)
    if host.builder:
        os.chown(app.paths.leaving, host.builder.uid, host.builder.gid)
    stashes = app.worker.make_checkout(
        release.id, settings.path, settings.upstream.url, branch, settings.shared
    )
    # No process of the builds' user may write there when root starts to read.
    app.worker.close()
    try:
        copier = Copier(new_owner(app), open_to_all=True)
        copier.tree(f"{app.paths.leaving}/tree", new, frozenset(), frozenset())
        os.sync()
    except OSError as error:
        raise HostFaultError(describe(error)) from None
    app.tell(STEP, f"{app.name}: {new} is ready, with {counted(stashes, 'stash', 'stashes')} in it",
             commit=release.commit, step=Step.BUILD)  # fmt: skip


def new_owner(app: App) -> Identity | None:
    """Return the owner for the checkout: that of the adopted one, or else the services' user."""
    if os.geteuid() != 0:
        return None
    kept = relocation.kept_directory(app.paths)
    if os.path.isdir(kept):
        facts = os.stat(kept)
        return Identity("", facts.st_uid, facts.st_gid)
    return owner(app.host.services, app.settings.services).user


def plan(app: App, release: Release, new: str) -> Journal:
    """Return the journal, with every change in its order."""
    path, current = app.settings.path, app.paths.current
    moves: list[Move] = []
    for shared in app.settings.shared:
        if relocation.exists(f"{app.paths.shared}/{shared}"):
            moves += move_back(app, new, shared)
    moves.append(Move(EXCHANGE, new, path, relocation.inode(new), current))
    moves.append(Move(UNLINK, new, current))
    return Journal(
        verb=RELEASE_PATH, path=path, kept=new,
        stamp="".join(filter(str.isdigit, app.clock.now())), commit=release.commit,
        release=release.id, services=running(look(app)),
        links=(linked_release(current), linked_release(app.paths.previous)), moves=tuple(moves),
    )  # fmt: skip


def move_back(app: App, new: str, shared: str) -> list[Move]:
    """Return the moves of a shared path back into the checkout, which does not have it."""
    source, target, moves = f"{app.paths.shared}/{shared}", f"{new}/{shared}", []
    parts = shared.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        above = "/".join(parts[:depth])
        if not relocation.exists(f"{new}/{above}"):
            moves.append(Move(DIRECTORY, f"{app.paths.shared}/{above}", f"{new}/{above}"))
    if os.lstat(source).st_dev != os.stat(new).st_dev:
        return [*moves, Move(COPY, source, target)]
    return [*moves, Move(RENAME, source, target, relocation.inode(source))]
