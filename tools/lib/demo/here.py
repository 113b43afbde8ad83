"""This machine in place of a test host: for containers that cannot boot one."""

import subprocess
import sys
from pathlib import Path

from tools.lib.demo import processes, systemctl
from tools.lib.hosts import commands
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, Completed
from tools.lib.hosts.inside import Inside
from tools.lib.hosts.ports import free_port

PROJECT = Path(__file__).parents[3]
STAND_IN = Path("/usr/local/bin/systemctl")
LOGS = Path(systemctl.ADDRESS).parent / "logs"


def systemd_runs() -> bool:
    """Return whether this machine has been booted with systemd, as sd_booted(3) does."""
    return Path("/run/systemd/system").is_dir()


class Here(Inside):
    """Runs commands on the machine of the demo itself."""

    def __init__(self) -> None:
        """Start without ports; change nothing on the machine."""
        self._ports: dict[str, int] = {}

    def port(self, name: str) -> int:
        """Return a free port; the same one for the same name."""
        if name not in self._ports:
            self._ports[name] = free_port()
        return self._ports[name]

    def run(
        self,
        *arguments: str | Path,
        check: bool = True,
        timeout: float = 120,
        user: str | None = None,
        input: str | bytes = b"",  # noqa: A002 - the name that subprocess uses
        cwd: str = "/",
    ) -> Completed:
        """Run a command, with a clean environment, as root or another user."""
        words = tuple(str(word) for word in arguments)
        entry: list[str] = []
        if user is not None:
            entry = ["/usr/bin/setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
            entry += ["--", "/usr/bin/env", f"USER={user}", f"HOME=/home/{user}"]
        return commands.run(
            *entry, *words, check=check, timeout=timeout, input=input, cwd=Path(cwd), shown_as=words
        )

    def journal(self, of: str = "", lines: int | None = None) -> str:
        """Return the journal; with the stand-in, the output of the service."""
        if systemd_runs():
            return super().journal(of, lines)
        log = LOGS / of
        text = log.read_text(errors="replace") if of and log.is_file() else ""
        return "\n".join(text.splitlines()[-(lines or 40) :])

    def diagnosis(self) -> str:
        """Return the end of the output of each service."""
        if systemd_runs():
            return self.run("journalctl", "--no-pager", "--lines=40", check=False).stdout
        names = sorted(path.name for path in LOGS.glob("*"))
        return "\n".join(f"--- {name}\n{self.journal(name, 15)}" for name in names)


class StandIn:
    """The process of the supervisor that replaces systemd."""

    def __init__(self) -> None:
        """Start it; it installs its `systemctl`, and removes it when it ends."""
        self._process = subprocess.Popen(
            (sys.executable, "-B", "-m", "tools.lib.demo.supervisor"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=CLEAN_ENVIRONMENT,
            cwd=PROJECT,
            start_new_session=True,
        )
        if self._process.stdout is None or self._process.stdout.readline() != b"ready\n":
            self.close()
            raise AssertionError("the stand-in for systemd did not start")

    def close(self) -> None:
        """End it and all services."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # Services that a killed supervisor has left.
        processes.end_descendants()
