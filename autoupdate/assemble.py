"""Assembles an app with the real effects of this host."""

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING

from autoupdate.app import App, Host, Outcome
from autoupdate.config import last_valid
from autoupdate.config.claims import refuse_conflicts
from autoupdate.config.load import Value, load_with_values
from autoupdate.config.run_from import located
from autoupdate.config.sections import Probe, Settings, Upstream
from autoupdate.host import shared
from autoupdate.host.clock import Clock
from autoupdate.host.hook_files import host_hooks
from autoupdate.host.links import let_others_in, place
from autoupdate.host.log import HostLog, Log
from autoupdate.host.mounts import noexec_mount
from autoupdate.host.probes import attempt
from autoupdate.host.process import Identity, builder, find_user
from autoupdate.host.rehearsal.rehearsals import SystemdRehearsals
from autoupdate.host.services import Services, Systemd
from autoupdate.host.snapshots import SharedSnapshots
from autoupdate.host.transient_units import SystemdTransientUnits
from autoupdate.model.errors import NotPermittedError
from autoupdate.model.events import OUTPUT, REHEARSED, STATE_RENEWED, UNCONFINED, Event
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.model.signatures import Keys
from autoupdate.model.track import Found
from autoupdate.records.database import DamagedStateError
from autoupdate.records.release_logs import ReleaseLogs
from autoupdate.records.second_copy import open_state
from autoupdate.service_start import fast_path_writer
from autoupdate.upstream.git_environment import Access, git_environment, is_open, redact
from autoupdate.upstream.ls_remote import check
from autoupdate.worker.client import WorkerProcess
from autoupdate.worker.packages.installer import cache_environment

if TYPE_CHECKING:
    from autoupdate.adoption.host_changes import HostChanges


def assemble(
    paths: Paths,
    name: str,
    *,
    identity: Identity | None,
    log: Log | None = None,
    settings: Settings | None = None,
) -> App:
    """Read the configuration of an app, unless it is given, and make its directories.

    Raises ConfigurationError, and NotPermittedError if the caller may not run updates.
    """
    began = time.time()
    app_paths, services = paths.app(name), Systemd()
    values: dict[str, Value] | None = None
    if settings is None:
        settings, values = load_with_values(paths, name)
        refuse_conflicts(paths, name, values)
    settings = located(settings, services.directives, app_paths)
    make_directories(paths, app_paths, identity)
    if values is not None:
        keep(app_paths, values)
    log = log or host_log(paths, name)

    def output(line: str, release: str) -> None:
        log.write(Event(OUTPUT, line, name, release=release, step="build"))

    def unconfined() -> None:
        less = "builds are less confined, because this kernel has no Landlock"
        log.write(Event(UNCONFINED, f"{name}: {less}", name))

    def note(what: str) -> None:
        log.write(Event(REHEARSED, f"{name}: in the rehearsal, {what}", name))

    def damaged(error: DamagedStateError) -> None:
        kept = f"kept as {app_paths.state}.damaged"
        log.write(Event(STATE_RENEWED, f"{name}: {error.message}; {kept}", name))

    return App(
        settings=settings,
        paths=app_paths,
        records=open_state(app_paths, damaged),
        ask_upstream=lambda upstream: ask(paths, name, upstream, identity),
        trusted_keys=lambda: keys(paths, name),
        worker=WorkerProcess(
            app_paths,
            identity,
            git_environment(paths.cache) | cache_environment(paths.cache),
            output,
            unconfined,
            access=lambda: reach(settings.upstream, app_paths.run, identity),
            most=settings.guard.max_fetch,
        ),
        host=Host(
            services=services,
            transient_units=SystemdTransientUnits(),
            hooks=host_hooks(paths, name),
            snapshots=SharedSnapshots(
                app_paths, lambda: shared.owner(services, settings.services).user
            ),
            rehearsals=SystemdRehearsals(
                paths,
                settings,
                services,
                Clock(),
                lambda probe: probe_user(services, probe) if probe.type == "command" else None,
                note,
            ),
            place=place,
            probe=lambda probe: attempt(probe, settings.path, probe_user(services, probe)),
            noexec=lambda app: noexec_mount(app.releases, app.environments),
            provide_shared=lambda release: shared.provide(
                settings, app_paths, release, identity, services
            ),
            hand_over_shared=lambda: shared.hand_over(settings, app_paths, services),
        ),
        clock=Clock(),
        log=log,
        cures=(lambda app: end_adoption(paths, identity, app),),
        leave_for_next=lambda app, outcome: fast_path_writer.leave(
            app, outcome, paths, identity, began
        ),
    )


def host_log(paths: Paths, name: str) -> Log:
    """Return the log of an app: journal, log file, and the logs of its releases."""
    return ReleaseLogs(HostLog(paths.log), paths.app(name))


def keep(app: AppPaths, values: Mapping[str, Value]) -> None:
    """Keep valid settings beside the state, for the time when the files are not valid.

    Without secrets: nobody is asked, and nothing is sent, by the settings that are kept.
    """
    kept = {key: item for key, item in values.items() if key != "notify.urls"}
    for key in ("upstream.url", "upstream.proxy"):
        kept[key] = values[key]._replace(value=redact(values[key].value))
    # A full disk is reported by the run itself; it may still roll back.
    with suppress(OSError):
        last_valid.keep(app.last_valid, kept)


def keys(paths: Paths, name: str) -> Keys:
    """Return the trusted keys of an app; imported here, because few runs need them."""
    from autoupdate.gates.trusted_keys import trusted_keys

    return trusted_keys(paths, name)


def end_adoption(paths: Paths, identity: Identity | None, app: App) -> Outcome | None:
    """End an interrupted adoption or release-path; None without one."""
    if not os.path.exists(app.paths.relocation):
        return None
    from autoupdate.adoption.change_over import end_interrupted

    return end_interrupted(app, host_changes(paths, identity))


def host_changes(paths: Paths, identity: Identity | None) -> "HostChanges":
    """Return the effects of an adoption; imported here, because few runs need them."""
    from autoupdate.adoption.host_changes import real

    return real(paths, identity)


def ask(paths: Paths, name: str, upstream: Upstream, identity: Identity | None) -> Found:
    """Return what upstream has for `upstream.track`, using the credentials of the settings."""
    with place_for_access(paths.app(name)) as place, reach(upstream, place, identity) as access:
        wanted = upstream._replace(url=access.url)
        return check(wanted, paths.cache, identity, access.environment)


def place_for_access(app: AppPaths) -> AbstractContextManager[str]:
    """Return where credentials and configuration of git are put; one of their own for users."""
    may_write = os.access(app.run if os.path.isdir(app.run) else os.path.dirname(app.run), os.W_OK)
    if os.geteuid() == 0 or may_write:
        return nullcontext(app.run)
    import tempfile

    return tempfile.TemporaryDirectory(prefix="autoupdate-")


def reach(
    upstream: Upstream, directory: str, identity: Identity | None
) -> AbstractContextManager[Access]:
    """Return the access to upstream; credentials exist for that time only (credentials.py)."""
    if is_open(upstream):
        return nullcontext(Access(upstream.url, {}))
    from autoupdate.upstream.credentials import lend

    return lend(upstream, directory, identity)


def probe_user(services: Services, probe: Probe) -> Identity | None:
    """Return the user for a probe's command: that of its service, or else `_autoupdate`."""
    if os.geteuid() != 0 or probe.type != "command":
        return None
    present = services.look([probe.service]) if probe.service else []
    if present and present[0].exists:
        # A service without User= runs as root, and so does its probe.
        return find_user(present[0].user or "root")
    return builder()


def make_directories(paths: Paths, app: AppPaths, identity: Identity | None) -> None:
    """Make the missing directories of an app, with their owners."""
    try:
        os.makedirs(os.path.dirname(paths.log), mode=0o750, exist_ok=True)
        os.makedirs(app.home, mode=0o755, exist_ok=True)
        for directory in (paths.cache, app.mirror, app.releases, app.environments):
            if not os.path.isdir(directory):
                os.makedirs(directory, mode=0o755)
                if identity:
                    os.chown(directory, identity.uid, identity.gid)
        for directory in (os.path.dirname(app.home), app.home, app.releases):
            let_others_in(directory)
        # Installers lock files in there; other users must not be able to lock them.
        os.chmod(app.environments, 0o700)
    except PermissionError as error:
        raise NotPermittedError(f"{error.filename}: {error.strerror}", "try it with sudo") from None
