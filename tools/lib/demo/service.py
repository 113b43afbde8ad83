"""A service of the stand-in for systemd: its processes, its state, its restarts."""

import pwd
import signal
import subprocess
import threading
import uuid
from pathlib import Path

from tools.lib.demo.unit_file import Command, UnitFile, load
from tools.lib.hosts.commands import kill_group

_STOP_LIMIT = 10.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class _StoppedError(Exception):
    """The service is being stopped: none of its commands may start any more."""


class _Attempt:
    """One start; other requests to start at this time wait for the same one."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.fault = ""

    def end(self, fault: str) -> None:
        if not self.ended.is_set():
            self.fault = fault
            self.ended.set()


class Service:
    """Starts and stops like a service of systemd, with a thread for each start."""

    def __init__(self, name: str, log: Path) -> None:
        """Store the name; the unit file is read at each start, the output goes to a log."""
        self.name = name
        self._log = log
        self._active, self._sub, self._result = "inactive", "dead", "success"
        self._restarts, self._main, self._invocation = 0, 0, ""
        self._process: subprocess.Popen[bytes] | None = None
        self._attempt = _Attempt()
        self._life: threading.Thread | None = None
        self._living = False
        self._stopping, self._hurry = threading.Event(), threading.Event()
        self._orders = threading.Lock()
        self._spawning = threading.Lock()

    def show(self) -> dict[str, str]:
        """Return the properties of `systemctl show`."""
        return {
            "Id": self.name,
            "ActiveState": self._active,
            "SubState": self._sub,
            "Result": self._result,
            "MainPID": str(self._main),
            "NRestarts": str(self._restarts),
            "InvocationID": self._invocation,
        }

    def start(self) -> str:
        """Start if it does not run; return why it failed, or an empty text."""
        with self._orders:
            if self._active == "active":
                return ""
            if not self._living:
                file = load(self.name)
                if file is None:
                    return f"Unit {self.name} not found."
                self._stopping.clear()
                self._attempt, self._restarts = _Attempt(), 0
                self._living = True
                self._life = threading.Thread(target=self._live, args=(file,), daemon=True)
                self._life.start()
            self._hurry.set()
            attempt = self._attempt
        attempt.ended.wait()
        return attempt.fault

    def expect_stop(self) -> None:
        """Show the state of a service that is being stopped, as with a stop job."""
        if self._active == "active":
            self._set("deactivating", "stop-sigterm")

    def stop(self) -> str:
        """End its processes; return an empty text, because this cannot fail."""
        with self._orders:
            self.expect_stop()
            self._stopping.set()
            self._hurry.set()
            with self._spawning:
                process = self._process
            for number, limit in ((signal.SIGTERM, _STOP_LIMIT), (signal.SIGKILL, None)):
                if self._life and self._life.is_alive():
                    if process:
                        kill_group(process.pid, number)
                    self._life.join(limit)
            self._result = "success"
            self._set("inactive", "dead")
        return ""

    def restart(self) -> str:
        """Stop and start."""
        self.stop()
        return self.start()

    def reset_failed(self) -> str:
        """Forget a failure."""
        if self._active == "failed":
            self._set("inactive", "dead")
        self._restarts = 0
        return ""

    def _live(self, file: UnitFile) -> None:
        """Start, with restarts if the unit file says so, until it is stopped or has ended."""
        while True:
            attempt = self._attempt
            fault = self._activate(file)
            if not fault and not file.oneshot:
                self._set("active", "running")
                attempt.end("")
                fault = self._wait()
            self._main = 0
            words = f"Job for {self.name} failed: {fault}; see {self._log}" if fault else ""
            if self._stopping.is_set():
                # `stop` sets the state when it has finished.
                self._living = False
                attempt.end(words)
                return
            if not file.restarts:
                self._die("failed" if fault else "inactive", attempt, words)
                return
            self._attempt = _Attempt()
            self._hurry.clear()
            self._set("activating", "auto-restart")
            attempt.end(words)
            self._hurry.wait(file.pause)
            if self._stopping.is_set():
                self._die("inactive", self._attempt, f"{self.name} was stopped")
                return
            self._restarts += 1

    def _die(self, active: str, attempt: _Attempt, words: str) -> None:
        """End this thread; in this order, so that a waiting thread can start the next one."""
        self._set(active, "failed" if active == "failed" else "dead")
        self._living = False
        attempt.end(words)

    def _activate(self, file: UnitFile) -> str:
        """Run the commands before the start, and start; return why that failed."""
        self._invocation, self._result = uuid.uuid4().hex, "success"
        self._set("activating", "start-pre")
        try:
            for command in file.before_start:
                self._spawn(file, command)
                fault = self._wait()
                if fault and not command.may_fail:
                    return fault
            self._set("activating", "start")
            self._result = "success"
            self._main = self._spawn(file, file.main)
            return self._wait() if file.oneshot else ""
        except _StoppedError:
            return "it was stopped"
        except (OSError, KeyError) as error:
            self._result = "exit-code"
            return str(error)

    def _spawn(self, file: UnitFile, command: Command) -> int:
        account = pwd.getpwnam(file.user) if file.user and not command.as_root else None
        environment = {"PATH": _PATH, "LANG": "C.UTF-8", "INVOCATION_ID": self._invocation}
        if account:
            environment |= {"HOME": account.pw_dir, "USER": account.pw_name}
        with self._spawning, self._log.open("ab") as log:
            if self._stopping.is_set():
                raise _StoppedError
            self._process = subprocess.Popen(
                command.words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=file.directory,
                env=environment | file.environment,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
                umask=0o022,
                start_new_session=True,
            )
            return self._process.pid

    def _wait(self) -> str:
        """Wait for the last process that was started; return how it failed."""
        process = self._process
        if process is None:
            return ""
        code = process.wait()
        # Its remaining children are killed, as with a control group.
        kill_group(process.pid)
        if code == 0:
            return ""
        self._result = "exit-code" if code > 0 else "signal"
        words = " ".join(map(str, process.args if isinstance(process.args, tuple) else ()))
        return f"{words} ended with " + (f"exit code {code}" if code > 0 else f"signal {-code}")

    def _set(self, active: str, sub: str) -> None:
        self._active, self._sub = active, sub
