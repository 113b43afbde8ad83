"""What the worker found out about a commit; read by the run's side, which believes little."""

from typing import Any, NamedTuple

from autoupdate.model.errors import UpdateFailedError


class Findings(NamedTuple):
    """What a commit holds, and how it differs from the deployed one.

    `bytes` is what its files take in whole blocks of the disk. `before` is the number of files of
    the deployed commit; zero when there is none to compare with. Of paths that offend only the
    first ones are listed. `complete` is false for a tree without an end, of which the other facts
    tell a part.
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


def read(answer: dict[str, Any]) -> Findings:
    """Check the answer of a worker. Raises UpdateFailedError for one that says something else."""
    values: dict[str, Any] = {}
    for name, kind in Findings.__annotations__.items():
        value = answer.get(name)
        if kind == tuple[str, ...]:
            good = isinstance(value, list) and all(isinstance(item, str) for item in value)
            value = tuple(value) if good and value is not None else None
        elif isinstance(value, bool) != (kind is bool) or not isinstance(value, kind):
            value = None
        if value is None or (isinstance(value, int) and value < 0):
            raise UpdateFailedError(f"the worker's answer has no good {name}")
        values[name] = value
    return Findings(**values)
