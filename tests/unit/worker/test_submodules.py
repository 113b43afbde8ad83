"""URLs of submodules: which are allowed, and what a relative one means."""

import pytest

from autoupdate.model.errors import UpdateFailedError
from autoupdate.worker.repository.submodules import resolve

UPSTREAM = "https://forge.example/group/app.git"


@pytest.mark.parametrize(
    ("address", "upstream", "found"),
    [
        ("https://other.example/x.git", UPSTREAM, "https://other.example/x.git"),
        ("ssh://git@other.example/x.git", UPSTREAM, "ssh://git@other.example/x.git"),
        ("git@other.example:x.git", UPSTREAM, "git@other.example:x.git"),
        ("../other.git", UPSTREAM, "https://forge.example/group/other.git"),
        ("../../other/x", UPSTREAM, "https://forge.example/other/x"),
        ("./inner", UPSTREAM, "https://forge.example/group/app.git/inner"),
        ("../other.git", "git@forge.example:group/app.git", "git@forge.example:group/other.git"),
        (
            "../other.git",
            "ssh://git@forge.example:22/a/b",
            "ssh://git@forge.example:22/a/other.git",
        ),
        ("http://other.example/x", "http://forge.example/a", "http://other.example/x"),
        ("file:///srv/x", "file:///srv/app", "file:///srv/x"),
    ],
)
def test_urls(address: str, upstream: str, found: str) -> None:
    assert resolve(address, upstream) == found


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c touch% /tmp/owned", "ext://x", "file:///etc", "/etc", "http://plain.example/x",
        "--upload-pack=touch", "-oProxyCommand=x@y:z", "git@host:-x", "ssh://-oProxyCommand=x/y z",
        "fd::17", "../../../x", "", "https://other.example/a\nb", "../a\x1b[2J", "C:/x", "x",
    ],
)  # fmt: skip
def test_urls_that_are_not_allowed(address: str) -> None:
    with pytest.raises(UpdateFailedError, match="submodule"):
        resolve(address, UPSTREAM)
