"""Compiled modules are taken over from the release before, if they are those of the same source."""

import errno
import importlib.util
import os
import py_compile
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from autoupdate.worker.environment.bytecode import compile_listed
from autoupdate.worker.environment.compiled import take_over

INTERPRETER = f"/usr/bin/python3 Python {sys.version_info[0]}.{sys.version_info[1]}.1"


def compile_by_time(module: Path) -> None:
    """Compile a module as installers do, also where a package is built (SOURCE_DATE_EPOCH)."""
    mode = py_compile.PycInvalidationMode.TIMESTAMP
    py_compile.compile(str(module), invalidation_mode=mode, doraise=True)


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """Return a release and the one before, which has two compiled modules."""
    new, old = tmp_path / "new", tmp_path / "old"
    for place in (new, old):
        (place / "app").mkdir(parents=True)
        for name in ("same", "changed"):
            (place / f"app/{name}.py").write_text(f"NAME = {name!r}\n")
    (new / "app/changed.py").write_text("NAME = 'other'\n")
    for module in (old / "app").glob("*.py"):
        os.utime(module, (1_000_000_000, 1_000_000_000))
        compile_by_time(module)
    return new, old


def left(trees: tuple[Path, Path], interpreter: str = INTERPRETER) -> list[str]:
    """Take over; return the names of what has to be compiled."""
    new, old = trees
    found = take_over([f"{new}/app"], str(new), str(old), interpreter)
    return sorted(os.path.basename(module) for module in found)


def test_it_is_used_by_the_import_of_the_new_release(trees: tuple[Path, Path]) -> None:
    assert left(trees) == ["changed.py"]
    source = str(trees[0] / "app/same.py")
    cache = importlib.util.cache_from_source(source)
    content = Path(cache).read_bytes()
    spec = importlib.util.spec_from_file_location("same", source)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.NAME == "same"
    assert module.__cached__ == cache
    assert Path(cache).read_bytes() == content, "it was not compiled again"
    assert not os.path.exists(importlib.util.cache_from_source(str(trees[0] / "app/changed.py")))


def test_a_source_that_was_edited_after_it_was_compiled(trees: tuple[Path, Path]) -> None:
    """The edit was undone in the file, but the compiled module has it."""
    source = trees[1] / "app/same.py"
    text = source.read_text()
    source.write_text("NAME = 'edit'\n")
    compile_by_time(source)
    source.write_text(text)
    os.utime(source, (1_000_000_001, 1_000_000_001))
    assert left(trees) == ["changed.py", "same.py"]


def test_an_edit_stays_in_its_release(trees: tuple[Path, Path]) -> None:
    source = trees[1] / "app/same.py"
    source.write_text("NAME = 'edit'\n")
    compile_by_time(source)
    assert left(trees) == ["changed.py", "same.py"]


def test_what_nobody_can_use(trees: tuple[Path, Path]) -> None:
    assert left(trees, "/usr/bin/python3 Python 2.7.1") == ["changed.py", "same.py"]
    assert left(trees, "pypy") == ["changed.py", "same.py"]
    assert take_over([f"{trees[0]}/app/same.py"], str(trees[0]), "", INTERPRETER) == [
        f"{trees[0]}/app/same.py"
    ]


def test_a_module_that_is_checked_by_its_hash(trees: tuple[Path, Path]) -> None:
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    py_compile.compile(str(trees[1] / "app/same.py"), invalidation_mode=mode, doraise=True)
    assert left(trees) == ["changed.py", "same.py"]


def test_a_full_disk_leaves_no_half_module(
    trees: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its header would be right, so that nobody compiled it again, and no import could read it."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "rename", fail)
    assert left(trees) == ["changed.py", "same.py"]
    assert os.listdir(trees[0] / "app/__pycache__") == []


def test_a_package_may_have_a_file_of_any_name(tmp_path: Path) -> None:
    """Such as a directory of data in the environment."""
    (tmp_path / ".venv/modules").mkdir(parents=True)
    listed: list[str] = []

    def command(words: Sequence[str], directory: str, more: dict[str, str]) -> tuple[int, str]:
        assert (directory, more) == ("/", {})
        listed.extend(Path(words[-1]).read_text().splitlines())
        return 0, ""

    compile_listed(command, str(tmp_path), ["/r/a.py", "/r/line\nfeed.py", "/r/b.py"])
    assert listed == ["/r/a.py", "/r/b.py"]
    assert os.listdir(tmp_path / ".venv") == ["modules"]


def test_links_and_pipes_of_upstream(trees: tuple[Path, Path], tmp_path: Path) -> None:
    """Nothing is written through a link, and nothing waits for a pipe."""
    new, old = trees
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (new / "app/__pycache__").symlink_to(elsewhere)
    for place in trees:
        os.mkfifo(place / "app/pipe.py")
        (place / "app/loop.py").symlink_to("loop.py")
        (place / "app/same-link.py").symlink_to("same.py")
    (old / "app/__pycache__" / f"damaged.{sys.implementation.cache_tag}.pyc").write_bytes(b"x")
    for place in trees:
        (place / "app/damaged.py").write_text("")
    assert len(left(trees)) == 6
    assert os.listdir(elsewhere) == []
