"""What tests ask of a running host: files, units, the journal."""

import io
import json
import re
import tarfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tools.lib.hosts.commands import Completed

Result = TypeVar("Result")


class Inside(ABC):
    """Everything that only needs a way to run commands in the host."""

    @abstractmethod
    def run(
        self,
        *arguments: str | Path,
        check: bool = True,
        timeout: float = 120,
        user: str | None = None,
        input: str | bytes = b"",  # noqa: A002 - the name that subprocess uses
        cwd: str = "/",
    ) -> Completed:
        """Run a command in the host."""

    @abstractmethod
    def port(self, name: str) -> int:
        """Return a free TCP port of the loopback; the same one for the same name."""

    @abstractmethod
    def diagnosis(self) -> str:
        """Return what helps to understand a failed test."""

    # Files

    def read(self, path: str | Path) -> str:
        """Return the text of a file."""
        return self.run("cat", path).stdout

    def write(self, path: str | Path, text: str | bytes, mode: int = 0o644) -> None:
        """Write a file and the directories above it, as root."""
        script = f'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod {mode:o} "$1"'
        self.run("sh", "-c", script, "write", path, input=text)

    def copy_in(self, source: Path, target: str | Path) -> None:
        """Copy a file, or a directory's contents, from the machine to this path in the host."""
        if not source.is_dir():
            self.write(target, source.read_bytes(), source.stat().st_mode & 0o777)
            return
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(source, arcname=".", filter=_as_root)
        self.run("mkdir", "-p", target)
        self.run("tar", "--extract", "--directory", target, input=packed.getvalue())

    def exists(self, path: str | Path) -> bool:
        """Return whether a path exists; a dangling link counts."""
        return self.run("sh", "-c", '[ -e "$1" ] || [ -L "$1" ]', "exists", path, check=False).ok

    # Units

    def systemctl(self, *arguments: str, check: bool = True, timeout: float = 120) -> Completed:
        """Run systemctl."""
        return self.run("systemctl", *arguments, check=check, timeout=timeout)

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Return properties of a unit, all of them if none is named."""
        wanted = [f"--property={','.join(properties)}"] if properties else []
        lines = self.systemctl("show", *wanted, "--", unit).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def failed_units(self) -> list[str]:
        """Return the names of units that have failed."""
        out = self.systemctl("list-units", "--failed", "--plain", "--no-legend").stdout
        return [line.split()[0] for line in out.splitlines() if line.strip()]

    def wait_active(self, unit: str, timeout: float = 30) -> None:
        """Wait until a unit is active; fail at once if it has failed and is not started again."""

        def active() -> bool:
            state = self.show(unit, "ActiveState", "SubState", "Result", "Job")
            # If it has a job, it will be started again.
            if state["ActiveState"] == "failed" and not state.get("Job"):
                raise AssertionError(f"{unit} failed ({state['Result']})\n{self.journal(unit)}")
            return state["ActiveState"] == "active"

        self.wait_for(active, timeout, f"{unit} active")

    def wait_for(
        self, predicate: Callable[[], Result], timeout: float = 30, what: str = ""
    ) -> Result:
        """Call until the result is true, and return it; fail with a diagnosis of the host."""
        deadline = time.monotonic() + timeout
        while True:
            answer = predicate()
            if answer:
                return answer
            if time.monotonic() > deadline:
                name = what or getattr(predicate, "__name__", "condition")
                raise AssertionError(f"{name}: not within {timeout:g} s\n{self.diagnosis()}")
            time.sleep(0.05)

    # Journal

    def journal(self, of: str = "", lines: int | None = None) -> str:
        """Return journal lines of a unit (`a.service`), an identifier (`autoupdate`), or all."""
        limit = [f"--lines={lines}"] if lines else []
        return self.run(
            "journalctl", "--no-pager", "--quiet", "--output=short-iso-precise",
            *_journal_filter(of), *limit,
        ).stdout  # fmt: skip

    def journal_entries(self, of: str = "") -> list[dict[str, Any]]:
        """Return journal entries with all their fields."""
        out = self.run("journalctl", "--no-pager", "--quiet", "--output=json", *_journal_filter(of))
        return [json.loads(line) for line in out.stdout.splitlines()]


def _as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _journal_filter(of: str) -> list[str]:
    if not of:
        return []
    kinds = r"\.(service|timer|socket|mount|target|path|slice|scope)$"
    return [f"--unit={of}"] if re.search(kinds, of) else [f"--identifier={of}"]
