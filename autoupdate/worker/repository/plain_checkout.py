"""Makes a plain checkout of a release from the mirror, as if it were cloned from upstream.

Runs in the worker, as the builds' user.
"""

import os
import shutil

from git.cmd import Git

from autoupdate.worker.environment.files import remove
from autoupdate.worker.repository.mirror import UPSTREAM_REF, Mirror

# Larger files of an environment are not scripts or settings.
MOST_REWRITTEN = 1 << 20
ADOPTED = "refs/autoupdate/adopted"


def make(
    mirror: Mirror, release: str, target: str, path: str, url: str, branch: str,
    shared: tuple[str, ...],
) -> dict[str, object]:  # fmt: skip
    """Make a checkout of a release's commit at `target`, with an environment for `path`.

    It has the stashes, and the refs of an adoption. Shared paths are moved in later.
    """
    shutil.rmtree(target, ignore_errors=True)
    git, name = Git(target), branch or "main"
    Git("/").init("--quiet", f"--initial-branch={name}", "--", target)
    commit, kept = str(Git(release).rev_parse("HEAD")), stashes(mirror)
    # By hash: the branch may not have the commit any more, and only the newest stash has a ref.
    wanted = [f"+{found}:refs/autoupdate/given/{found}" for found in (commit, *dict(kept))]
    git.fetch(
        "--quiet", "--no-tags", "--update-shallow", "--", mirror.path,
        f"+{UPSTREAM_REF}:refs/remotes/origin/{name}", "+refs/tags/*:refs/tags/*",
        f"+{ADOPTED}/*:{ADOPTED}/*", *wanted,
    )  # fmt: skip
    git.config("remote.origin.url", url)
    git.config("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
    if branch:
        git.update_ref(f"refs/heads/{name}", commit)
        git.reset("--quiet", "--hard")
        git.config(f"branch.{name}.remote", "origin")
        git.config(f"branch.{name}.merge", f"refs/heads/{name}")
    else:
        git.checkout("--quiet", "--detach", commit)
    for stash, message in kept:
        git.stash("store", "-m", message, stash)
    for found in (commit, *dict(kept)):
        git.update_ref("-d", f"refs/autoupdate/given/{found}")
    for item in shared:
        remove(f"{target}/{item}")
    copy_environment(release, target, path)
    return {"commit": commit, "stashes": len(kept)}


def stashes(mirror: Mirror) -> list[tuple[str, str]]:
    """Return the stashes of the mirror, oldest first: commit and message."""
    answer = str(mirror.open().stash("list", "--format=%H%x00%gs"))
    found = [line.partition("\0")[::2] for line in answer.splitlines()]
    return found[::-1]


def copy_environment(release: str, target: str, path: str) -> None:
    """Copy the environment of a release, and replace the release's path in its files.

    These are scripts, the environment's settings, and the files of the editable install.
    """
    shutil.copytree(f"{release}/.venv", f"{target}/.venv", symlinks=True)
    old, new = release.encode(), path.encode()
    for inner, _, files in os.walk(f"{target}/.venv"):
        for name in files:
            file = f"{inner}/{name}"
            if os.path.islink(file) or os.path.getsize(file) > MOST_REWRITTEN:
                continue
            with open(file, "rb") as stream:
                content = stream.read()
            # Compiled code has paths only for tracebacks, and is compiled again when needed.
            if old in content and b"\0" not in content:
                with open(file, "wb") as stream:
                    stream.write(content.replace(old, new))
