"""Whom to blame for a command of the administrator that fails in a rehearsal."""

from collections.abc import Sequence

import pytest

from autoupdate.model.errors import HostFaultError, UpdateFailedError
from autoupdate.worker.environment.rehearsal import rehearse

COMMANDS = [["{python}", "-m", "check", "{release}/x"]]


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ({"/new": 1, "/old": 0}, UpdateFailedError),
        ({"/new": 1, "/old": 2}, UpdateFailedError),
        ({"/new": 1, "/old": 1}, HostFaultError),
    ],
)
def test_command_that_fails(statuses: dict[str, int], kind: type[Exception]) -> None:
    tried = []

    def try_out(words: Sequence[str], release: str, _: Sequence[str]) -> tuple[int, str]:
        tried.append(list(words))
        return statuses[release], "no database"

    with pytest.raises(UpdateFailedError) as caught:
        rehearse("/new", "/old", COMMANDS, try_out, smoke=False)
    assert type(caught.value) is kind
    assert "no database" in caught.value.message
    assert tried == [
        [f"{place}/.venv/bin/python", "-m", "check", f"{place}/x"] for place in ("/new", "/old")
    ]


def test_first_release_has_nothing_to_compare_with() -> None:
    with pytest.raises(UpdateFailedError) as caught:
        rehearse("/new", "", COMMANDS, lambda *_: (1, "no database"), smoke=False)
    assert type(caught.value) is UpdateFailedError
