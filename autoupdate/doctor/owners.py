"""Only root may write to root's files; _autoupdate must own what it builds in.

A chown of a whole directory changes both, and what services share. Each tree has one finding, whose
command heals all of it.
"""

import os
from collections.abc import Iterator

from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Finding, command
from autoupdate.model.sizes import counted

BUILDER, ROOT = "_autoupdate", "root"
ENVIRONMENT = ".venv"
# Who runs Python in a release as root leaves these; they harm nothing.
CACHED = "__pycache__"


def owners(case: Case) -> Iterator[Finding]:
    """Check the owners of all that an app has, and who may write to it."""
    app = case.app
    for place in (case.paths.etc, app.home, app.state):
        yield from of_one(case, place, ROOT)
    for place in (app.mirror, app.releases, app.environments, case.paths.cache):
        yield from of_one(case, place, BUILDER)
    for tree in (app.mirror, case.paths.cache):
        yield from of_tree(case, tree, (BUILDER,), ())
    releases = directories(app.releases)
    for tree in releases:
        yield from of_tree(case, tree, (BUILDER,), (CACHED, ENVIRONMENT))
    for tree in (app.environments, *(f"{release}/{ENVIRONMENT}" for release in releases)):
        # Of installed packages, the files are root's, and the directories _autoupdate's.
        yield from of_tree(case, tree, (BUILDER, ROOT), (CACHED,))
    yield from of_shared(case)


def of_one(case: Case, path: str, wanted: str) -> Iterator[Finding]:
    """Check one path itself."""
    owner = case.host.owner(path)
    if not owner:
        return
    mode = os.stat(path).st_mode
    needed = 0o700 if os.path.isdir(path) else 0o600
    if owner != wanted:
        yield Finding(path, f"is owned by {owner}, not by {wanted}",
                      (command("chown", f"{wanted}:", path),))  # fmt: skip
    if mode & 0o022:
        yield Finding(path, "is writable by its group or by others",
                      (command("chmod", "go-w", path),))  # fmt: skip
    if mode & needed != needed:
        letters = "u+rwx" if needed == 0o700 else "u+rw"
        yield Finding(path, f"cannot be used by its owner (mode {mode & 0o777:03o})",
                      (command("chmod", letters, path),))  # fmt: skip


def of_shared(case: Case) -> Iterator[Finding]:
    """Check what the services share: it must be their user's."""
    units = [case.host.unit(service) for service in case.settings.services]
    users = {unit.get("User") or ROOT for unit in units if unit.get("LoadState") == "loaded"}
    if len(users) != 1:
        return
    (user,) = users
    for name in case.settings.shared:
        place = f"{case.app.shared}/{name}"
        owner = case.host.owner(place)
        if owner and owner != user:
            change = command("chown", "--recursive", "--no-dereference", f"{user}:", place)
            yield Finding(place, f"is owned by {owner}, and the services run as {user}", (change,))


def of_tree(
    case: Case, tree: str, wanted: tuple[str, ...], left_out: tuple[str, ...]
) -> Iterator[Finding]:
    """Check everything below a directory."""
    strangers = case.host.strangers(tree, wanted, left_out)
    if not strangers:
        return
    owner = case.host.owner(strangers[0]) or "another user"
    more = f", and {counted(len(strangers) - 1, 'other')}" if len(strangers) > 1 else ""
    is_left_out = [word for name in left_out for word in ("-name", name, "-prune", "-o")]
    not_theirs = [word for name in wanted for word in ("!", "-user", name)]
    change = ("-exec", "chown", "--no-dereference", f"{wanted[0]}:", "{}", "+")
    yield Finding(
        strangers[0], f"is owned by {owner}, not by {' or '.join(wanted)}{more}",
        (command("find", tree, *is_left_out, *not_theirs, *change),),
    )  # fmt: skip


def directories(place: str) -> list[str]:
    """Return the directories in another one; none if it cannot be seen."""
    try:
        return sorted(item.path for item in os.scandir(place) if item.is_dir())
    except OSError:
        return []
