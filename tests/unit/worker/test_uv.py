"""uv: where it comes from, the host's settings that it gets, and builds without it."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from autoupdate.config.sections import Build
from autoupdate.model.errors import AutoupdateError, HostFaultError, UnreachableError
from autoupdate.worker.environment.environment import EnvironmentBuilder
from autoupdate.worker.packages import pip_settings, uv
from autoupdate.worker.packages.requirements import index_options

PIP = """
[global]
index-url = https://index.example/simple
cert = /etc/ssl/own.pem
[install]
extra-index-url =
    https://one.example/simple
    https://two.example/simple
find_links = /srv/wheels
"""
TRANSLATED = {
    "UV_DEFAULT_INDEX": "https://index.example/simple",
    "UV_INDEX": "https://one.example/simple https://two.example/simple",
    "UV_FIND_LINKS": "/srv/wheels",
    "SSL_CERT_FILE": "/etc/ssl/own.pem",
    "UV_INDEX_STRATEGY": "unsafe-best-match",
}


class Pip:
    """Takes the place of the commands that download uv."""

    def __init__(self) -> None:
        self.commands: list[Sequence[str]] = []
        self.status = 0
        self.said = ""

    def __call__(self, words: Sequence[str], *_: object) -> tuple[int, str]:
        """Run one."""
        self.commands.append(words)
        if words[1:4] == ["-I", "-m", "venv"]:
            os.makedirs(words[-1])
        return self.status, self.said


@pytest.fixture(autouse=True)
def _host_without_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uv, "SEARCH_PATH", str(tmp_path))


def test_fetched_once(tmp_path: Path) -> None:
    pip = Pip()
    assert uv.find(str(tmp_path)) == ""
    program = uv.fetch(str(tmp_path), "/usr/bin/python3", pip)
    assert program == uv.find(str(tmp_path)) == f"{tmp_path}/{uv.DIRECTORY}/bin/uv"
    assert "--require-hashes" in pip.commands[-1]
    wanted = Path(tmp_path, uv.DIRECTORY, "requirements.txt").read_text()
    assert wanted.startswith(f"uv=={uv.VERSION} --hash=sha256:")


def test_failed_download_is_not_tried_again_soon(tmp_path: Path) -> None:
    pip = Pip()
    pip.status = 1
    assert uv.fetch(str(tmp_path), "/usr/bin/python3", pip) == ""
    assert uv.fetch(str(tmp_path), "/usr/bin/python3", pip) == ""
    assert len(pip.commands) == 1
    assert os.listdir(tmp_path) == [uv.MISSING], "builds may write to what is not complete"
    os.utime(tmp_path / uv.MISSING, (1, 1))
    pip.status = 0
    assert uv.fetch(str(tmp_path), "/usr/bin/python3", pip)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Could not fetch URL https://a.example/simple/uv/: connection error: [Errno 111]"
         " Connection refused - skipping\nERROR: No matching distribution found for uv",
         UnreachableError),
        ("ERROR: No matching distribution found for uv", HostFaultError),
    ],
)  # fmt: skip
def test_uv_that_is_wanted_is_tried_again_and_blames_no_commit(
    tmp_path: Path, said: str, kind: type[AutoupdateError]
) -> None:
    pip = Pip()
    pip.status, pip.said = 1, said
    for number in (1, 2):
        with pytest.raises(kind) as caught:
            uv.fetch(str(tmp_path), "/usr/bin/python3", pip, needed=True)
        assert type(caught.value) is kind
        assert "not installed and cannot be downloaded" in caught.value.message
        assert len(pip.commands) == number


@pytest.mark.parametrize("wanted", ["auto", "pip", "uv"])
def test_builds_without_uv(tmp_path: Path, wanted: str) -> None:
    pip = Pip()
    pip.status = 1
    settings = Build(
        python="/usr/bin/python3", installer=wanted, requirements=(), extras=(),
        extra_requirements=(), install="auto", directory="", editable=True, upgrade="needed",
        timeout=60.0,
    )  # fmt: skip
    builder = EnvironmentBuilder(str(tmp_path), settings, pip)
    if wanted == "uv":
        with pytest.raises(HostFaultError, match="not installed and cannot be downloaded"):
            assert builder.tool.installer
    else:
        assert builder.tool.installer.name == "pip"
    assert bool(pip.commands) is (wanted != "pip")


def test_settings_of_pip_count_for_uv(tmp_path: Path) -> None:
    assert pip_settings.of_host(str(tmp_path)) == ({}, (), ())
    (tmp_path / "etc/uv").mkdir(parents=True)
    (tmp_path / "etc/pip.conf").write_text(PIP)
    assert pip_settings.of_host(str(tmp_path)).variables == TRANSLATED
    (tmp_path / "etc/uv/uv.toml").touch()
    assert pip_settings.of_host(str(tmp_path)) == ({}, (), ())


@pytest.mark.parametrize("text", ["", "no section", "[global]\n", "\xff[global"])
def test_settings_without_an_index(tmp_path: Path, text: str) -> None:
    (tmp_path / "pip.conf").write_text(text, encoding="latin-1")
    assert pip_settings.read([f"{tmp_path}/pip.conf"]) == {}


def test_indexes_that_are_asked() -> None:
    options = [["--find-links", "/w", "--index-url", "https://a/simple"], ["--no-index"]]
    host = {"UV_INDEX": "https://b https://c", "UV_DEFAULT_INDEX": "https://d"}
    asked = uv.indexes(options, host)
    assert asked == ["https://a/simple", "https://b", "https://c", "https://d"]


def test_index_of_a_requirements_file_counts_for_build_tools(tmp_path: Path) -> None:
    text = "--index-url=https://a/simple?x=1\n-f /wheels\n--no-index\nflask -f x\n# -i b\n"
    (tmp_path / "requirements.txt").write_text(text)
    assert index_options(f"{tmp_path}/requirements.txt") == [
        "--index-url", "https://a/simple?x=1", "--find-links", "/wheels", "--no-index",
    ]  # fmt: skip
