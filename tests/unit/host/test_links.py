"""The links that lead to the current release."""

import os
from pathlib import Path

import pytest

from autoupdate.host.links import (
    claim,
    is_managed,
    linked_release,
    place,
    replace_link,
    switch,
)
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import AppPaths, Paths


@pytest.fixture
def paths(tmp_path: Path) -> AppPaths:
    """Return the paths of an app whose home exists."""
    paths = Paths(str(tmp_path)).app("demo")
    os.makedirs(paths.home)
    return paths


def tree(directory: Path) -> list[str]:
    """Return everything below a directory, with what links lead to."""
    return sorted(
        f"{entry} {os.readlink(entry) if entry.is_symlink() else ''}"
        for entry in directory.rglob("*")
    )


def test_switch(paths: AppPaths) -> None:
    switch(paths, "r1", "")
    assert (linked_release(paths.current), linked_release(paths.previous)) == ("r1", "")
    switch(paths, "r2", "r1")
    assert (linked_release(paths.current), linked_release(paths.previous)) == ("r2", "r1")
    switch(paths, "r3", "")
    assert not os.path.lexists(paths.previous)
    # Relative, so that the whole directory can be moved or mounted elsewhere.
    assert os.readlink(paths.current) == "releases/r3"
    assert sorted(os.listdir(paths.home)) == ["current"]


def test_replace_link_overwrites_what_a_killed_run_left(paths: AppPaths) -> None:
    os.symlink("releases/half", f"{paths.current}.new")
    replace_link("releases/r1", paths.current)
    assert linked_release(paths.current) == "r1"
    assert not os.path.lexists(f"{paths.current}.new")


def test_link_by_a_former_name(tmp_path: Path, paths: AppPaths) -> None:
    link, apps = tmp_path / "app", os.path.dirname(paths.home)
    for name, leads_to, ours in (
        ("former", "demo", True), ("other", "another", False), ("gone", "", False),
    ):  # fmt: skip
        if leads_to:
            os.symlink(leads_to, f"{apps}/{name}")
        link.unlink(missing_ok=True)
        link.symlink_to(f"{apps}/{name}/current")
        assert is_managed(str(link), paths) is ours, name
    link.unlink()
    # Whoever owns that link could let it lead elsewhere later.
    (tmp_path / "somebody's").symlink_to(paths.home)
    link.symlink_to(tmp_path / "somebody's/current")
    assert not is_managed(str(link), paths)


@pytest.mark.parametrize("target", ["/srv/app", "elsewhere/r1"])
def test_link_of_somebody_else_is_not_a_release(paths: AppPaths, target: str) -> None:
    os.symlink(target, paths.current)
    assert linked_release(paths.current) == ""
    assert linked_release(paths.previous) == ""


def test_place_puts_the_link_once(paths: AppPaths, tmp_path: Path) -> None:
    path = f"{tmp_path}/app"
    claim(path, paths)
    assert not os.path.lexists(path), "claim changes nothing"
    place(path, paths)
    assert is_managed(path, paths)
    assert os.readlink(path) == paths.current
    before = os.lstat(path).st_ino
    place(path, paths)
    assert os.lstat(path).st_ino == before


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("directory", "already exists and is not managed by autoupdate: it is a directory;"),
        ("file", "already exists and is not managed by autoupdate: it is a file;"),
        ("link", "is not managed by autoupdate: it is a link to /srv/other;"),
        ("link to our home", "already exists and is not managed by autoupdate"),
        ("missing parent", "is not a directory"),
        ("parent is a file", "is not a directory"),
    ],
)
def test_an_existing_path_is_not_changed(
    paths: AppPaths, tmp_path: Path, kind: str, said: str
) -> None:
    path = tmp_path / "app"
    if kind == "directory":
        path.mkdir()
    elif kind == "file":
        path.write_text("mine")
    elif kind == "link":
        path.symlink_to("/srv/other")
    elif kind == "link to our home":
        path.symlink_to(paths.home)
    elif kind == "missing parent":
        path = tmp_path / "missing" / "app"
    else:
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "app"
    before = tree(tmp_path)
    for action in (claim, place):
        with pytest.raises(ConfigurationError) as caught:
            action(str(path), paths)
        assert said in caught.value.message
        assert str(path) in caught.value.message
        assert caught.value.advice
    assert tree(tmp_path) == before
