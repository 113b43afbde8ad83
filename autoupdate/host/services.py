"""The services that run the app, as systemd sees them (systemctl(1), systemd.service(5))."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from autoupdate.config import run_from
from autoupdate.host import unit_times
from autoupdate.host.process import Completed, NotStartedError, TimedOutError, base_environment, run
from autoupdate.host.systemd_retry import insist
from autoupdate.host.unit_times import Times
from autoupdate.model.errors import UpdateFailedError

PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,Result,MainPID,NRestarts,InvocationID,User,Job,"
    "Type,RemainAfterExit,DynamicUser,Group,Restart,TriggeredBy,StatusText"
)
# In seconds. systemd itself kills a service that does not stop, as its unit says.
LONGEST_STOP = 600.0
# Lines of the journal.
MOST_WORDS = 200
# sd-messages(3): SD_MESSAGE_UNIT_STOPPING.
UNIT_STOPPING = "de5b426a63be47a7b6ac3eaac82e2f6f"
# Before the main process: the service waits for its ExecStartPre= commands, such as our gate.
BEFORE_START = ("start-pre", "condition")


def confirm_unit(app: str) -> str:
    """Return the name of the unit that watches a release in place of a run."""
    return f"autoupdate-confirm@{app}.service"


class Service(NamedTuple):
    """The state of one service at one moment; `invocation` changes with each start."""

    name: str
    load: str
    active: str
    sub: str
    result: str
    main_pid: int
    restarts: int
    invocation: str
    user: str
    has_job: bool = False
    """Whether systemd has a job for it: a start or a stop that is queued or under way."""
    is_task: bool = False
    """Whether it does something and ends: it is never restarted by an update.

    That is a service of Type=oneshot, or one that a timer starts and systemd does not restart.
    """
    has_dynamic_user: bool = False
    """Whether systemd makes a user for each start (DynamicUser=), who owns nothing before."""
    group: str = ""

    text: str = ""
    """What the service says of itself (sd_notify(3), STATUS=)."""

    @property
    def exists(self) -> bool:
        """Whether the host has this unit, and lets it be started."""
        return self.load not in ("not-found", "masked", "")

    @property
    def has_lost_its_unit(self) -> bool:
        """Whether it runs although its unit is masked or gone, so that nothing can restart it."""
        return self.runs and not self.exists

    @property
    def waits_for_gate(self) -> bool:
        """Whether its start waits for the gate, and so perhaps for this run."""
        return self.active == "activating" and self.sub in BEFORE_START

    @property
    def runs(self) -> bool:
        """Whether it is up, or starting."""
        return self.active in ("active", "reloading", "refreshing") or (
            self.active == "activating" and not self.waits_for_gate
        )

    @property
    def never_started(self) -> bool:
        """Whether it was not started since the host's boot, and has no job."""
        return self.active == "inactive" and not self.invocation and not self.has_job

    @property
    def crashed(self) -> bool:
        """Whether it failed, or waits for an automatic restart (Restart=)."""
        return self.active == "failed" or self.sub.startswith("auto-restart")


class Services(Protocol):
    """What an update needs of the service manager."""

    def look(self, names: Sequence[str]) -> list[Service]:
        """Return the services as they are now; without a service manager, none."""

    def programs(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the programs that services start (ExecStart=, without directory)."""

    def directives(self, names: Sequence[str]) -> list[run_from.Unit]:
        """Return what the units of services name (run_from.py); without a service manager, none."""

    def times(self, names: Sequence[str]) -> dict[str, Times]:
        """Return the times that units allow for their stop and start; none if nothing answers."""

    def restart(self, names: Sequence[str]) -> None:
        """Order a restart without waiting for it. Raises UpdateFailedError if refused."""

    def stop(self, names: Sequence[str]) -> None:
        """Stop services and wait for it. Raises UpdateFailedError if one does not stop."""

    def was_told_to_stop(self, service: Service) -> bool:
        """Return whether somebody ordered systemd to stop this invocation of a service."""

    def last_words(self, names: Sequence[str], since: float) -> str:
        """Return what services wrote to the journal last, since a time in seconds since 1970."""

    def watch_later(self, app: str) -> bool:
        """Start the unit that watches a release in place of this run; return whether it starts."""


class Units(Protocol):
    """What disabling the old updater needs of the service manager."""

    def switch(self, unit: str, *, on: bool, now: bool = True) -> None:
        """Enable and start a unit, or disable and stop it; only that without `now`.

        Raises UpdateFailedError.
        """

    def reload(self) -> None:
        """Make systemd reload its unit files. Raises UpdateFailedError."""


class Systemd:
    """The service manager of the host."""

    def look(self, names: Sequence[str]) -> list[Service]:
        """Return the services as they are now; without a service manager, none."""
        if not names:
            return []
        answer = self._systemctl("show", f"--property={PROPERTIES}", "--", *names)
        if answer is None or answer.returncode:
            return []
        blocks = answer.stdout.decode(errors="replace").strip().split("\n\n")
        return [parse(name, block) for name, block in zip(names, blocks, strict=True)]

    def programs(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the programs that services start (ExecStart=, without directory)."""
        if not names:
            return ()
        answer = self._systemctl("show", "--property=ExecStart", "--", *names)
        return programs_in(answer.stdout.decode(errors="replace")) if answer else ()

    def directives(self, names: Sequence[str]) -> list[run_from.Unit]:
        """Return what the units of services name (run_from.py); without a service manager, none."""
        if not names:
            return []
        wanted = f"--property={','.join(run_from.PROPERTIES)}"
        answer = self._systemctl("show", wanted, "--", *names)
        if answer is None or answer.returncode:
            return []
        return run_from.parse(answer.stdout.decode(errors="surrogateescape"), names)

    def times(self, names: Sequence[str]) -> dict[str, Times]:
        """Return the times that units allow for their stop and start; none if nothing answers."""
        if not names:
            return {}
        answer = self._systemctl("show", f"--property={unit_times.PROPERTIES}", "--", *names)
        if answer is None or answer.returncode:
            return {}
        blocks = answer.stdout.decode(errors="replace").strip().split("\n\n")
        return {name: unit_times.parse(block) for name, block in zip(names, blocks, strict=False)}

    def restart(self, names: Sequence[str]) -> None:
        """Order a restart without waiting for it. Raises UpdateFailedError if refused."""
        if not names:
            return
        # Otherwise systemd refuses the next start of a service that crashed too often.
        self._systemctl("reset-failed", "--", *names)
        answer = self._systemctl("restart", "--no-block", "--", *names)
        if answer is None or answer.returncode:
            reason = answer.stderr.strip() if answer else "systemctl is missing or hangs"
            raise UpdateFailedError(f"{', '.join(names)} cannot be restarted: {reason}")

    def stop(self, names: Sequence[str]) -> None:
        """Stop services and wait for it. Raises UpdateFailedError if one does not stop."""
        if not names:
            return
        stops = [times.stop for times in self.times(names).values()]
        # A stop has several phases, such as ExecStop= and SIGTERM, each with that time.
        longest = max([LONGEST_STOP, *(3 * time for time in stops if time < math.inf)])
        answer = self._systemctl("stop", "--", *names, timeout=longest)
        if answer is None or answer.returncode:
            reason = answer.stderr.strip() if answer else "systemctl is missing or hangs"
            raise UpdateFailedError(f"{', '.join(names)} cannot be stopped: {reason}")

    def was_told_to_stop(self, service: Service) -> bool:
        """Return whether somebody ordered systemd to stop this invocation of a service.

        systemd writes each order to stop to the journal, but not when a process ends by itself
        (systemd.journal-fields(7)).
        """
        fields = [
            "_PID=1", f"UNIT={service.name}", f"INVOCATION_ID={service.invocation}",
            f"MESSAGE_ID={UNIT_STOPPING}",
        ]  # fmt: skip
        answer = self._ask("journalctl", "--quiet", "--lines=1", "--output=cat", *fields)
        return bool(answer and not answer.returncode and answer.stdout.strip())

    def last_words(self, names: Sequence[str], since: float) -> str:
        """Return what services wrote to the journal last, since a time in seconds since 1970."""
        if not names:
            return ""
        units = [f"--unit={name}" for name in names]
        limits = (f"--since=@{int(since)}", f"--lines={MOST_WORDS}")
        answer = self._ask("journalctl", "--quiet", "--output=cat", *limits, *units)
        return answer.stdout.decode(errors="replace") if answer else ""

    def watch_later(self, app: str) -> bool:
        """Start the unit that watches a release in place of this run; return whether it starts."""
        answer = self._systemctl("start", "--no-block", "--", confirm_unit(app))
        return bool(answer and not answer.returncode)

    def switch(self, unit: str, *, on: bool, now: bool = True) -> None:
        """Enable and start a unit, or disable and stop it; only that without `now`.

        Raises UpdateFailedError.
        """
        verb = "enable" if on else "disable"
        answer = self._systemctl(verb, *(["--now"] if now else []), "--", unit)
        if answer is None or answer.returncode:
            reason = answer.stderr.strip() if answer else "systemctl is missing or hangs"
            raise UpdateFailedError(f"{unit} cannot be {verb}d: {reason}")

    def reload(self) -> None:
        """Make systemd reload its unit files. Raises UpdateFailedError."""
        answer = self._systemctl("daemon-reload")
        if answer is None or answer.returncode:
            reason = answer.stderr.strip() if answer else "systemctl is missing or hangs"
            raise UpdateFailedError(f"unit files cannot be reloaded: {reason}")

    def _systemctl(self, *arguments: str, timeout: float = 60) -> Completed | None:
        return insist(lambda: self._ask("systemctl", *arguments, timeout=timeout))

    def _ask(self, *command: str, timeout: float = 60) -> Completed | None:
        environment = base_environment("/root")
        try:
            return run(command, environment=environment, timeout=timeout)
        except (NotStartedError, TimedOutError):
            return None


def programs_in(shown: str) -> tuple[str, ...]:
    """Return the programs in ExecStart= as systemctl shows it, also those that a shell starts."""
    found = set()
    for words in re.findall(r"argv\[\]=(.*?) ; ", shown):
        first, *others = re.split(r"[\s\"';&|()]+", words)
        paths = [first, *(word for word in others if "/" in word)]
        found |= {path.rpartition("/")[2] for path in paths}
    return tuple(sorted(found - {""}))


def parse(name: str, block: str) -> Service:
    """Read one block of `systemctl show`."""
    found = dict(line.partition("=")[::2] for line in block.splitlines())
    return Service(
        name=name,
        load=found.get("LoadState", ""),
        active=found.get("ActiveState", ""),
        sub=found.get("SubState", ""),
        result=found.get("Result", ""),
        main_pid=int(found.get("MainPID", "") or 0),
        restarts=int(found.get("NRestarts", "") or 0),
        invocation=found.get("InvocationID", ""),
        user=found.get("User", ""),
        has_job=found.get("Job", "") not in ("", "0"),
        is_task=is_task(found),
        text=found.get("StatusText", ""),
        has_dynamic_user=found.get("DynamicUser") == "yes",
        group=found.get("Group", ""),
    )


def is_task(unit: Mapping[str, str]) -> bool:
    """Return whether the service of a unit does something and ends."""
    if unit.get("Type") == "oneshot":
        return unit.get("RemainAfterExit") == "no"
    timers = [name for name in unit.get("TriggeredBy", "").split() if name.endswith(".timer")]
    return bool(timers) and unit.get("Restart") == "no"
