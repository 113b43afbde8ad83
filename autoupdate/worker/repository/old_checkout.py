"""Examines the copy of an old checkout, and copies into the mirror what only it has.

Runs in the worker, as the builds' user. The copy (duplicate.py) has the Git data of the checkout
but neither its configuration nor its hooks.
"""

import os
import re
from contextlib import suppress

from git.cmd import Git
from git.exc import GitCommandError

from autoupdate.model.checkout import Checkout
from autoupdate.model.errors import ConfigurationError, DamagedMirrorError
from autoupdate.worker.repository.local_changes import BYTE_FOR_BYTE, find
from autoupdate.worker.repository.mirror import NOT_CHANGES, UPSTREAM_REF, Mirror, said_by_git

CONFIGURATION = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n"
# The extensions that are supported; others change the meaning of the Git data.
EXTENSIONS = frozenset({"extensions.worktreeconfig", "extensions.partialclone"})
# A line in the reflog of the stash: previous commit, this commit, author, time, message.
STASHED = re.compile(r"[0-9a-f]{40} ([0-9a-f]{40}) [^\t]*\t(.*)")
MOST_NAMES = 50


class OldCheckout:
    """The copy of a checkout in a directory: `tree`, `git` and `config`."""

    def __init__(self, directory: str, shared: tuple[str, ...]) -> None:
        self.directory = directory
        self.pathspec = [":/", *(f":(top,exclude,literal){path}" for path in shared)]
        self.git_directory = f"{directory}/git"
        with open(f"{self.git_directory}/config", "w", encoding="utf-8") as configuration:
            configuration.write(CONFIGURATION)
        with suppress(FileNotFoundError):
            os.unlink(f"{self.git_directory}/info/attributes")
        with open(f"{directory}/built", "w", encoding="utf-8") as built:
            built.write(NOT_CHANGES)
        self.git = Git(f"{directory}/tree")
        self.git.update_environment(
            GIT_DIR=self.git_directory,
            GIT_WORK_TREE=f"{directory}/tree",
            GIT_INDEX_FILE=f"{directory}/index",
        )

    def examine(self) -> Checkout:
        """Return what it contains. Raises ConfigurationError if it cannot be adopted."""
        configuration = self._configuration()
        for key in configuration:
            if key.startswith("extensions.") and key not in EXTENSIONS:
                raise ConfigurationError(
                    f"its Git data has an extension that is not supported: {key}"
                )
        try:
            commit = str(self.git.rev_parse("--verify", "HEAD^{commit}"))
        except GitCommandError as error:
            raise ConfigurationError(f"it has no commit: {said_by_git(error)}") from None
        changes = self._status("--ignored=traditional")
        modified = [path for code, path in changes if code not in ("??", "!!")]
        untracked = [path for code, path in changes if code == "??"]
        ignored = [path for code, path in changes if code == "!!"]
        return Checkout(
            commit,
            self._branch(),
            tuple(url for key, urls in configuration.items() if _is_url(key) for url in urls),
            len(self.stashes()),
            tuple(modified[:MOST_NAMES]), len(modified),
            tuple(untracked[:MOST_NAMES]), len(untracked),
            tuple(ignored[:MOST_NAMES]), len(ignored),
        )  # fmt: skip

    def save_changes(self, message: str) -> str:
        """Make a stash commit of the local changes; return its hash, empty if there are none.

        Changed files are saved byte for byte, whatever upstream's attributes say.
        """
        paths = [path for _, path in self._status()]
        if not paths:
            return ""
        with open(f"{self.git_directory}/info/attributes", "w", encoding="utf-8") as attributes:
            attributes.write(BYTE_FOR_BYTE)
        listed = f"{self.directory}/changed"
        with open(listed, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write("\0".join(paths))
        # --force: the only ignored files in the list are tracked ones.
        self.git.execute(
            ["git", "--literal-pathspecs", "add", "--all", "--force",
             f"--pathspec-from-file={listed}", "--pathspec-file-nul"]
        )  # fmt: skip
        head = str(self.git.rev_parse("HEAD^{commit}"))
        index = self.git.commit_tree(self._staged(), "-p", head, "-m", f"index on {message}")
        tree = self.git.write_tree()
        return str(self.git.commit_tree(tree, "-p", head, "-p", index, "-m", message))

    def stashes(self) -> list[tuple[str, str]]:
        """Return its stashes, oldest first: commit and message."""
        try:
            with open(
                f"{self.git_directory}/logs/refs/stash", encoding="utf-8", errors="replace"
            ) as log:
                return [match.groups() for line in log if (match := STASHED.match(line))]  # type: ignore[misc]
        except FileNotFoundError:
            return []

    def _staged(self) -> str:
        """Return the tree of the staged files, or of the last commit if git cannot write that."""
        try:
            with self.git.custom_environment(GIT_INDEX_FILE=f"{self.git_directory}/index"):
                return str(self.git.write_tree())
        except GitCommandError:
            # The index is in the middle of a merge, or split; it is kept in the old directory.
            return str(self.git.rev_parse("HEAD^{tree}"))

    def _status(self, *options: str) -> list[tuple[str, str]]:
        # Our own index: in that of the checkout, files may be marked to be skipped.
        self.git.read_tree("HEAD")
        return find(
            self.git, f"{self.directory}/tree", f"{self.directory}/built",
            "--untracked-files=all", *options, "--", *self.pathspec,
        )  # fmt: skip

    def _branch(self) -> str:
        try:
            return str(self.git.symbolic_ref("--quiet", "--short", "HEAD"))
        except GitCommandError:
            return ""

    def _configuration(self) -> dict[str, list[str]]:
        """Return the configuration of the checkout, read as a file, without what it includes."""
        found: dict[str, list[str]] = {}
        answer = self.git.config("--file", f"{self.directory}/config", "--list", "-z")
        for entry in str(answer).split("\0"):
            key, _, value = entry.partition("\n")
            found.setdefault(key, []).append(value)
        return found


def _common(git: Git, head: str) -> str:
    """Return the newest commit that upstream has, too; empty if there is none."""
    status, answer, _ = git.merge_base(
        head, UPSTREAM_REF, with_extended_output=True, with_exceptions=False
    )
    return "" if status == 1 else str(answer)


def _is_url(key: str) -> bool:
    return key.startswith("remote.") and key.endswith(".url")


def take_over(mirror: Mirror, old: OldCheckout, name: str, message: str) -> dict[str, object]:
    """Fetch into the mirror what only the old checkout has: commits, stashes, local changes.

    Returns the newest commit that upstream has too, the number of commits that upstream lacks, and
    whether there were local changes. Everything gets a ref below refs/autoupdate/adopted/NAME;
    changes and stashes are also stashes in the mirror. Raises DamagedMirrorError.
    """
    # These are somebody's own files; other users must not read them.
    os.chmod(mirror.path, 0o700)
    git = mirror.open()
    stashes = [*old.stashes()]
    changes = old.save_changes(message)
    if changes:
        stashes.append((changes, message))
    for number, (commit, _) in enumerate(stashes):
        old.git.update_ref(f"refs/adopting/stash-{number}", commit)
    old.git.update_ref("refs/adopting/head", "HEAD")
    target = f"refs/autoupdate/adopted/{name}"
    try:
        git.fetch(
            "--no-tags", "--update-shallow", "--", old.git_directory,
            f"+refs/adopting/*:{target}/*", f"+refs/heads/*:{target}/heads/*",
            f"+refs/tags/*:{target}/tags/*",
        )  # fmt: skip
        known = set(git.stash("list", "--format=%T").split())
        for commit, said in stashes:
            if str(git.rev_parse(f"{commit}^{{tree}}")) not in known:
                git.stash("store", "-m", said, commit)
        head = f"{target}/head"
        local = int(git.rev_list("--count", head, f"^{UPSTREAM_REF}"))
        base = _common(git, head) if local else str(git.rev_parse(head))
    except GitCommandError as error:
        raise mirror.fault(
            error, DamagedMirrorError(f"{mirror.path}: {said_by_git(error)}")
        ) from None
    return {"base": base, "local": local, "saved": bool(changes)}
