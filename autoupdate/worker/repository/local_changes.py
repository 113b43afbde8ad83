"""The local changes of a release: what differs from what git checked out; saved as a stash.

Runs in the worker, as the builds' user. git compares files after their normalisation
(gitattributes(5)), and so takes a file for changed whose blob was never normalised, or that came
from Git LFS. Nobody changed such a file if it has the very bytes that git would check out.
"""

import filecmp
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from git.cmd import Git
from git.exc import GitCommandError

from autoupdate.model.errors import DamagedMirrorError, HostFaultError
from autoupdate.worker.repository import pointers
from autoupdate.worker.repository.mirror import Mirror, read_text, said_by_git

# info/attributes has the highest priority, so files are saved byte for byte (gitattributes(5)).
BYTE_FOR_BYTE = "* -text -ident -filter -working-tree-encoding !eol\n"
MODIFIED, UNTRACKED = " M", "??"


def settle(directory: str) -> None:
    """Make git in a new release ignore what it takes for a change, as nobody made one yet.

    These are shared paths, which are links now, and files that differ only by their normalisation.
    Versions that come from `git describe` would say "dirty".
    """
    git = Git(directory)
    changes = _status(git, "/dev/null", "--untracked-files=no")
    _flag(git, "--skip-worktree", [path for _, path in changes])
    # Git looks at the content of a file that may have changed after the index was written, as far
    # as their times tell, and then a filter of the host may see a change.
    os.utime(str(git.rev_parse("--path-format=absolute", "--git-path", "index")))


def note_built_files(directory: str, shared: tuple[str, ...]) -> None:
    """Record the untracked files that a build left: they are not local changes."""
    git = Git(directory)
    changes = _status(git, "/dev/null", *_all_but(shared))
    left = [path for code, path in changes if code == UNTRACKED]
    with open(_built_files(git), "w", encoding="utf-8", errors="surrogateescape") as exclude:
        # gitignore(5) cannot express a line feed in a name.
        exclude.writelines(f"/{_pattern(path)}\n" for path in left if "\n" not in path)


def save(mirror: Mirror, directory: str, shared: tuple[str, ...], message: str) -> list[str]:
    """Save local changes of a release as a stash in the mirror; return the changed paths.

    The release itself is left as it is: services may run from it.
    Raises DamagedMirrorError, HostFaultError.
    """
    git = Git(directory)
    if not _is_known(directory):
        raise DamagedMirrorError(f"{mirror.path} has no record of {directory}")
    try:
        with _own_index(git):
            changes = find(git, directory, _built_files(git), *_all_but(shared))
            paths = [path for _, path in changes]
            if paths:
                _stash(git, _tree(git, mirror.path, paths), message)
    except GitCommandError as error:
        raise mirror.fault(error, HostFaultError(said_by_git(error))) from None
    return paths


def find(git: Git, directory: str, ignored: str, *options: str) -> list[tuple[str, str]]:
    """Return the changed and untracked paths of a work tree, each with its code (git-status(1)).

    `ignored` is a file with the patterns of files that do not count.
    """
    entries = _status(git, ignored, *options)
    same = _unchanged(git, directory, [path for code, path in entries if code == MODIFIED])
    return [(code, path) for code, path in entries if path not in same]


def _unchanged(git: Git, directory: str, paths: list[str]) -> frozenset[str]:
    """Return those of some modified files that are what git would check out, byte for byte."""
    if not paths:
        return frozenset()
    with tempfile.TemporaryDirectory() as scratch:
        # What git cannot check out is not the same.
        with _listed(paths) as listed, suppress(GitCommandError):
            git.checkout_index("--force", f"--prefix={scratch}/", "-z", "--stdin", istream=listed)
        return frozenset(
            path for path in paths if _is_same(f"{directory}/{path}", f"{scratch}/{path}")
        )


def _is_same(file: str, checked_out: str) -> bool:
    try:
        mine, theirs = os.lstat(file), os.lstat(checked_out)
        if not (stat.S_ISREG(mine.st_mode) and stat.S_ISREG(theirs.st_mode)):
            return False
        if (mine.st_mode ^ theirs.st_mode) & stat.S_IXUSR:
            return False
        if filecmp.cmp(file, checked_out, shallow=False):
            return True
        pointer = pointers.read(checked_out)
        return pointer is not None and pointers.is_content(file, pointer)
    except OSError:
        return False


def _tree(git: Git, mirror: str, paths: list[str]) -> str:
    """Return the tree of a work tree with these changes, which are saved byte for byte."""
    with tempfile.TemporaryDirectory() as scratch, _listed(paths) as listed:
        # A repository of its own, because its attributes must not reach other commands.
        Git("/").execute(["git", "init", "--quiet", "--bare", "--template=", "--", scratch])
        os.mkdir(f"{scratch}/info")
        with open(f"{scratch}/info/attributes", "w", encoding="utf-8") as attributes:
            attributes.write(BYTE_FOR_BYTE)
        with git.custom_environment(
            GIT_DIR=scratch, GIT_WORK_TREE=git.working_dir, GIT_LITERAL_PATHSPECS="1",
            GIT_OBJECT_DIRECTORY=f"{mirror}/objects",
        ):  # fmt: skip
            # --force: whatever is in the list is a change, even if it is ignored meanwhile.
            git.add(
                "--all", "--force", "--pathspec-from-file=-", "--pathspec-file-nul", istream=listed
            )
            return str(git.write_tree())


def _stash(git: Git, tree: str, message: str) -> None:
    """Store a tree as a stash, unless there is one with the same tree."""
    if tree in git.stash("list", "--format=%T").split():
        return
    # A stash is a commit with two parents: HEAD and the state of the index (git-stash(1)).
    head = git.rev_parse("HEAD")
    index_commit = git.commit_tree("HEAD^{tree}", "-p", head, "-m", f"index on {message}")
    stash = git.commit_tree(tree, "-p", head, "-p", index_commit, "-m", message)
    git.stash("store", "-m", message, stash)


@contextmanager
def _own_index(git: Git) -> Iterator[None]:
    """Use a copy of the release's index, without the marks of `settle`."""
    with tempfile.TemporaryDirectory() as scratch:
        index = f"{scratch}/index"
        with git.custom_environment(GIT_INDEX_FILE=index):
            try:
                shutil.copyfile(f"{_git_directory(git)}/index", index)
                entries = str(git.ls_files("-t", "-z")).split("\0")
            except (GitCommandError, FileNotFoundError):
                # It was lost in a power cut. It never contained anything but the commit.
                git.read_tree("HEAD")
                entries = []
            _flag(git, "--no-skip-worktree", [
                entry[2:] for entry in entries if entry.startswith("S ")
            ])  # fmt: skip
            yield


def _flag(git: Git, flag: str, paths: list[str]) -> None:
    """Set or remove a mark of files in the index (git-update-index(1))."""
    if paths:
        with _listed(paths) as listed:
            git.update_index(flag, "-z", "--stdin", istream=listed)


@contextmanager
def _listed(paths: Iterable[str]) -> Iterator[object]:
    """Yield a file with paths, each of which ends with NUL."""
    with tempfile.TemporaryFile() as file:
        file.write(b"".join(os.fsencode(path) + b"\0" for path in paths))
        file.seek(0)
        yield file


def _is_known(directory: str) -> bool:
    """Return whether the mirror has a record of a work tree (gitrepository-layout(5))."""
    with suppress(OSError):
        return os.path.isdir(read_text(f"{directory}/.git").removeprefix("gitdir: "))
    return False


def _status(git: Git, ignored: str, *options: str) -> list[tuple[str, str]]:
    command = ["git", "-c", f"core.excludesFile={ignored}", "status", "--porcelain", "-z"]
    # .gitmodules is not read: upstream could write something there that makes git fail.
    always = ["--no-renames", "--ignore-submodules=all"]
    answer = str(git.execute([*command, *always, *options]))
    return [(entry[:2], entry[3:]) for entry in answer.split("\0") if entry]


def _all_but(shared: tuple[str, ...]) -> list[str]:
    """Return the options of git-status(1) for all files, except shared and built ones."""
    # Shared paths are links in a release; their targets are not part of it.
    excluded = [f":(top,exclude,literal){path}" for path in shared]
    return ["--untracked-files=all", "--", ":/", *excluded]


def _git_directory(git: Git) -> str:
    """Return the directory of the mirror's record of a work tree."""
    return read_text(f"{git.working_dir}/.git").removeprefix("gitdir: ")


def _built_files(git: Git) -> str:
    return f"{_git_directory(git)}/built-files"


def _pattern(path: str) -> str:
    """Return the pattern of gitignore(5) that matches only this path."""
    return "".join(f"\\{character}" if character in "\\*?[ !#" else character for character in path)
