"""The submodules that the administrator chose, at the commits that a release records.

Runs in the worker, as the builds' user. The repository of each is kept in the mirror. The files are
written into the release without a .git, so that git does not look into them. A submodule of a
submodule is chosen by its whole path, such as `external/a/deps/b`; those that are not chosen are
left empty.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from git.cmd import Git
from git.exc import GitCommandError

from autoupdate.model.commits import short
from autoupdate.model.errors import UnreachableError, UpdateFailedError
from autoupdate.model.sizes import counted, in_words
from autoupdate.upstream.git_environment import complaint, redact
from autoupdate.worker.repository import lfs
from autoupdate.worker.repository.inspection import inspect

# Of the paths that a message names.
MOST_SHOWN = 5
SCHEMES = ("https", "ssh", "git")
# user@host:path, as ssh takes it; neither part may look like an option.
SHORT_FORM = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*):([^-:].*)")


class Part(NamedTuple):
    """A repository, the commit of it that is deployed, and its URL."""

    repository: str
    commit: str
    url: str


def add(
    mirror: str, upstream: str, release: str, commit: str, paths: Sequence[str], most: int,
    *, with_lfs: bool,
) -> None:  # fmt: skip
    """Fetch the submodules at some paths of a commit, and write them into a release.

    Each may take at most `most` bytes of disk space. `with_lfs`: also their files in Git LFS.
    Raises UnreachableError, and UpdateFailedError for a submodule that is refused.
    """
    parents = {"": Part(mirror, commit, upstream)}
    # A shorter path first: what is above another one must be there.
    for path in sorted(paths, key=len):
        above = max((known for known in parents if is_below(path, known)), key=len)
        parent = parents[above]
        inner = path.removeprefix(f"{above}/") if above else path
        found = declared(parent.repository, parent.commit)
        if inner not in found:
            where = f"the .gitmodules of submodule {above}" if above else "its .gitmodules"
            raise UpdateFailedError(f"{where} has no submodule {inner}")
        url = resolve(found[inner], parent.url)
        recorded = recorded_commit(parent, inner, path)
        name = hashlib.sha256(url.encode()).hexdigest()[:24]
        repository = f"{mirror}/modules/{name}.git"
        fetch(repository, url, recorded, path)
        judge(repository, recorded, path, most, with_lfs=with_lfs)
        write(repository, recorded, f"{release}/{path}", path)
        if with_lfs:
            lfs.add(repository, url, f"{release}/{path}", recorded)
        parents[path] = Part(repository, recorded, url)


def is_below(path: str, directory: str) -> bool:
    """Return whether a path is below a directory; everything is below the top."""
    return not directory or path.startswith(f"{directory}/")


def recorded_commit(parent: Part, inner: str, path: str) -> str:
    """Return the commit of a submodule that its parent records. Raises UpdateFailedError."""
    try:
        answer = git(parent.repository, "ls-tree", "--full-tree", parent.commit, "--", inner)
    except GitCommandError as error:
        raise UpdateFailedError(f"submodule {path}: {complaint(str(error.stderr))}") from None
    mode, _, rest = answer.partition(" commit ")
    commit, _, name = rest.partition("\t")
    if mode != "160000" or not name:
        raise UpdateFailedError(f"its .gitmodules names {path}, which is no submodule")
    return commit


def declared(mirror: str, commit: str) -> dict[str, str]:
    """Return the URL of each submodule by its path, as in the .gitmodules of a commit."""
    try:
        answer = git(mirror, "config", "--blob", f"{commit}:.gitmodules", "--null", "--list")
    except GitCommandError:
        return {}
    values: dict[str, dict[str, str]] = {}
    for entry in filter(None, answer.split("\0")):
        key, _, value = entry.partition("\n")
        section, _, rest = key.partition(".")
        name, _, variable = rest.rpartition(".")
        if section == "submodule":
            values.setdefault(name, {})[variable] = value
    return {found["path"]: found.get("url", "") for found in values.values() if "path" in found}


def resolve(address: str, upstream: str) -> str:
    """Return the full URL of a submodule. Raises UpdateFailedError for one that is not allowed.

    A relative URL starts at upstream's (gitmodules(5)). Files of this host and programs (ext::) are
    not allowed, unless upstream's own URL has that scheme.
    """
    if address.startswith(("./", "../")):
        return resolve_relative(upstream, address)
    if SHORT_FORM.fullmatch(address):
        return address
    scheme = address.partition("://")[0]
    allowed = {*SCHEMES, urlsplit(upstream).scheme}
    printable = address.isprintable() and " " not in address
    if "://" not in address or scheme not in allowed or not printable:
        raise UpdateFailedError(f"the URL of a submodule is not allowed: {address!r}")
    return address


def resolve_relative(upstream: str, relative: str) -> str:
    """Return the full URL for one that is relative to upstream's, on the same host."""
    short = SHORT_FORM.fullmatch(upstream)
    place = short[2] if short else urlsplit(upstream).path
    parts = place.rstrip("/").split("/")
    least = 0 if short else 1
    for part in relative.split("/"):
        if part == "..":
            if len(parts) <= least:
                raise UpdateFailedError(
                    f"the URL of a submodule leads out of its host: {relative!r}"
                )
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    found = "/".join(parts)
    if not found.isprintable():
        raise UpdateFailedError(f"the URL of a submodule is not allowed: {relative!r}")
    return f"{short[1]}:{found}" if short else urlunsplit(urlsplit(upstream)._replace(path=found))


def fetch(repository: str, url: str, commit: str, path: str) -> None:
    """Fetch a commit of a submodule, unless the repository has it. Raises UnreachableError."""
    if not os.path.exists(f"{repository}/HEAD"):
        Git("/").execute(["git", "init", "--quiet", "--bare", "--", repository])
    if is_here(repository, commit):
        return
    # Not every server sends a commit by its hash; then one of its branches may have it.
    wanted = ([f"+{commit}:refs/autoupdate/{commit}"], ["+refs/heads/*:refs/heads/*"])
    reason = "it has no such commit"
    for refs in wanted:
        try:
            git(repository, "fetch", "--no-tags", "--", url, *refs)
        except GitCommandError as error:
            reason = complaint(str(error.stderr))
        if is_here(repository, commit):
            return
    raise UnreachableError(
        f"submodule {path}: {redact(url)} did not send commit {short(commit)}: {reason}"
    )


def is_here(repository: str, commit: str) -> bool:
    """Return whether a repository has a commit."""
    try:
        git(repository, "cat-file", "-e", f"{commit}^{{tree}}")
    except GitCommandError:
        return False
    return True


def judge(repository: str, commit: str, path: str, most: int, *, with_lfs: bool) -> None:
    """Raise UpdateFailedError for a submodule that breaks the rules of gates/guard.py."""
    found = inspect(repository, commit, "", ())
    for what, paths in (
        ("misleading file names", found.misleading),
        ("symbolic links that point outside of it", found.outside),
    ):
        if paths:
            raise UpdateFailedError(f"submodule {path} has {what}: {', '.join(map(repr, paths))}")
    if not found.complete:
        raise UpdateFailedError(f"submodule {path} has too many files or symbolic links")
    stored = lfs.find(repository, commit)
    if stored and not with_lfs:
        names = ", ".join(map(repr, list(stored)[:MOST_SHOWN]))
        raise UpdateFailedError(
            f"submodule {path} has {counted(len(stored), 'file')} in Git LFS: {names}",
            "set upstream.lfs = true, which needs git-lfs: apt install git-lfs",
        )
    size_of_all = found.bytes + sum(pointer.size for pointer in stored.values())
    if size_of_all > most:
        size = f"{in_words(size_of_all)}, more than guard.max_release"
        raise UpdateFailedError(f"the files of submodule {path} take {size}")


def write(repository: str, commit: str, directory: str, path: str) -> None:
    """Write the files of a commit into the empty directory that a release has for a submodule."""
    if os.path.realpath(directory) != directory or not os.path.isdir(directory):
        raise UpdateFailedError(f"submodule {path} is below a symbolic link of the repository")
    with tempfile.TemporaryDirectory() as scratch:
        index = {"GIT_INDEX_FILE": f"{scratch}/index"}
        git(repository, "read-tree", commit, **index)
        git(repository, "checkout-index", "--all", "--force", f"--prefix={directory}/", **index)


def git(repository: str, *words: str, **environment: str) -> str:
    """Run git in a repository; return what it prints. Raises GitCommandError."""
    runner = Git("/")
    runner.update_environment(GIT_DIR=repository, GIT_WORK_TREE=repository, **environment)
    return str(runner.execute(["git", *words]))
