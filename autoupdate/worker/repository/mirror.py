"""fetch: the local mirror, and the releases' work trees.

Runs in the worker, as the builds' user. The process environment confines git (git_environment).
"""

import glob
import os
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, NamedTuple

from git.cmd import Git
from git.exc import GitCommandError
from git.repo import Repo

from autoupdate.host.links import sync_directory
from autoupdate.model.commits import short
from autoupdate.model.errors import (
    AutoupdateError,
    DamagedMirrorError,
    HostFaultError,
    UnreachableError,
    UpdateFailedError,
)
from autoupdate.model.track import COMMIT
from autoupdate.upstream.git_environment import complaint, redact
from autoupdate.upstream.unusable import is_shallow, uses_sha256
from autoupdate.worker.packages.installer import HOST_TROUBLE
from autoupdate.worker.repository import tags

# Progress messages of git-fetch(1), with the percentage.
PROGRESS = re.compile(
    rb"(?:remote: )?(Enumerating|Counting|Compressing|Receiving|Resolving|Updating|Total) "
    rb"(?:\S+: *([0-9]+)%)?"
)
MOST_COMPLAINTS, LONGEST_COMPLAINT = 100, 10_000
# Limit for git's messages during one fetch, in bytes; nothing else limits them.
MOST_SAID = 16 << 20
UPSTREAM_REF = "refs/autoupdate/upstream"
UPSTREAM_TAGS, EVERY_TAG = "refs/autoupdate/tags/", "*"
WORK_TREE = "../current"
# Files that a build leaves in a release are not local changes.
NOT_CHANGES = "/.venv/\n__pycache__/\n*.pyc\n*.egg-info/\n/build/\n"
# What git says when upstream or the network failed.
NETWORK_TROUBLE = (
    "unable to access", "Could not resolve", "Could not read from remote repository", "early EOF",
    "unexpected disconnect", "hung up", "RPC failed", "couldn't find remote ref", "not our ref",
)  # fmt: skip
NOT_WRITABLE = (
    r"insufficient permission|(open|create|lock|write|mkdir|unlink).*'.*: Permission denied"
)
SHA256 = "mismatched algorithms"
SHALLOW = b"because shallow roots are not allowed to be updated"


class Commit(NamedTuple):
    """A fetched commit."""

    commit: str
    subject: str
    committed_at: int


class Mirror:
    """The local Git repository of an app; its work tree is the current release."""

    def __init__(self, path: str, watched: Callable[[str], None] = lambda _: None) -> None:
        """Use the mirror at a path; `watched` is called with the progress of a fetch."""
        self.path = path
        self.watched = watched

    def clear_leftovers(self) -> None:
        """Remove the locks and half-written packs of git processes that were killed.

        Only the run that holds the app's lock uses the mirror, and no git process of it is running
        now.
        """
        for directory, _, files in os.walk(self.path):
            for name in files:
                if name.endswith(".lock") or name.startswith(("tmp_pack_", "tmp_idx_", "tmp_obj_")):
                    os.unlink(f"{directory}/{name}")

    def half_received(self) -> int:
        """Return the size of the largest incomplete pack, in bytes."""
        packs = glob.glob(f"{glob.escape(self.path)}/objects/pack/tmp_pack_*")
        return max(map(os.path.getsize, packs), default=0)

    def is_sound(self) -> bool:
        """Return whether git can read everything that the mirror should contain."""
        try:
            self.open().fsck("--no-dangling", "--no-progress")
        except GitCommandError as error:
            # Lines with "error in" are about malformed commits of upstream, not about damage.
            said = f"{_said(error.stdout)}\n{_said(error.stderr)}"
            return not re.search(r"^(error:|fatal:|missing |broken )", said, re.MULTILINE)
        return True

    def fault(self, error: GitCommandError, otherwise: AutoupdateError) -> AutoupdateError:
        """Return the error for a failure of git: the host's fault, the mirror's, or `otherwise`."""
        said = str(error.stderr)
        # ssh says "Permission denied", too, of the keys that upstream refused.
        if any(words in said for words in HOST_TROUBLE) or re.search(NOT_WRITABLE, said):
            return HostFaultError(f"{self.path}: {said_by_git(error)}")
        # Reading the whole mirror takes long, and networks fail often.
        if any(words in said for words in NETWORK_TROUBLE) or self.is_sound():
            return otherwise
        return DamagedMirrorError(f"{self.path}: {said_by_git(error)}")

    def open(self) -> Git:
        """Open the mirror; if it is missing, make it first."""
        if not self.is_made():
            self._make()
        git = Git("/")
        # Before the first deployment there is no current release to be the work tree.
        git.update_environment(GIT_DIR=self.path, GIT_WORK_TREE=self.path)
        return git

    def is_made(self) -> bool:
        """Return whether there is a mirror already, even a damaged one."""
        with (
            suppress(OSError),
            open(f"{self.path}/config", encoding="utf-8", errors="replace") as file,
        ):
            return WORK_TREE in file.read() and os.path.isfile(f"{self.path}/info/exclude")
        return False

    def _make(self) -> None:
        with suppress(FileNotFoundError):
            # It cannot be read, or was not written here.
            os.unlink(f"{self.path}/config")
        repository = Repo.init(self.path, bare=True)
        with repository.config_writer() as configuration:
            # With a work tree, `git stash list` works in the mirror.
            configuration.set_value("core", "bare", "false")
            configuration.set_value("core", "worktree", WORK_TREE)
        os.makedirs(f"{self.path}/info", exist_ok=True)
        with open(f"{self.path}/info/exclude", "w", encoding="utf-8") as exclude:
            exclude.write(NOT_CHANGES)

    def fetch(self, url: str, wanted: str, signed: tuple[str, ...] = ()) -> Commit:
        """Fetch a ref or a commit with its history and tags, and tags to verify (`*`: all).

        These go to refs/autoupdate/tags/. With `*`, tags that upstream deleted are deleted there.
        Raises UnreachableError when upstream does not send it, DamagedMirrorError, HostFaultError.
        """
        places = [f"+{wanted}:{UPSTREAM_REF}"]
        places += [f"+refs/tags/{tag}:{UPSTREAM_TAGS}{tag}" for tag in signed]
        prune = ["--prune"] if EVERY_TAG in signed else []
        try:
            git = self.open()
            here = _has_commit(git, wanted)
            self._fetch(git, url, "--no-tags", *prune, "--", url, *places)
            line = git.log("-1", "--format=%H%x00%ct%x00%s", UPSTREAM_REF, "--")
            # git asks upstream for no commit that it has: upstream may be out of reach then.
            if "\0" in line and not here:
                self._follow_tags(git, url, line.partition("\0")[0])
        except GitCommandError as error:
            if SHA256 in str(error.stderr):
                raise uses_sha256(redact(url)) from None
            message = f"upstream {redact(url)} did not send {named(wanted)}: {said_by_git(error)}"
            raise self.fault(error, UnreachableError(message)) from None
        self._take_over_records(git)
        if "\0" not in line:
            raise UpdateFailedError(f"{named(wanted)} of upstream is not a commit")
        commit, committed_at, subject = line.split("\0", 2)
        return Commit(commit, subject, int(committed_at))

    def _follow_tags(self, git: Git, url: str, commit: str) -> None:
        """Fetch the tags of a commit's history to where `git describe` looks for them."""

        def fetch(refs: list[str]) -> None:
            with tempfile.TemporaryFile() as listed:
                listed.write(os.fsencode("".join(f"{ref}\n" for ref in refs)))
                listed.seek(0)
                words = ("--no-tags", "--no-write-fetch-head", "--stdin", "--", url)
                self._fetch(git, url, *words, refs=listed)

        tags.follow(git, self.path, url, commit, fetch)

    def _fetch(self, git: Git, url: str, *words: str, refs: IO[bytes] | None = None) -> None:
        """Fetch, and report the progress (git-fetch(1), --progress). `refs`: for --stdin."""
        process = git.fetch("--progress", *words, as_process=True, istream=refs)
        complaints: deque[bytes] = deque(maxlen=MOST_COMPLAINTS)
        told, said = b"", 0
        for line in _lines(process.stderr.fileno()):
            said += len(line)
            if said > MOST_SAID:
                process.kill()
                raise UnreachableError("upstream sends messages without an end")
            if line.startswith(b"warning: rejected") and SHALLOW in line:
                # git exits with 0, and has updated nothing.
                process.kill()
                raise is_shallow(redact(url))
            far = PROGRESS.match(line)
            if far is None:
                complaints.append(line)
            elif far[0] != told and far[2] and far[2].endswith((b"0", b"5")):
                told = far[0]
                self.watched(line.decode(errors="replace").removeprefix("remote: "))
        process.wait(stderr=b"\n".join(complaints))

    def _take_over_records(self, git: Git) -> None:
        """Copy the records of the releases' work trees from a damaged mirror that was put aside.

        They are needed to find local changes. A record whose commit is missing is not copied, as
        git would fail.
        """
        aside = f"{self.path}.damaged/worktrees"
        for name in os.listdir(aside) if os.path.isdir(aside) else ():
            record = f"{self.path}/worktrees/{name}"
            with suppress(GitCommandError, OSError):
                if not os.path.exists(record) and os.path.exists(
                    read_text(f"{aside}/{name}/gitdir")
                ):
                    git.cat_file("-e", read_text(f"{aside}/{name}/HEAD") + "^{commit}")
                    shutil.copytree(f"{aside}/{name}", record)

    def relation(self, base: str, commit: str) -> str:
        """Return how a commit relates to `base`: descends, ancestor, diverged, or unknown.

        Raises DamagedMirrorError, HostFaultError.
        """
        git = self.open()
        try:
            git.cat_file("-e", f"{base}^{{commit}}")
        except GitCommandError:
            return "unknown"
        try:
            common = str(git.merge_base("--all", base, commit)).split()
        except GitCommandError as error:
            # git-merge-base(1) exits with 1 when two histories have nothing in common.
            if error.status == 1 and not _said(error.stderr):
                return "diverged"
            raise self.fault(error, HostFaultError(said_by_git(error))) from None
        if base in common:
            return "descends"
        return "ancestor" if commit in common else "diverged"

    def check_out(self, directory: str, commit: str) -> None:
        """Check out a commit as a release.

        Raises UpdateFailedError, DamagedMirrorError, HostFaultError.
        """
        try:
            # --force twice: also if a run was killed here, which leaves a locked record.
            words = ("--detach", "--force", "--force", directory, commit)
            self.open().worktree("add", *words)
        except GitCommandError as error:
            message = f"commit {short(commit)} cannot be checked out: {said_by_git(error)}"
            raise self.fault(error, UpdateFailedError(message)) from None

    def forget(self, directory: str) -> None:
        """Remove the record of a release that was removed."""
        with suppress(FileNotFoundError):
            # git locks a record while it writes the work tree, and does not prune locked ones.
            os.unlink(f"{self.path}/worktrees/{os.path.basename(directory)}/locked")
        with suppress(GitCommandError):
            # A damaged mirror cannot be pruned; the next fetch replaces it.
            self.open().worktree("prune")


def _has_commit(git: Git, wanted: str) -> bool:
    """Return whether a commit is wanted, and not a ref, that the mirror has already."""
    if not COMMIT.fullmatch(wanted):
        return False
    try:
        git.cat_file("-e", f"{wanted}^{{commit}}")
    except GitCommandError:
        return False
    return True


def _lines(descriptor: int) -> Iterator[bytes]:
    """Yield lines as they arrive; a carriage return ends a line, too."""
    rest = b""
    while chunk := os.read(descriptor, LONGEST_COMPLAINT):
        *lines, rest = re.split(rb"[\r\n]+", rest + chunk)
        yield from lines
        if len(rest) > LONGEST_COMPLAINT:
            yield rest
            rest = b""
    if rest:
        yield rest


def read_text(file: str) -> str:
    with open(file, encoding="utf-8", errors="replace") as stream:
        return stream.read().strip()


def named(wanted: str) -> str:
    """Return a ref as it is, and a commit with as many digits as sentences have."""
    return f"commit {short(wanted)}" if COMMIT.fullmatch(wanted) else wanted


def said_by_git(error: GitCommandError) -> str:
    """Return git's own error message."""
    return complaint(_said(error.stderr))


def _said(output: object) -> str:
    # GitPython wraps git's output as: stderr: '...'
    return re.sub(r"^std(out|err): ", "", str(output).strip()).strip("'")


def link_shared(directory: str, shared_directory: str, shared: tuple[str, ...]) -> None:
    """Replace each shared path of a release by a link to the shared directory."""
    for path in shared:
        place = f"{directory}/{path}"
        parent = os.path.dirname(place)
        os.makedirs(parent, exist_ok=True)
        if os.path.realpath(parent) != parent:
            raise UpdateFailedError(
                f"shared path {path} is below a symbolic link of the repository"
            )
        if os.path.isdir(place) and not os.path.islink(place):
            shutil.rmtree(place)
        elif os.path.lexists(place):
            os.unlink(place)
        os.symlink(os.path.relpath(f"{shared_directory}/{path}", parent), place)
        sync_directory(parent)
