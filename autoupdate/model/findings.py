"""What the worker found in a commit; the run checks the form of this answer."""

from typing import Any, NamedTuple

from autoupdate.model.errors import UpdateFailedError


class Findings(NamedTuple):
    """What a commit contains, and how it differs from the deployed one.

    `bytes` is the size of its files on disk, in whole blocks. `before` is the number of files of
    the deployed commit; zero without one to compare with. `misleading`, `submodules` and `pointers`
    list only the first paths; `outside` lists all, unless `more_outside`. `pointers` are the files
    that are stored in Git LFS, with their number and their size. If there are more files or links
    than are counted, `complete` is false, and the other values cover only a part of the tree.
    """

    committed_at: int
    files: int
    bytes: int
    largest: int
    largest_path: str
    before: int
    deleted: int
    modified: int
    misleading: tuple[str, ...]
    outside: tuple[str, ...]
    submodules: tuple[str, ...]
    present: tuple[str, ...]
    complete: bool
    more_outside: bool = False
    pointers: tuple[str, ...] = ()
    pointers_number: int = 0
    pointers_bytes: int = 0
    has_git_lfs: bool = False


def read(answer: dict[str, Any]) -> Findings:
    """Parse the worker's answer. Raises UpdateFailedError if it has another form."""
    values: dict[str, Any] = {}
    for name, kind in Findings.__annotations__.items():
        value = answer.get(name)
        if kind == tuple[str, ...]:
            good = isinstance(value, list) and all(isinstance(item, str) for item in value)
            value = tuple(value) if good and value is not None else None
        elif isinstance(value, bool) != (kind is bool) or not isinstance(value, kind):
            value = None
        if value is None or (isinstance(value, int) and value < 0):
            raise UpdateFailedError(f"the worker's answer has no valid {name}")
        values[name] = value
    return Findings(**values)
