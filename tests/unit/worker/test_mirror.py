"""Whose fault it is when git fails in the mirror."""

import pytest
from git.exc import GitCommandError

from autoupdate.model.errors import AutoupdateError, HostFaultError, UnreachableError
from autoupdate.worker.repository.mirror import Mirror


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("error: cannot open '/x/repo.git/FETCH_HEAD': Permission denied", HostFaultError),
        ("fatal: Unable to create '/x/repo.git/shallow.lock': Permission denied", HostFaultError),
        ("error: insufficient permission for adding an object to repository", HostFaultError),
        ("git@host: Permission denied (publickey).\nfatal: Could not read from remote repository.",
         UnreachableError),
    ],
)  # fmt: skip
def test_mirror_that_cannot_be_written_is_no_network_trouble(
    said: str, kind: type[AutoupdateError]
) -> None:
    error = GitCommandError("git fetch", 128, said.encode())
    found = Mirror("/x/repo.git").fault(error, UnreachableError("upstream did not send it"))
    assert type(found) is kind
    assert ("/x/repo.git" in found.message) is (kind is HostFaultError)
