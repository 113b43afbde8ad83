"""pip.conf: what of it uv is given, what is named, and what leads to a new resolution."""

from pathlib import Path

import pytest

from autoupdate.model.errors import HostFaultError
from autoupdate.worker.packages.pip_settings import FILES, decided_by, for_uv, read

PROXY = "http://proxy.example:3128"
VARIABLES = [
    ("constraint = /etc/a.txt\n  /etc/b.txt", {"UV_CONSTRAINT": "/etc/a.txt /etc/b.txt"}),
    ("build_constraint = /etc/a.txt", {"UV_BUILD_CONSTRAINT": "/etc/a.txt"}),
    ("trusted-host = a.example\n  b.example:8443",
     {"UV_INSECURE_HOST": "a.example b.example:8443"}),
    ("timeout = 7.5", {"UV_HTTP_TIMEOUT": "8"}),
    ("retries = 0", {"UV_HTTP_RETRIES": "0"}),
    ("pre = yes", {"UV_PRERELEASE": "allow"}),
    ("pre = no", {}),
    ("client-cert = /etc/key.pem", {"SSL_CLIENT_CERT": "/etc/key.pem"}),
    ("no-build-isolation = false", {"UV_NO_BUILD_ISOLATION": "true"}),
    ("no-build-isolation = true", {}),
    ("keyring-provider = subprocess", {"UV_KEYRING_PROVIDER": "subprocess"}),
    ("uploaded-prior-to = 2026-01-01", {"UV_EXCLUDE_NEWER": "2026-01-01"}),
]  # fmt: skip
OPTIONS = [
    ("no-index = 1", ("--no-index",)),
    ("no-index = off", ()),
    ("no-binary = a,b", ("--no-binary", "a", "--no-binary", "b")),
    ("only-binary = numpy", ("--only-binary", "numpy")),
    ("config-settings = --jobs=2", ("--config-setting", "--jobs=2")),
]
LEFT_OUT = [
    "prefer-binary = true", "keyring-provider = import", "require-hashes = true",
    "only-binary = :all:", "timeout = soon", "ignore-requires-python = yes", "unheard-of = 1",
]  # fmt: skip
SILENT = ["prefer-binary = false", "quiet = 2", "no-cache-dir = true", "no-color = yes"]


def write(directory: Path, text: str, name: str = "pip.conf") -> str:
    """Write a file of settings."""
    (directory / name).write_text(text)
    return str(directory / name)


@pytest.mark.parametrize(("line", "variables"), VARIABLES)
def test_variables(tmp_path: Path, line: str, variables: dict[str, str]) -> None:
    assert for_uv(read([write(tmp_path, f"[install]\n{line}\n")])) == (variables, (), ())


def test_proxy(tmp_path: Path) -> None:
    found = for_uv(read([write(tmp_path, f"[global]\nproxy = {PROXY}\n")])).variables
    assert found["HTTPS_PROXY"] == found["https_proxy"] == found["ALL_PROXY"] == PROXY


@pytest.mark.parametrize(("line", "options"), OPTIONS)
def test_options(tmp_path: Path, line: str, options: tuple[str, ...]) -> None:
    assert for_uv(read([write(tmp_path, f"[global]\n{line}\n")])) == ({}, options, ())


@pytest.mark.parametrize("line", LEFT_OUT + SILENT)
def test_what_uv_has_no_equal_for_is_named(tmp_path: Path, line: str) -> None:
    file = write(tmp_path, f"[global]\n{line}\n")
    found = for_uv(read([file]))
    assert (found.variables, found.options) == ({}, ())
    assert len(found.left_out) == (line in LEFT_OUT)
    for said in found.left_out:
        assert said.startswith(f"{file}: {line.partition(' ')[0]} is not handed over")
        assert 'build.installer = "pip"' in said


def test_which_value_counts(tmp_path: Path) -> None:
    """As in pip: a later file, then the section of the command; what is empty does not count."""
    first = write(tmp_path, "[install]\nindex-url = https://a\n[global]\nretries = 1\n", "1")
    second = write(tmp_path, "[global]\nindex-url = https://b\nretries = 2\n[download]\npre = 1\n"
                   "[install]\nretries =\n", "2")  # fmt: skip
    found = read([first, second, str(tmp_path / "missing")])
    assert {name: option.value for name, option in found.items()} == {
        "index-url": "https://a", "retries": "2",
    }  # fmt: skip
    assert FILES[-1] == "/etc/pip.conf"


def test_what_decides(tmp_path: Path) -> None:
    limits = tmp_path / "limits.txt"
    limits.write_text("thing<2\n")
    files = [write(tmp_path, f"[global]\nconstraint = {limits}\ntimeout = 3\n")]
    before = decided_by(read(files))
    write(tmp_path, f"[global]\nconstraint = {limits}\ntimeout = 4\n")
    assert decided_by(read(files)) == before, "how long it may take decides nothing"
    limits.write_text("thing<3\n")
    assert decided_by(read(files)) != before
    limits.unlink()
    with pytest.raises(HostFaultError, match=r"pip.conf: constraint: .*limits.txt: No such file"):
        decided_by(read(files))
