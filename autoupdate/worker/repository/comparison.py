"""The differences between two commits of the mirror, for `plan` and `show`.

Runs in the worker, as the builds' user.
"""

from autoupdate.model.changes import Changed, Changes, Logged
from autoupdate.model.commits import short
from autoupdate.model.errors import UpdateFailedError
from autoupdate.worker.repository.inspection import answers, ask, has, has_an_end

MOST_COMMITS, MOST_PATHS, LONGEST_TEXT = 20, 50, 200


def compare(repository: str, commit: str, since: str) -> Changes:
    """Return what a commit changes compared with an older one (empty: none).

    Raises UpdateFailedError when git cannot read the commit.
    """
    if not has(repository, commit):
        raise UpdateFailedError(f"the mirror does not have commit {short(commit)}")
    if not since or not has(repository, since):
        return Changes(False, 0, log(repository, [commit], 1), 0, ())
    paths, files = changed(repository, since, commit)
    commits = ask(repository, ["rev-list", "--count", f"{since}..{commit}", "--"], [])
    entries = log(repository, [f"{since}..{commit}"], MOST_COMMITS)
    if not entries:
        # The commit is older than `since`.
        entries = log(repository, [commit], 1)
    return Changes(True, int(commits), entries, files, paths)


def log(repository: str, revisions: list[str], most: int) -> tuple[Logged, ...]:
    """Return some commits, newest first (git-log(1))."""
    form = "--format=%H%x09%ct%x09%an%x09%s"
    words = ["log", "-z", form, "--no-mailmap", "--no-show-signature", f"--max-count={most}"]
    found = []
    for record in answers(repository, [*words, *revisions, "--"]):
        name, time, author, subject = record.decode(errors="replace").split("\t", 3)
        found.append(Logged(name, int(time), author[:LONGEST_TEXT], subject[:LONGEST_TEXT]))
    return tuple(found)


def changed(repository: str, old: str, new: str) -> tuple[tuple[Changed, ...], int]:
    """Return the first files that differ between two commits, and how many do."""
    if not all(has_an_end(repository, commit) for commit in (old, new)):
        return (), 0
    words = ["diff-tree", "-r", "-z", "--no-renames", "--name-status", old, new, "--"]
    first: list[Changed] = []
    number = 0
    records = answers(repository, words)
    for letter in records:
        path = next(records)
        number += 1
        if number <= MOST_PATHS:
            name = path.decode(errors="replace")[:LONGEST_TEXT]
            first.append(Changed(letter.decode(errors="replace"), name))
    return tuple(first), number
