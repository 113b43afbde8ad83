"""A booted Debian: a private copy of a prepared tree, with its own systemd and journald."""

import re
import signal
import subprocess
import time
import uuid
from os import kill
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.lib.hosts import commands, nspawn, ports, remains
from tools.lib.hosts.cache import running_directory
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, CommandFailedError, Completed
from tools.lib.hosts.inside import Inside
from tools.lib.hosts.janitor import Janitor
from tools.lib.hosts.layers import Image, PrivateCopy

_NAMESPACES = ("--mount", "--uts", "--ipc", "--pid", "--cgroup")


class HostError(AssertionError):
    """A host did not boot, or does not answer."""


class Host(Inside):
    """Boots with `boot()` or `with Host(image) as host`; keeps its files until `close()`.

    All hosts share the machine's network and loopback: use ports from `port()`.
    """

    def __init__(self, image: Image) -> None:
        """Copy the image; do not boot."""
        self.name = f"autoupdate-host-{uuid.uuid4().hex[:8]}"
        self._directory = running_directory() / self.name
        self._console = self._directory / "console.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._ports: dict[str, int] = {}
        Janitor.announce(self.name, self._directory)
        self._directory.mkdir()
        try:
            self.copy = PrivateCopy(image, self._directory)
            (self.root / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
        except BaseException:
            self.close()
            raise

    @property
    def root(self) -> Path:
        """The host's root directory on the machine; use it while the host is off."""
        return self.copy.root

    def port(self, name: str) -> int:
        """Return a free port of the shared loopback; the same one for the same name."""
        if name not in self._ports:
            self._ports[name] = ports.free_port()
        return self._ports[name]

    # Power

    @property
    def is_running(self) -> bool:
        """Return whether the host's systemd runs."""
        return self._process is not None and self._process.poll() is None

    def boot(self, timeout: float = 60, wait: bool = True) -> Self:
        """Boot; with `wait`, wait until all units of the boot are active or have failed."""
        if self.is_running:
            raise HostError(f"{self.name} runs already")
        remains.clear(self.name, None)
        deadline = time.monotonic() + timeout
        self._process = nspawn.start(self.name, self.root, self._console)
        self._leader = nspawn.find_leader(self._process, deadline)
        good = ("running", "degraded") if wait else ("running", "degraded", "starting")
        state = "not started"
        while self._leader and self.is_running and time.monotonic() < deadline:
            state = self._system_state()
            if state in good:
                return self
            time.sleep(0.02)
        report = f"{self.name} did not boot ({state})\n{self.diagnosis()}"
        self.kill()
        raise HostError(report)

    def poweroff(self, timeout: float = 60) -> None:
        """Shut down normally, as `systemctl poweroff` does."""
        if self._process is None or not self.is_running:
            return
        kill(self._leader, signal.SIGRTMIN + 4)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            report = f"{self.name} did not power off in {timeout:g} s\n{self.diagnosis()}"
            self.kill()
            raise HostError(report) from None
        self.kill()

    def kill(self) -> None:
        """Kill every process at once: a power cut.

        Data that was written but not synced is kept; only a real machine can lose its disk cache.
        """
        remains.clear(self.name, None)
        if self._process is not None:
            self._process.wait()
        self._process, self._leader = None, 0

    def reboot(self, power_cut: bool = False, timeout: float = 60, wait: bool = True) -> None:
        """Shut down normally or by a power cut, and boot again with the same files."""
        if power_cut:
            self.kill()
        else:
            self.poweroff(timeout)
        self.boot(timeout, wait)

    def take_changes(self, target: Path) -> None:
        """Move the host's changes into a layer for other hosts; the host cannot boot again."""
        self.kill()
        self.copy.unmount()
        self.copy.top.rename(target)

    def close(self) -> None:
        """End the host and remove its files."""
        self.kill()
        remains.clear(self.name, self._directory)
        Janitor.take_back(self.name)

    def __enter__(self) -> Self:
        """Boot, if it does not run yet."""
        try:
            return self if self.is_running else self.boot()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the host and remove its files."""
        self.close()

    # Commands

    def run(
        self,
        *arguments: str | Path,
        check: bool = True,
        timeout: float = 120,
        user: str | None = None,
        input: str | bytes = b"",  # noqa: A002 - the name that subprocess uses
        cwd: str = "/",
    ) -> Completed:
        """Run a command in the host, with a clean environment, as root or another user."""
        shown = tuple(str(word) for word in arguments)
        entry = self._entry(user, cwd)
        return commands.run(
            *entry, *shown, check=check, timeout=timeout, input=input, shown_as=shown
        )

    def popen(
        self, *arguments: str | Path, user: str | None = None, cwd: str = "/"
    ) -> "subprocess.Popen[str]":
        """Start a command in the host; end it with `commands.kill_group(process.pid)`."""
        return subprocess.Popen(
            [*self._entry(user, cwd), *(str(word) for word in arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=CLEAN_ENVIRONMENT,
            umask=0o022,
            start_new_session=True,
        )

    def _entry(self, user: str | None, cwd: str) -> list[str]:
        if not self.is_running or not self._leader:
            raise HostError(f"{self.name} is off")
        words = ["/usr/bin/nsenter", f"--target={self._leader}", *_NAMESPACES, "--"]
        words += ["/usr/bin/env", f"--chdir={cwd}"]
        if user is not None:
            number, group, home = self._account(user)
            words += [f"HOME={home}", f"USER={user}", "/usr/bin/setpriv", f"--reuid={number}"]
            words += [f"--regid={group}", "--init-groups", "--"]
        return words

    def _account(self, user: str) -> tuple[str, str, str]:
        for line in (self.root / "etc/passwd").read_text().splitlines():
            fields = line.split(":")
            if fields[0] == user:
                return fields[2], fields[3], fields[5]
        raise HostError(f"{self.name} has no user {user}")

    # Reports

    def console(self, lines: int = 40) -> str:
        """Return the end of the console output, without colours."""
        if not self._console.exists():
            return ""
        text = self._console.read_text(errors="replace")
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", text)
        return "\n".join(plain.splitlines()[-lines:])

    def diagnosis(self) -> str:
        """Return failed units, the end of the journal and of the console."""
        parts = [f"--- console of {self.name}\n{self.console()}"]
        for title, words in (
            ("failed units", ("systemctl", "list-units", "--failed", "--plain", "--no-legend")),
            ("journal", ("journalctl", "--no-pager", "--lines=80", "--output=short-precise")),
        ):
            try:
                parts.append(f"--- {title}\n{self.run(*words, check=False, timeout=10).stdout}")
            except (HostError, CommandFailedError) as error:
                parts.append(f"--- {title}\n{error}")
        return "\n".join(parts)

    def _system_state(self) -> str:
        try:
            answer = self.run("systemctl", "is-system-running", check=False, timeout=10)
        except (HostError, CommandFailedError) as error:
            return str(error)
        return answer.stdout.strip() or answer.stderr.strip()
