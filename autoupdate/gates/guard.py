"""guard: is a commit a sane change to take? Each gate judges one fact; see inspection.py for them.

None may be forced: an administrator who wants what a commit does says so in the settings.
"""

from autoupdate.app import App
from autoupdate.host.links import linked_release
from autoupdate.host.log_sinks import printable
from autoupdate.model.events import LEFT_OUT
from autoupdate.model.findings import Findings
from autoupdate.model.sizes import in_words
from autoupdate.model.verdict import Verdict


def look(app: App, commit: str) -> Findings:
    """Return what a commit would bring, compared with the deployed one."""
    guard = app.settings.guard
    release = app.records.release(linked_release(app.paths.current))
    asked = {*guard.required, *guard.forbidden, *app.settings.upstream.submodules}
    return app.worker.inspect(commit, release.commit if release else "", tuple(sorted(asked)))


def completeness(app: App, commit: str) -> Verdict:
    """Refuse a tree that has more files than one can look at."""
    found = look(app, commit)
    reason = f"it has {found.files:,} files"
    if found.complete:
        return Verdict("guard.files", True, reason)
    return Verdict("guard.files", False, f"{reason} or links, and more: its tree may have no end")


def names(app: App, commit: str) -> Verdict:
    """Refuse names that pass for others, or that belong to git or to the release."""
    found = look(app, commit).misleading
    if not found:
        return Verdict("guard.names", True, "no name of a file is misleading")
    return Verdict("guard.names", False, f"it has misleading names of files: {listed(found)}")


def links(app: App, commit: str) -> Verdict:
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


def required_paths(app: App, commit: str) -> Verdict:
    """Refuse a commit without the paths that must exist."""
    present = look(app, commit).present
    missing = tuple(path for path in app.settings.guard.required if path not in present)
    if not missing:
        return Verdict("guard.required", True, "every required path is there")
    reason = f"it has no {listed(missing)}"
    return Verdict("guard.required", False, reason, "correct guard.required, or the repository")


def forbidden_paths(app: App, commit: str) -> Verdict:
    """Refuse a commit with paths that must not exist."""
    present = look(app, commit).present
    found = tuple(path for path in app.settings.guard.forbidden if path in present)
    if not found:
        return Verdict("guard.forbidden", True, "no forbidden path is there")
    reason = f"it has {listed(found)}"
    return Verdict("guard.forbidden", False, reason, "correct guard.forbidden, or the repository")


def submodules(app: App, commit: str) -> Verdict:
    """Refuse a commit without the submodules that are to be fetched."""
    present = look(app, commit).submodules
    missing = tuple(path for path in app.settings.upstream.submodules if path not in present)
    if not missing:
        return Verdict("upstream.submodules", True, "every submodule to fetch is there")
    reason = f"it has no submodule {listed(missing)}"
    return Verdict("upstream.submodules", False, reason, "correct upstream.submodules")


def deletions(app: App, commit: str) -> Verdict:
    """Refuse a commit that deletes too much of what is deployed."""
    found = look(app, commit)
    return share(found, found.deleted, "deletes", "max_deleted", app.settings.guard.max_deleted)


def changes(app: App, commit: str) -> Verdict:
    """Refuse a commit that deletes or changes too much of what is deployed."""
    found = look(app, commit)
    touched = found.deleted + found.modified
    return share(
        found, touched, "deletes or changes", "max_changed", app.settings.guard.max_changed
    )


def share(found: Findings, touched: int, does: str, key: str, most: float) -> Verdict:
    """Judge a number of files of the deployed commit by the share that may be touched."""
    gate = f"guard.{key}"
    if not found.before:
        return Verdict(gate, True, "there is no deployed commit to compare it with")
    reason = f"it {does} {touched:,} of {found.before:,} files ({touched / found.before:.1%})"
    if touched <= most * found.before:
        return Verdict(gate, True, reason)
    advice = f"wait for a commit that puts them back; if it is meant, raise {gate} for this update"
    return Verdict(gate, False, f"{reason}, more than {gate} = {most * 100:g}%", advice)


def release_size(app: App, commit: str) -> Verdict:
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


def tell_left_out(app: App, commit: str) -> None:
    """Name the submodules that nobody chose, whose directories stay empty."""
    chosen = app.settings.upstream.submodules
    left = tuple(path for path in look(app, commit).submodules if path not in chosen)
    if left:
        app.tell(LEFT_OUT, f"{app.name}: submodules that upstream.submodules does not name stay"
                 f" empty: {listed(left)}", commit=commit)  # fmt: skip


def listed(paths: tuple[str, ...]) -> str:
    """Name some paths, in a form that can be printed."""
    shown = ", ".join(printable(path) for path in paths[:5])
    return f"{shown} and more" if len(paths) > 5 else shown


GATES = (
    completeness, names, links, submodules, required_paths, forbidden_paths, release_size,
    deletions, changes,
)  # fmt: skip
