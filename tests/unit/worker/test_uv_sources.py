"""[tool.uv.sources] in words that pip understands."""

from pathlib import Path

import pytest

from autoupdate.model.errors import UpdateFailedError
from autoupdate.worker.packages.uv_sources import lines


def write(directory: Path, text: str) -> Path:
    """Write a pyproject.toml; return its directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pyproject.toml").write_text(text)
    return directory


def named(name: str, sources: str = "") -> str:
    """Return the text of a project with sources."""
    return f'[project]\nname = "{name}"\nversion = "1"\n[tool.uv.sources]\n{sources}\n'


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ('x = { path = "libs/x" }', "x @ file://{release}/libs/x"),
        ('X_y = { path = "libs/x y", editable = true }', "--editable file://{release}/libs/x%20y"),
        ('x = { git = "https://h/x.git", tag = "v1" }', "x @ git+https://h/x.git@v1"),
        (
            'x = { git = "https://h/x.git", rev = "abc", subdirectory = "py" }',
            "x @ git+https://h/x.git@abc#subdirectory=py",
        ),
        ('x = { url = "https://h/x-1.whl" }', "x @ https://h/x-1.whl"),
    ],
)
def test_sources(tmp_path: Path, source: str, line: str) -> None:
    for place in ("libs/x", "libs/x y"):
        write(tmp_path / place, named("x"))
    write(tmp_path, named("app", source))
    assert lines(str(tmp_path), str(tmp_path)) == [line.format(release=tmp_path)]


@pytest.mark.parametrize(
    "source",
    [
        'x = { index = "internal" }',
        "x = { workspace = true }",
        'x = [{ git = "https://h/x.git", marker = "os_name == \'nt\'" }]',
        'x = { path = "../outside" }',
        "x = 5",
    ],
)
def test_sources_without_words(tmp_path: Path, source: str) -> None:
    release = write(tmp_path / "release", named("app", source))
    write(tmp_path / "outside", named("x"))
    with pytest.raises(UpdateFailedError, match="x"):
        lines(str(release), str(release))


def test_members_of_a_workspace(tmp_path: Path) -> None:
    """Also those that a member names, and sources of the root that count for all."""
    root = '[tool.uv.workspace]\nmembers = ["libs/*"]\nexclude = ["libs/old"]\n'
    write(tmp_path, named("Root", 'z = { url = "https://h/z.whl" }') + root)
    app = write(tmp_path / "libs/app", named("app", "base_lib = { workspace = true }"))
    write(tmp_path / "libs/base", named("base-lib", "deep = { workspace = true }"))
    write(tmp_path / "libs/deep", named("deep"))
    write(tmp_path / "libs/old", named("deep"))
    assert lines(str(tmp_path), str(app)) == [
        f"--editable file://{tmp_path}/libs/base",
        "z @ https://h/z.whl",
        f"--editable file://{tmp_path}/libs/deep",
    ]


def test_nothing_to_say(tmp_path: Path) -> None:
    assert lines(str(tmp_path), str(tmp_path)) == []
    write(tmp_path, "[tool.ruff]\n")
    assert lines(str(tmp_path), str(tmp_path)) == []
    write(tmp_path, "not TOML")
    assert lines(str(tmp_path), str(tmp_path)) == []
