"""What uv's and pip's resolutions say about where each package comes from."""

import pytest

from autoupdate.worker.packages.resolution import (
    Own,
    Pin,
    Resolution,
    from_json,
    of_lock,
    of_report,
)

LOCK = {
    "packages": [
        {"name": "app", "directory": {"path": "/r/1", "editable": True}},
        {"name": "lib", "directory": {"path": "../1/libs/lib"}},
        {"name": "vendored", "version": "1", "archive": {"path": "/r/1/vendor/v.whl"}},
        {"name": "found", "version": "2", "wheels": [{"url": "file:///r/1/wheels/found.whl"}]},
        {"name": "outside", "directory": {"path": "/opt/outside"}},
        {"name": "git", "version": "3", "vcs": {
            "type": "git", "url": "https://host/x.git", "commit-id": "ab", "subdirectory": "py"}},
        {"name": "direct", "version": "4", "archive": {
            "url": "https://host/d.whl", "hashes": {"sha256": "cc"}, "size": 7}},
        {"name": "click", "version": "8",
         "sdist": {"url": "u", "size": 9, "hashes": {"sha256": "aa"}},
         "wheels": [{"url": "w", "size": 5, "hashes": {"sha256": "bb"}}]},
    ]
}  # fmt: skip
REPORT = {
    "install": [
        {"metadata": {"name": "app", "version": "1"}, "is_direct": True,
         "download_info": {"url": "file:///r/1", "dir_info": {"editable": True}}},
        {"metadata": {"name": "lib", "version": "1"}, "is_direct": True,
         "download_info": {"url": "file:///r/1/libs/lib", "dir_info": {}}},
        {"metadata": {"name": "found", "version": "2"}, "is_direct": False,
         "download_info": {"url": "file:///r/1/wheels/f.whl", "archive_info": {}}},
        {"metadata": {"name": "git", "version": "3"}, "is_direct": True,
         "download_info": {"url": "https://host/x.git", "subdirectory": "py",
                           "vcs_info": {"vcs": "git", "commit_id": "ab"}}},
        {"metadata": {"name": "click", "version": "8"}, "is_direct": False,
         "download_info": {"url": "https://index/c.whl", "archive_info": {
             "hashes": {"sha256": "bb"}}}},
    ]
}  # fmt: skip
GIT = Pin("git", "3", "git+https://host/x.git@ab#subdirectory=py")


def test_resolution_of_uv() -> None:
    found = of_lock(LOCK, "/r/x", "/r/1")
    assert found.own == (
        Own("app", "", editable=True), Own("lib", "libs/lib"),
        Own("vendored", "vendor/v.whl", is_archive=True),
        Own("found", "wheels/found.whl", is_archive=True), Own("outside", "/opt/outside"),
    )  # fmt: skip
    assert found.pins == (
        GIT, Pin("direct", "4", "https://host/d.whl", ("sha256:cc",), 7),
        Pin("click", "8", "", ("sha256:aa", "sha256:bb"), 9),
    )  # fmt: skip


def test_resolution_of_pip() -> None:
    found = of_report(REPORT, "/r/1")
    assert found.own == (
        Own("app", "", editable=True), Own("lib", "libs/lib"),
        Own("found", "wheels/f.whl", is_archive=True),
    )  # fmt: skip
    assert found.pins == (GIT, Pin("click", "8", "", ("sha256:bb",)))


def test_a_resolution_is_written_and_read() -> None:
    found = of_lock(LOCK, "/r/x", "/r/1")
    assert from_json(found.to_json()) == found
    with pytest.raises(KeyError):
        from_json({})


def test_requirement_lines() -> None:
    assert GIT.requirement() == "git @ git+https://host/x.git@ab#subdirectory=py"
    pins = Resolution((Pin("click", "8", "", ("sha256:aa",)),), ()).pins
    assert pins[0].requirement() == "click==8 --hash=sha256:aa"
