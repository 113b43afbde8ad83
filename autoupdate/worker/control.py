"""The request for the control of a failed build (environment/control.py), part of client.py."""

from typing import Any, Protocol

from autoupdate.config.sections import Build
from autoupdate.model.control import Control, read
from autoupdate.model.errors import UnreachableError
from autoupdate.worker.link import WorkerLink

# In seconds. A server that takes longer for three small packages is no use for a whole build.
MOST_TIME = 60.0


class Controls(Protocol):
    """What makes controls, as an update uses it."""

    def control(self, release: str, failed: str, said: str, build: Build) -> Control:
        """Find out whether the host can still fetch what the deployed release is made of.

        `release` is empty if none can run; `said` is the error of the build of the release
        `failed`. Raises HostFaultError, UnreachableError.
        """


class ControlLink(WorkerLink):
    """A worker that makes controls."""

    def control(self, release: str, failed: str, said: str, build: Build) -> Control:
        """Find out whether the host can still fetch what the deployed release is made of.

        `release` is empty if none can run; `said` is the error of the build of the release
        `failed`. Raises HostFaultError, UnreachableError.
        """
        request: dict[str, Any] = {"release": release, "failed": failed, "said": said}
        request["settings"] = build._asdict()
        with self.lending(build) as access:
            request["access"] = access
            return read(self.ask("control", request, MOST_TIME, "control", UnreachableError))
