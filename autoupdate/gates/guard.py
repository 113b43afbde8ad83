"""guard: is a commit a sane change? Each gate checks one fact that the worker found.

The facts are those of worker/repository/inspection.py. `run --force` ignores none of these gates:
an administrator who wants such a commit changes the settings.
"""

import re

from autoupdate.app import App
from autoupdate.host.links import linked_release
from autoupdate.host.log_sinks import printable
from autoupdate.model.events import LEFT_OUT
from autoupdate.model.findings import Findings
from autoupdate.model.globs import as_expression, is_glob
from autoupdate.model.sizes import counted, in_words
from autoupdate.model.verdict import Verdict

UNSET = "not set"
CORRECT_SUBMODULES = "correct upstream.submodules"
# How many paths a sentence has.
MOST_SHOWN = 5
# How many links a refusal names: all of them, as they are needed for the setting.
MOST_LINKS = 200


def look(app: App, commit: str) -> Findings:
    """Return what a commit contains and changes, compared with the deployed one."""
    guard = app.settings.guard
    release = app.records.release(linked_release(app.paths.current))
    asked = {*guard.required, *guard.forbidden, *app.settings.upstream.submodules}
    return app.worker.inspect(commit, release.commit if release else "", tuple(sorted(asked)))


def completeness(app: App, commit: str) -> Verdict:
    """Refuse a tree with too many files or links to check them all."""
    found = look(app, commit)
    if found.complete:
        return Verdict("guard.files", True, f"it has {counted(found.files, 'file')}")
    reason = f"it has more than {found.files:,} files or links, too many to check"
    return Verdict("guard.files", False, reason)


def names(app: App, commit: str) -> Verdict:
    """Refuse file names that look like others, or that belong to git or to the release."""
    found = look(app, commit).misleading
    if not found:
        return Verdict("guard.names", True, "no file name is misleading")
    return Verdict("guard.names", False, f"it has misleading file names: {listed(found)}")


def links(app: App, commit: str) -> Verdict:
    """Refuse symbolic links that point outside the release.

    In folders that no installed package contains, they are only warned about.
    """
    found, gate = look(app, commit), "guard.outside_links"
    outside = not_allowed(found.outside, app.settings.guard.outside_links)
    if found.more_outside:
        # Those that are not listed may lead anywhere.
        reason = f"more than {len(found.outside):,} symbolic links point outside the release"
        return Verdict(gate, False, f"{reason}, too many to check")
    if not outside:
        return Verdict(gate, True, "no symbolic link points outside the release")
    refused = in_packages(app, commit, outside)
    if not refused:
        reason = (
            "symbolic links point outside the release, in folders that no installed package"
            f" contains: {listed(outside)}"
        )
        return Verdict(gate, True, reason, warns=True)
    return Verdict(
        gate,
        False,
        f"symbolic links point outside the release: {listed(refused, MOST_LINKS)}",
        "if this is intended, add them, their directories or globs to guard.outside_links",
    )


def in_packages(app: App, commit: str, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of some paths that an installed package may contain, or that are at the top."""
    folders = dict.fromkeys(path.partition("/")[0] for path in paths if "/" in path)
    found = app.worker.packaged(commit, tuple(folders), app.settings.build) if folders else ()
    return tuple(path for path in paths if "/" not in path or path.partition("/")[0] in found)


def not_allowed(paths: tuple[str, ...], patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths that no pattern allows: by name, as a directory above them, or as a glob."""
    exact = frozenset(patterns)
    globs = [re.compile(as_expression(item)) for item in patterns if is_glob(item)]

    def is_allowed(path: str) -> bool:
        while path:
            if path in exact or any(glob.fullmatch(path) for glob in globs):
                return True
            path = path.rpartition("/")[0]
        return False

    return tuple(path for path in paths if not is_allowed(path))


def required_paths(app: App, commit: str) -> Verdict:
    """Refuse a commit that lacks paths of `guard.required`."""
    required = app.settings.guard.required
    present = look(app, commit).present
    missing = tuple(path for path in required if path not in present)
    if not missing:
        return Verdict("guard.required", True, "all these paths exist" if required else UNSET)
    reason = f"required paths are missing: {listed(missing)}"
    return Verdict("guard.required", False, reason, "correct guard.required, or the repository")


def forbidden_paths(app: App, commit: str) -> Verdict:
    """Refuse a commit that has paths of `guard.forbidden`."""
    forbidden = app.settings.guard.forbidden
    present = look(app, commit).present
    found = tuple(path for path in forbidden if path in present)
    if not found:
        return Verdict("guard.forbidden", True, "no such path exists" if forbidden else UNSET)
    reason = f"it has forbidden paths: {listed(found)}"
    return Verdict("guard.forbidden", False, reason, "correct guard.forbidden, or the repository")


def submodules(app: App, commit: str) -> Verdict:
    """Refuse a commit that lacks submodules of `upstream.submodules`."""
    wanted = app.settings.upstream.submodules
    present = look(app, commit).submodules
    # What is in a submodule is found out when that is fetched.
    here = tuple(path for path in wanted if not is_below(path, wanted))
    missing = tuple(path for path in here if path not in present)
    if not missing:
        reason = "all these submodules exist" if wanted else UNSET
        return Verdict("upstream.submodules", True, reason)
    reason = f"submodules are missing: {listed(missing)}"
    above = tuple(path for path in present if any(is_below(item, (path,)) for item in missing))
    advice = f"add {listed(above)} to upstream.submodules" if above else CORRECT_SUBMODULES
    return Verdict("upstream.submodules", False, reason, advice)


def lfs(app: App, commit: str) -> Verdict:
    """Refuse a commit with files in Git LFS that will not be fetched, or not all of them."""
    found, most, gate = look(app, commit), app.settings.guard.max_fetch, "upstream.lfs"
    if not found.pointers_number:
        return Verdict(gate, True, "no file is stored in Git LFS")
    size = in_words(found.pointers_bytes)
    reason = f"it stores {counted(found.pointers_number, 'file')} ({size}) in Git LFS"
    more = found.pointers_number - min(len(found.pointers), MOST_SHOWN)
    paths = listed(found.pointers[:MOST_SHOWN], more=more)
    if not app.settings.upstream.lfs:
        reason += f", and only pointers to them would be deployed: {paths}"
        advice = (
            "set upstream.lfs = true (it needs git-lfs: apt install git-lfs), or have upstream"
            " store these files in Git itself"
        )
    elif not found.has_git_lfs:
        reason, advice = f"{reason}, and git-lfs is not installed: {paths}", "apt install git-lfs"
    elif found.pointers_bytes > most:
        reason += f", more than guard.max_fetch = {in_words(most)}"
        advice = "if upstream is expected to have that much, raise guard.max_fetch"
    else:
        return Verdict(gate, True, f"{reason}, which are fetched")
    return Verdict(gate, False, reason, advice)


def is_below(path: str, others: tuple[str, ...]) -> bool:
    """Return whether a path is inside one of others."""
    return any(path.startswith(f"{other}/") for other in others)


def deletions(app: App, commit: str) -> Verdict:
    """Refuse a commit that deletes too many of the deployed files."""
    found = look(app, commit)
    return share(found, found.deleted, "deletes", "max_deleted", app.settings.guard.max_deleted)


def changes(app: App, commit: str) -> Verdict:
    """Refuse a commit that deletes or changes too many of the deployed files."""
    found = look(app, commit)
    touched = found.deleted + found.modified
    return share(
        found, touched, "deletes or changes", "max_changed", app.settings.guard.max_changed
    )


def share(found: Findings, touched: int, does: str, key: str, most: float) -> Verdict:
    """Compare a number of deleted or changed files with the allowed share of the deployed ones."""
    gate = f"guard.{key}"
    if not found.before:
        return Verdict(gate, True, "no deployed commit to compare with")
    reason = f"it {does} {touched:,} of {found.before:,} files ({touched / found.before:.1%})"
    if touched <= most * found.before:
        return Verdict(gate, True, reason)
    advice = f"wait for a commit that fixes this; if it is intended, raise {gate} for this update"
    return Verdict(gate, False, f"{reason}, more than {gate} = {most * 100:g}%", advice)


def release_size(app: App, commit: str) -> Verdict:
    """Refuse a commit whose files use more disk space than `guard.max_release`."""
    found = look(app, commit)
    most = app.settings.guard.max_release
    taken = found.bytes + (found.pointers_bytes if app.settings.upstream.lfs else 0)
    reason = f"its files take {in_words(taken)}"
    if taken <= most:
        return Verdict("guard.max_release", True, reason)
    largest = f"the largest is {printable(found.largest_path)} ({in_words(found.largest)})"
    return Verdict(
        "guard.max_release",
        False,
        f"{reason}, more than guard.max_release = {in_words(most)}; {largest}",
        "if this is intended, raise guard.max_release",
    )


def tell_left_out(app: App, commit: str) -> None:
    """Log which submodules are not fetched, because `upstream.submodules` does not list them."""
    chosen = app.settings.upstream.submodules
    left = tuple(path for path in look(app, commit).submodules if path not in chosen)
    if left:
        app.tell(LEFT_OUT, f"{app.name}: submodules are left empty, because upstream.submodules"
                 f" does not list them: {listed(left)}", commit=commit)  # fmt: skip


def listed(paths: tuple[str, ...], most: int = MOST_SHOWN, more: int = 0) -> str:
    """Return the first of some paths, with unprintable characters escaped.

    There are `more` of them than these.
    """
    shown = ", ".join(printable(path) for path in paths[:most])
    left = more + max(0, len(paths) - most)
    return f"{shown} and {left:,} more" if left else shown


GATES = (
    completeness, names, links, submodules, lfs, required_paths, forbidden_paths, release_size,
    deletions, changes,
)  # fmt: skip
