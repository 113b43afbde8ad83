"""Lock files of several tools: which versions they say, for this interpreter."""

from pathlib import Path

import pytest

from autoupdate.worker.packages.lock_files import read

UV = """
version = 1
[[package]]
name = "click"
version = "8.1.3"
source = { registry = "https://index/simple" }
sdist = { url = "https://index/click.tar.gz", hash = "sha256:aa" }
wheels = [{ url = "https://index/click.whl", hash = "sha256:bb" }]
[[package]]
name = "numpy"
version = "2.2.6"
source = { registry = "https://index/simple" }
resolution-markers = ["python_full_version < '3.11'"]
[[package]]
name = "numpy"
version = "2.3.1"
source = { registry = "https://index/simple" }
resolution-markers = ["python_full_version >= '3.11'"]
[[package]]
name = "shop"
version = "1"
source = { editable = "." }
[[package]]
name = "tool"
version = "3"
source = { git = "https://host/tool.git?rev=v3#0123" }
"""
POETRY = """
[[package]]
name = "Zope.Interface"
version = "6.0"
files = [{file = "zope.whl", hash = "sha256:cc"}]
[[package]]
name = "colorama"
version = "0.4"
markers = "sys_platform == 'win32'"
files = []
[[package]]
name = "forked"
version = "1"
source = {type = "git", url = "https://host/forked.git"}
"""
PEP_751 = """
lock-version = "1.0"
[[packages]]
name = "idna"
version = "3.6"
wheels = [{url = "https://index/idna.whl", hashes = {sha256 = "dd"}}]
[[packages]]
name = "app"
directory = {path = "."}
"""


@pytest.mark.parametrize(
    ("file", "text", "versions"),
    [
        ("uv.lock", UV, {"click": "8.1.3", "numpy": "2.3.1"}),
        ("poetry.lock", POETRY, {"zope-interface": "6.0"}),
        ("pylock.toml", PEP_751, {"idna": "3.6"}),
    ],
)
def test_versions(tmp_path: Path, file: str, text: str, versions: dict[str, str]) -> None:
    (tmp_path / file).write_text(text)
    found, faults = read(str(tmp_path), [""], "3.11.2")
    assert {name: item.version for name, item in found.items()} == versions
    assert faults == []


def test_hashes(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text(UV)
    (tmp_path / "api").mkdir()
    (tmp_path / "api/pylock.toml").write_text(PEP_751)
    found, _ = read(str(tmp_path), ["", "api/"], "3.11.2")
    assert found["click"].hashes == ("sha256:aa", "sha256:bb")
    assert found["idna"].hashes == ("sha256:dd",)


@pytest.mark.parametrize("text", ["not toml", "[[package]]\nversion = '1'\n", "package = 3\n"])
def test_what_cannot_be_read_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "uv.lock").write_text(text)
    found, faults = read(str(tmp_path), [""], "3.11.2")
    assert found == {}
    assert faults[0].startswith("uv.lock cannot be read, and is not kept to")


def test_files_of_other_tools_are_named(tmp_path: Path) -> None:
    for name in ("Pipfile.lock", "pylock.dev.toml", "environment.yml", "requirements.txt"):
        (tmp_path / name).touch()
    found, faults = read(str(tmp_path), [""], "3.11.2")
    assert found == {}
    assert [fault.partition(" is not read: ")[0] for fault in faults] == [
        "Pipfile.lock", "environment.yml", "pylock.dev.toml",
    ]  # fmt: skip
