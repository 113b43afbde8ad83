"""The `.venv` of a release: a copy of its environment that cannot change other releases."""

import os
from pathlib import Path

import pytest

from autoupdate.model.errors import HostFaultError
from autoupdate.worker.environment.files import adapt, remove
from autoupdate.worker.environment.linked_copy import (
    BUILD_TOOLS,
    COMPLETE,
    RESOLVED,
    link,
    provide,
    seal,
)
from tests.unit.worker.test_environment import make_environment


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """Return a complete environment."""
    template = tmp_path / "environments/key"
    make_environment(str(template))
    for name in (COMPLETE, RESOLVED):
        (template / name).touch()
    (template / BUILD_TOOLS).mkdir()
    return template


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Return a work tree."""
    release = tmp_path / "releases/r 1"
    release.mkdir(parents=True)
    return release


def test_copy(tmp_path: Path, template: Path, release: Path) -> None:
    copy = release / ".venv"
    provide(str(template), f"{tmp_path}/linking", f"{release}/.venv", None)
    # Other users must not be able to lock an installer's file in there.
    assert copy.stat().st_mode & 0o777 == 0o700
    adapt(str(copy), str(template))
    shared = "lib/package/__init__.py"
    assert os.path.samefile(template / shared, copy / shared)
    pip = copy / "bin/pip"
    assert pip.read_text().startswith(f"#!{copy}/bin/python\n")
    assert pip.stat().st_mode & 0o777 == 0o755
    assert str(template) not in (copy / "pyvenv.cfg").read_text()
    assert os.readlink(copy / "bin/python") == "/usr/bin/python3"
    assert sorted(os.listdir(copy)) == ["bin", "lib", "pyvenv.cfg"]
    assert not os.path.exists(tmp_path / "linking")
    # A file with a path in it is not a hard link: writing in place changes only this release.
    for own in (pip, copy / "pyvenv.cfg"):
        original = template / own.relative_to(copy)
        before = original.read_text()
        with own.open("r+") as stream:
            stream.write("changed in place")
        assert original.read_text() == before


def test_a_template_that_is_older_than_the_name_of_its_app(tmp_path: Path) -> None:
    """Its scripts have the name that the app had when they were installed."""
    apps = tmp_path / "autoupdate"
    made = apps / "web.1/environments/key"
    make_environment(str(made))
    copy = apps / "shop/releases/r1/.venv"
    (apps / "web.1").rename(apps / "shop")
    (apps / "web.1").symlink_to("shop")
    provide_of = apps / "shop/environments/key"
    (provide_of / COMPLETE).touch()
    copy.parent.mkdir(parents=True)
    provide(str(provide_of), f"{tmp_path}/linking", str(copy), None)
    other = f"#!{apps}/web.1/environments/other/bin/python\n"
    (copy / "bin/of-another").write_text(other)
    adapt(str(copy), str(provide_of))
    assert (copy / "bin/pip").read_text().startswith(f"#!{copy}/bin/python\n")
    assert "web.1" not in (copy / "pyvenv.cfg").read_text()
    assert (copy / "bin/of-another").read_text() == other
    assert str(made) in (provide_of / "bin/pip").read_text(), "the template is not changed"


def test_what_a_killed_run_left_is_overwritten(tmp_path: Path, template: Path) -> None:
    (tmp_path / "linking/lib/left-over").mkdir(parents=True)
    link(str(template), f"{tmp_path}/linking", None)
    assert not (tmp_path / "linking/lib/left-over").exists()


def test_files_of_all_releases_are_read_only(tmp_path: Path, template: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("another file")
    outside.chmod(0o666)
    (template / "lib/led-out").symlink_to(outside)
    (template / "lib/directory").symlink_to(tmp_path)
    os.mkfifo(template / "lib/pipe")
    (template / "lib/package/__init__.py").chmod(0o4666)
    (template / "lib/secret").touch(0o600)
    seal(str(template))
    found = {name: os.stat(template / name).st_mode & 0o7777 for name in (
        "lib/package/__init__.py", "lib/secret", "bin/pip", COMPLETE
    )}  # fmt: skip
    executable = found.pop("bin/pip")
    assert (executable, set(found.values())) == (0o755, {0o644})
    assert outside.stat().st_mode & 0o777 == 0o666, "a link was followed"


@pytest.mark.parametrize("what", ["file", "link", "directory"])
def test_what_upstream_has_in_that_place(
    tmp_path: Path, template: Path, release: Path, what: str
) -> None:
    place = release / ".venv"
    if what == "file":
        place.touch()
    elif what == "link":
        place.symlink_to(template)
    else:
        (place / "lib").mkdir(parents=True)
    with pytest.raises(HostFaultError, match="cannot be copied"):
        provide(str(template), f"{tmp_path}/linking", f"{release}/.venv", None)
    remove(str(place))
    assert template.exists()
    provide(str(template), f"{tmp_path}/linking", f"{release}/.venv", None)
    assert (place / "lib/package/__init__.py").is_file()
