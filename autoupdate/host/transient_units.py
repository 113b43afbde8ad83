"""What systemd starts for an app later, or in parallel with a run, which does not wait for it."""

import time
from typing import Protocol

from autoupdate.host.process import NotStartedError, TimedOutError, base_environment, run


class TransientUnits(Protocol):
    """Starts units without waiting for them."""

    def run_at(self, app: str, moment: float, spread: float) -> str:
        """Schedule a run at a moment (seconds since 1970), or up to `spread` seconds later.

        Replaces an earlier schedule; returns why that failed, or nothing.
        """

    def cancel(self, app: str) -> None:
        """Cancel a scheduled run, if there is one."""

    def end(self, app: str) -> None:
        """Stop what would do something later for an app of which nobody has this name any more."""

    def run_now(self, app: str) -> None:
        """Start a run, without waiting for it."""

    def send(self, app: str) -> None:
        """Start the process that sends the outbox of an app, without waiting for it."""

    def clean(self, app: str) -> bool:
        """Start the process that empties the trash of an app; return whether it was started."""


class SystemdTransientUnits:
    """The service manager of the host, by systemd-run(1) and systemctl(1)."""

    def run_at(self, app: str, moment: float, spread: float) -> str:
        """Schedule a run at a moment, or up to `spread` seconds later.

        Replaces an earlier schedule; returns why that failed, or nothing.
        """
        self.cancel(app)
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))
        return _order(
            "systemd-run", "--quiet", "--collect", f"--unit={scheduled(app)}",
            f"--description=Update {app} when its window opens", f"--on-calendar={when}",
            f"--timer-property=RandomizedDelaySec={spread:.0f}", "--timer-property=AccuracySec=1s",
            "--", "systemctl", "start", "--no-block", "--", f"autoupdate@{app}.service",
        )  # fmt: skip

    def cancel(self, app: str) -> None:
        """Cancel a scheduled run, if there is one."""
        # Usually there is none, and systemctl reports an error.
        _order("systemctl", "stop", "--", f"{scheduled(app)}.timer")

    def end(self, app: str) -> None:
        """Stop what would do something later for an app of which nobody has this name any more."""
        self.cancel(app)
        # It would be started again every few minutes, and not find the settings.
        _order("systemctl", "stop", "--", f"autoupdate-notify@{app}.service")

    def run_now(self, app: str) -> None:
        """Start a run, without waiting for it; if that fails, the timer starts one."""
        _order("systemctl", "start", "--no-block", "--", f"autoupdate@{app}.service")

    def send(self, app: str) -> None:
        """Start the process that sends the outbox of an app, without waiting for it."""
        # If that fails, the messages wait for the next run.
        _order("systemctl", "start", "--no-block", "--", f"autoupdate-notify@{app}.service")

    def clean(self, app: str) -> bool:
        """Start the process that empties the trash of an app; return whether it was started."""
        return not _order(
            "systemctl", "start", "--no-block", "--", f"autoupdate-clean@{app}.service"
        )


def scheduled(app: str) -> str:
    """Return the name of the units of a scheduled run."""
    return f"autoupdate-window-{app}"


def _order(*command: str) -> str:
    """Run a command; return why it failed, or nothing."""
    try:
        done = run(command, environment=base_environment("/root"), timeout=60)
    except (NotStartedError, TimedOutError) as error:
        return str(error)
    return done.stderr.strip() or f"{command[0]} failed" if done.returncode else ""
