"""What the shells offer when the Tab key is pressed."""

import os
import pty
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.model.paths import Paths
from docs.completion.generate import scripts
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, run

RELEASE = "20260101T000000Z-0123456789ab"
# Upstream's code could leave such a name, and root could press the Tab key.
EVIL = "$(touch evil)"


class Host:
    """The scripts, and the files of a host that they read."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        paths = Paths(str(directory))
        for file in (f"{paths.vendor}/apps/ipfs-accelerate.toml", f"{paths.etc}/apps/website.toml"):
            Path(file).parent.mkdir(parents=True)
            Path(file).touch()
        for release in (RELEASE, EVIL):
            (Path(paths.app("website").releases) / release).mkdir(parents=True)
        for name, text in scripts(paths).items():
            script = directory / name
            script.parent.mkdir()
            script.write_text(text)

    def bash(self, *words: str) -> set[str]:
        """Return what bash offers for the last of some words."""
        ask = (
            'set -u; source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1));'
            ' _autoupdatectl; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        script = self.directory / "bash/autoupdatectl"
        entry = ("bash", "--norc", "-c", ask, "bash", script, "autoupdatectl")
        return set(run(*entry, *words, cwd=self.directory).stdout.split())

    def fish(self, *words: str) -> set[str]:
        """Return what fish offers, without descriptions."""
        ask = 'source $argv[1]; complete --do-complete "$argv[2]"'
        script = self.directory / "fish/autoupdatectl.fish"
        line = " ".join(("autoupdatectl", *words))
        home = {**CLEAN_ENVIRONMENT, "HOME": str(self.directory)}
        command = ("fish", "--no-config", "--command", ask, script, line)
        offered = run(*command, cwd=self.directory, environment=home).stdout
        return {answer.partition("\t")[0] for answer in offered.splitlines()}

    def zsh(self, *words: str) -> str:
        """Return what a zsh on a terminal shows when the Tab key is pressed twice."""
        leader, follower = pty.openpty()
        environment = {**CLEAN_ENVIRONMENT, "HOME": str(self.directory), "TERM": "dumb"}
        shell = subprocess.Popen(
            ("zsh", "-f", "-i"), stdin=follower, stdout=follower, stderr=follower,
            cwd=self.directory, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(follower)
        os.set_blocking(leader, False)
        try:
            setup = (
                "fpath=(./zsh $fpath); autoload -Uz compinit; compinit -u -D; PS1=; echo rea''dy\n"
            )
            os.write(leader, setup.encode())
            _read_until(leader, "ready")
            os.write(leader, f"autoupdatectl {' '.join(words)}\t\t".encode())
            shown = _read_until(leader, "")
        finally:
            shell.kill()
            shell.wait()
            os.close(leader)
        return shown


def _read_until(terminal: int, wanted: str) -> str:
    """Return the output of a terminal until a word appears, or no output for a second."""
    shown, still_since, deadline = "", time.monotonic(), time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            shown += os.read(terminal, 65536).decode()
            still_since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.02)
        if wanted in shown and (wanted or (shown and time.monotonic() - still_since > 1)):
            return shown
    raise AssertionError(f"no {wanted!r} within 30 s, only {shown!r}")


def needs(shell: str) -> None:
    """Skip without a shell; CI has all of them, so there it is a failure."""
    if shutil.which(shell) is None:
        reason = f"{shell} is not installed on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Return the files of a host with two apps and a release, and one evil name."""
    made = Host(tmp_path)
    yield made
    assert not (tmp_path / "evil").exists(), "a name of a directory was executed"


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_words(host: Host, shell: str) -> None:
    needs(shell)
    offered = getattr(host, shell)
    assert {"run", "rollback", "status"} <= offered("")
    assert offered("rol") == {"rollback"}
    assert offered("status", "") == {"ipfs-accelerate", "website"}
    assert {RELEASE, "website"} <= offered("rollback", "")
    assert offered("rollback", "2") == {RELEASE}
    assert {"--force", "--no-wait", "--json"} <= offered("run", "--")
    assert offered("history", "--limit", "") == set()


def test_zsh(host: Host) -> None:
    needs("zsh")
    shown = host.zsh("")
    assert "rollback" in shown
    assert "Roll back to the previous release" in shown
    shown = host.zsh("status", "")
    assert "ipfs-accelerate" in shown
    assert "website" in shown
    assert RELEASE in host.zsh("rollback", "2")
    assert "--no-wait" in host.zsh("run", "--n")


def test_bash_leaves_nothing_behind_in_the_shell(host: Host) -> None:
    """A completion runs in the user's own shell."""
    before = 'COMP_WORDS=(autoupdatectl status ""); COMP_CWORD=2; COMPREPLY=();'
    ask = f'source "$1"; {before} compgen -v >before; _autoupdatectl; compgen -v >after'
    run("bash", "--norc", "-c", ask, "bash", "bash/autoupdatectl", cwd=host.directory)
    old, new = ((host.directory / name).read_text().split() for name in ("before", "after"))
    assert set(new) - set(old) <= {"_", "PIPESTATUS", "BASH_REMATCH", "FUNCNAME"}
