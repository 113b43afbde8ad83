"""The files of a commit that are stored in Git LFS: which they are, and how a release gets them.

Runs in the worker, as the builds' user. A commit has pointers to such files. git-lfs fetches what
they mean, from the endpoint that belongs to upstream's URL: it works in a repository that has
nothing but pointers, so that neither .lfsconfig nor attributes of upstream have a say. The objects
are kept in the mirror until another commit does not need them.
"""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

from git.cmd import Git
from git.exc import GitCommandError

from autoupdate.host.limits import limited
from autoupdate.model.errors import (
    AutoupdateError,
    HostFaultError,
    UnreachableError,
    UpdateFailedError,
)
from autoupdate.model.sizes import counted
from autoupdate.upstream.git_environment import redact
from autoupdate.worker.packages.installer import HOST_TROUBLE
from autoupdate.worker.repository import pointers
from autoupdate.worker.repository.inspection import MOST_FILES, ask, contents, tree
from autoupdate.worker.repository.pointers import LONGEST, SHORTEST, Pointer

# In the mirror; and in there, the complete objects.
STORE, OBJECTS = "lfs", "objects"
ATTRIBUTES, FILTER = ".gitattributes", "lfs"
# Nothing else is transferred, and each only so often.
SETTINGS = (
    "lfs.basictransfersonly=true", "lfs.transfer.maxretries=2", "lfs.concurrenttransfers=4",
    "lfs.locksverify=false",
)  # fmt: skip
WANTED = "refs/heads/wanted"
# Lines of git-lfs that say why something failed.
TROUBLE = re.compile(r"error|does not exist|failed|denied|required|refused|timeout", re.IGNORECASE)
# A server may not send more than what the pointers say, apart from blocks.
MORE = 1 << 20
AT_ONCE = 10_000


def is_installed() -> bool:
    """Return whether this host has git-lfs."""
    return bool(shutil.which("git-lfs"))


def find(repository: str, commit: str) -> dict[str, Pointer]:
    """Return the files of a commit that are stored in Git LFS, by path.

    Raises UpdateFailedError when git cannot read the commit.
    """
    attributes: list[str] = []
    small: dict[str, str] = {}
    for entry in islice(tree(repository, commit), MOST_FILES):
        if stat.S_ISREG(entry.mode) and SHORTEST <= entry.size <= LONGEST:
            small[entry.path] = entry.object
        if os.path.basename(entry.path) == ATTRIBUTES:
            attributes.append(entry.object)
    # One that is too long to be read may say anything.
    texts = contents(repository, attributes)
    if len(texts) == len(set(attributes)) and not any(b"lfs" in text for text in texts.values()):
        return {}
    found: dict[str, Pointer] = {}
    paths = list(small)
    for begin in range(0, len(paths), AT_ONCE):
        some = paths[begin : begin + AT_ONCE]
        texts = contents(repository, [small[path] for path in some])
        read = {path: pointers.parse(texts.get(small[path], b"")) for path in some}
        found |= {path: pointer for path, pointer in read.items() if pointer}
    filtered = frozenset(with_filter(repository, commit, list(found))) if found else frozenset()
    return {path: pointer for path, pointer in found.items() if path in filtered}


def with_filter(repository: str, commit: str, paths: list[str]) -> Iterator[str]:
    """Yield those paths for which .gitattributes says filter=lfs (git-check-attr(1))."""
    with tempfile.TemporaryDirectory() as scratch:
        git = repository_git(repository, GIT_INDEX_FILE=f"{scratch}/index")
        git.read_tree(commit)
        with open(f"{scratch}/paths", "w+b") as listed:
            listed.write(b"".join(os.fsencode(path) + b"\0" for path in paths))
            listed.seek(0)
            said = str(git.check_attr("--cached", "-z", "--stdin", "filter", istream=listed))
    facts = said.split("\0")
    for path, value in zip(facts[::3], facts[2::3], strict=False):
        if value == FILTER:
            yield path


def add(repository: str, url: str, directory: str, commit: str) -> None:
    """Write the files that a commit stores in Git LFS to where it is checked out.

    Raises UnreachableError, UpdateFailedError, HostFaultError.
    """
    found = find(repository, commit)
    store = f"{repository}/{STORE}"
    wanted = set(found.values())
    try:
        download(repository, url, wanted)
        for path, pointer in found.items():
            write(object_file(store, pointer), f"{directory}/{path}", pointer)
    finally:
        prune(store, {pointer.object for pointer in wanted})


def download(repository: str, url: str, wanted: Iterable[Pointer]) -> None:
    """Fetch the objects that pointers mean, unless they are in the store.

    Raises UnreachableError, HostFaultError.
    """
    store = f"{repository}/{STORE}"
    missing = [found for found in wanted if not is_stored(object_file(store, found), found)]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as scratch:
        Git("/").execute(["git", "init", "--quiet", "--bare", "--template=", "--", scratch])
        ask(scratch, ["fast-import", "--quiet"], list(one_commit(missing)))
        git = repository_git(scratch)
        git.config("remote.origin.url", url)
        options = [word for item in (*SETTINGS, f"lfs.storage={store}") for word in ("-c", item)]
        try:
            with limited(file_size=max(found.size for found in missing) + MORE):
                git.execute(["git", *options, "lfs", "fetch", "origin", WANTED])
        except GitCommandError as error:
            raise fault(error, url, len(missing)) from None


def one_commit(wanted: Iterable[Pointer]) -> Iterator[str]:
    """Yield the lines for a commit with nothing but pointers (git-fast-import(1))."""
    yield f"commit {WANTED}\ncommitter autoupdate <autoupdate@localhost> 0 +0000\ndata 0\n"
    for found in wanted:
        text = pointers.text(found)
        yield f"M 100644 inline {found.object}\ndata {len(text)}\n{text}"


def fault(error: GitCommandError, url: str, files: int) -> AutoupdateError:
    """Return the error for git-lfs that failed, with its own words."""
    said = f"{error.stderr}\n{error.stdout}"
    lines = [line.strip(" '") for line in redact(said).splitlines() if line.strip(" '")]
    telling = [line for line in lines if TROUBLE.search(line)]
    reason = (telling or lines or ["git-lfs gave no reason"])[0]
    if any(words in said for words in HOST_TROUBLE):
        return HostFaultError(f"git-lfs: {reason}")
    return UnreachableError(
        f"Git LFS of {redact(url)} did not send {counted(files, 'file')}: {reason}"
    )


def object_file(store: str, found: Pointer) -> str:
    """Return where git-lfs stores an object."""
    return f"{store}/{OBJECTS}/{found.object[:2]}/{found.object[2:4]}/{found.object}"


def is_stored(file: str, found: Pointer) -> bool:
    """Return whether the store has an object; a damaged one is removed."""
    with suppress(FileNotFoundError):
        if pointers.is_content(file, found):
            return True
        os.unlink(file)
    return False


def write(stored: str, file: str, found: Pointer) -> None:
    """Replace a pointer by the file that it means. Raises UpdateFailedError, HostFaultError."""
    parent, facts = os.path.dirname(file), os.lstat(file)
    if os.path.realpath(parent) != parent or not stat.S_ISREG(facts.st_mode):
        raise UpdateFailedError(f"{file} is not the file that was checked out")
    if not is_stored(stored, found):
        raise HostFaultError(f"git-lfs did not store {found.object} as it should")
    # Not a link: what writes to one release must not reach another.
    os.unlink(file)
    shutil.copyfile(stored, file)
    os.chmod(file, facts.st_mode & 0o777)


def prune(store: str, wanted: set[str]) -> None:
    """Remove the objects that are not wanted any more, incomplete ones, and logs of git-lfs."""
    for name in os.listdir(store) if os.path.isdir(store) else ():
        if name != OBJECTS:
            shutil.rmtree(f"{store}/{name}", ignore_errors=True)
    for place, _, names in os.walk(f"{store}/{OBJECTS}"):
        for name in set(names) - wanted:
            os.unlink(f"{place}/{name}")


def repository_git(repository: str, **environment: str) -> Git:
    """Return git for a repository whose work tree is not used."""
    git = Git("/")
    git.update_environment(GIT_DIR=repository, GIT_WORK_TREE=repository, **environment)
    return git
