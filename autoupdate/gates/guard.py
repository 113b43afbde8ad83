"""guard: is a commit a sane change to take? Each gate judges one fact; see inspection.py for them.

What is about time may be forced. What a commit does to the release may not: an administrator who
wants it says so in the settings.
"""

from typing import TYPE_CHECKING

from autoupdate.gates.backoff import seconds
from autoupdate.gates.candidate import is_named
from autoupdate.host.links import linked_release
from autoupdate.host.log_sinks import printable
from autoupdate.model.events import LEFT_OUT
from autoupdate.model.sizes import in_words
from autoupdate.model.verdict import Verdict

if TYPE_CHECKING:
    from autoupdate.app import App
    from autoupdate.model.findings import Findings
    from autoupdate.records.records import Store


def look(app: "App", commit: str) -> "Findings":
    """Return what a commit would bring, compared with the deployed one."""
    guard = app.settings.guard
    release = app.store.release(linked_release(app.paths.current))
    asked = {*guard.required, *guard.forbidden, *app.settings.upstream.submodules}
    return app.workshop.inspect(commit, release.commit if release else "", tuple(sorted(asked)))


def completeness(app: "App", commit: str) -> Verdict:
    """Refuse a tree that has more files than one can look at."""
    found = look(app, commit)
    reason = f"it has {found.files:,} files"
    if found.complete:
        return Verdict("guard.files", True, reason)
    return Verdict("guard.files", False, f"{reason} or links, and more: its tree may have no end")


def names(app: "App", commit: str) -> Verdict:
    """Refuse names that pass for others, or that belong to git or to the release."""
    found = look(app, commit).misleading
    if not found:
        return Verdict("guard.names", True, "no name of a file is misleading")
    return Verdict("guard.names", False, f"it has misleading names of files: {listed(found)}")


def links(app: "App", commit: str) -> Verdict:
    """Refuse symbolic links that lead out of the release."""
    allowed = app.settings.guard.outside_links
    outside = tuple(path for path in look(app, commit).outside if path not in allowed)
    if not outside:
        return Verdict("guard.outside_links", True, "no symbolic link leads out of the release")
    return Verdict(
        "guard.outside_links",
        False,
        f"symbolic links lead out of the release: {listed(outside)}",
        "if that is meant, name them in guard.outside_links",
    )


def required_paths(app: "App", commit: str) -> Verdict:
    """Refuse a commit without the paths that must exist."""
    present = look(app, commit).present
    missing = tuple(path for path in app.settings.guard.required if path not in present)
    if not missing:
        return Verdict("guard.required", True, "every required path is there")
    reason = f"it has no {listed(missing)}"
    return Verdict("guard.required", False, reason, "correct guard.required, or the repository")


def forbidden_paths(app: "App", commit: str) -> Verdict:
    """Refuse a commit with paths that must not exist."""
    present = look(app, commit).present
    found = tuple(path for path in app.settings.guard.forbidden if path in present)
    if not found:
        return Verdict("guard.forbidden", True, "no forbidden path is there")
    reason = f"it has {listed(found)}"
    return Verdict("guard.forbidden", False, reason, "correct guard.forbidden, or the repository")


def submodules(app: "App", commit: str) -> Verdict:
    """Refuse a commit without the submodules that are to be fetched."""
    present = look(app, commit).submodules
    missing = tuple(path for path in app.settings.upstream.submodules if path not in present)
    if not missing:
        return Verdict("upstream.submodules", True, "every submodule to fetch is there")
    reason = f"it has no submodule {listed(missing)}"
    return Verdict("upstream.submodules", False, reason, "correct upstream.submodules")


def deletions(app: "App", commit: str) -> Verdict:
    """Refuse a commit that deletes too much of what is deployed."""
    found = look(app, commit)
    return share(found, found.deleted, "deletes", "max_deleted", app.settings.guard.max_deleted)


def changes(app: "App", commit: str) -> Verdict:
    """Refuse a commit that deletes or changes too much of what is deployed."""
    found = look(app, commit)
    touched = found.deleted + found.modified
    return share(
        found, touched, "deletes or changes", "max_changed", app.settings.guard.max_changed
    )


def share(found: "Findings", touched: int, does: str, key: str, most: float) -> Verdict:
    """Judge a number of files of the deployed commit by the share that may be touched."""
    gate = f"guard.{key}"
    if not found.before:
        return Verdict(gate, True, "there is no deployed commit to compare it with")
    reason = f"it {does} {touched:,} of {found.before:,} files ({touched / found.before:.1%})"
    if touched <= most * found.before:
        return Verdict(gate, True, reason)
    advice = f"wait for a commit that puts them back; if it is meant, raise {gate} for this update"
    return Verdict(gate, False, f"{reason}, more than {gate} = {most * 100:g}%", advice)


def release_size(app: "App", commit: str) -> Verdict:
    """Refuse a commit whose files take more of the disk than a release may."""
    found = look(app, commit)
    most = app.settings.guard.max_release
    reason = f"its files take {in_words(found.bytes)}"
    if found.bytes <= most:
        return Verdict("guard.max_release", True, reason)
    largest = f"the largest is {printable(found.largest_path)} of {in_words(found.largest)}"
    return Verdict(
        "guard.max_release",
        False,
        f"{reason}, more than guard.max_release = {in_words(most)}; {largest}",
        "if it is meant, raise guard.max_release",
    )


def age(app: "App", commit: str) -> Verdict:
    """Refuse a commit that is too young by its own date, or by the time since it was seen here.

    The date is upstream's word; what this host has seen itself cannot be antedated. On a first
    deployment there is nothing yet that this host has seen.
    """
    least = app.settings.guard.min_age
    if not least:
        return Verdict("guard.min_age", True, "a commit may have any age", forceable=True)
    if is_named(app, commit):
        return Verdict("guard.min_age", True, "the administrator named it", forceable=True)
    now = seconds(app.clock.now())
    ages = [now - look(app, commit).committed_at]
    if linked_release(app.paths.current):
        ages.append(now - (first_seen(app.store, commit) or now))
    return waiting("guard.min_age", "it is", min(ages), least)


def settled(app: "App", commit: str) -> Verdict:
    """Refuse a commit until the tip has been still for a while."""
    least = app.settings.guard.settle
    if not least:
        return Verdict("guard.settle", True, "the tip need not be still", forceable=True)
    if is_named(app, commit):
        return Verdict("guard.settle", True, "the administrator named it", forceable=True)
    now = seconds(app.clock.now())
    still = [now - look(app, commit).committed_at]
    if linked_release(app.paths.current):
        candidate = app.store.candidate()
        since = candidate.seen_at if candidate and candidate.commit == commit else ""
        still.append(now - seconds(since) if since else 0)
    return waiting("guard.settle", "the tip has been still for", min(still), least)


def waiting(gate: str, what: str, passed: float, least: float) -> Verdict:
    """Judge how much time has passed."""
    if passed >= least:
        return Verdict(gate, True, f"{what} {passed:g} s", forceable=True)
    reason = f"{what} {passed:g} s, and {gate} is {least:g} s: {least - passed:g} s are left"
    return Verdict(gate, False, reason, "to take it at once: autoupdatectl run --force", True)


def tell_left_out(app: "App", commit: str) -> None:
    """Name the submodules that nobody chose, whose directories stay empty."""
    chosen = app.settings.upstream.submodules
    left = tuple(path for path in look(app, commit).submodules if path not in chosen)
    if left:
        app.tell(LEFT_OUT, f"{app.name}: submodules that upstream.submodules does not name stay"
                 f" empty: {listed(left)}", commit=commit)  # fmt: skip


def note_first_seen(store: "Store", commit: str, at: str) -> None:
    """Remember when a commit was first seen upstream; later sights change nothing."""
    store.write("INSERT OR IGNORE INTO first_seen VALUES (?, ?)", [commit, at])


def first_seen(store: "Store", commit: str) -> int:
    """Return when a commit was first seen upstream, in seconds since 1970; zero for not yet."""
    rows = store.rows('SELECT at FROM first_seen WHERE "commit" = ?', [commit])
    return seconds(rows[0][0]) if rows else 0


def listed(paths: tuple[str, ...]) -> str:
    """Name some paths, in a form that can be printed."""
    shown = ", ".join(printable(path) for path in paths[:5])
    return f"{shown} and more" if len(paths) > 5 else shown


GATES = (
    completeness, names, links, submodules, required_paths, forbidden_paths, release_size,
    deletions, changes, age, settled,
)  # fmt: skip
