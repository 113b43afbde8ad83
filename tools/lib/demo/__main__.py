"""The Python part of tools/demo: sets up, tells the story, cleans up."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tools.lib.demo.here import PROJECT, systemd_runs
from tools.lib.demo.narrator import Narrator, duration
from tools.lib.demo.on_the_spot import OnTheSpot
from tools.lib.demo.stage import DEB, OwnHost, RefusedError, Stage
from tools.lib.demo.story import Story
from tools.lib.hosts import commands, machine
from tools.lib.hosts.git_server import GitServer
from tools.lib.hosts.tree import RELEASES
from tools.lib.hosts.upstream import Upstream

BUILD_LIMIT = 1800.0
PROXIES = ("http_proxy", "https_proxy", "no_proxy")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedByError(BaseException):
    """A signal ended the demo."""

    def __init__(self, number: int) -> None:
        """Store the number of the signal."""
        super().__init__(number)
        self.number = number


def interrupt(number: int, _: FrameType | None) -> NoReturn:
    """Raise InterruptedByError, which ends the demo."""
    hold_signals()
    raise InterruptedByError(number)


def hold_signals() -> None:
    """Ignore signals while cleaning up; by a handler, because children inherit SIG_IGN."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)


def main() -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser("tools/demo", description="Shows the package at work.")
    parser.add_argument("--release", choices=RELEASES, help="release of Debian to boot")
    parser.add_argument(
        "--here",
        action="store_true",
        help="do not boot a Debian; install on this machine and remove everything at the end",
    )
    chosen = parser.parse_args()
    narrator = Narrator()
    for number in SIGNALS:
        signal.signal(number, interrupt)
    try:
        demo(narrator, chosen.release or machine_release(), here=chosen.here)
    except InterruptedByError as error:
        narrator.failed(f"Interrupted by {signal.Signals(error.number).name}.")
        return 128 + error.number
    except RefusedError as error:
        narrator.failed(str(error))
        return 2
    except (AssertionError, OSError) as error:
        narrator.failed(f"The demo failed.\n{error}")
        return 1
    return 0


def machine_release() -> str:
    """Return the machine's own release of Debian, if hosts can have it."""
    own = machine.codename()
    return own if own in RELEASES else RELEASES[0]


def demo(narrator: Narrator, release: str, *, here: bool) -> None:
    """Set up, tell the story, clean up. Raises the error that ended it."""
    started = time.monotonic()
    narrator.title("ipfs-accelerate-autoupdate: the demo")
    print()
    with scratch_directory() as scratch:
        deb = package(scratch, narrator)
        stage = choose(narrator, release, here=here)
        repositories = scratch / "repositories"
        repositories.mkdir()
        with cleared_up(stage, narrator), GitServer(repositories) as server:
            directory = stage.bring(deb)
            upstream = Upstream(scratch / "upstream", server)
            ready = time.monotonic()
            Story(stage, upstream, narrator).tell(directory)
            ended = time.monotonic()
    narrator.say(
        f"All of this has been seen, in {duration(ended - ready)}, after"
        f" {duration(ready - started)} of set-up. Nothing of it is left on this machine, except"
        " Debian packages and a cache that makes the next demo faster."
    )


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """Provide a temporary directory that apt's user can read."""
    with tempfile.TemporaryDirectory(prefix="autoupdate-demo-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@contextmanager
def cleared_up(stage: Stage, narrator: Narrator) -> Iterator[None]:
    """End the stage in any case. Raises AssertionError if something is left behind."""
    try:
        yield
    except BaseException:
        for thing in clear_up(stage, narrator):
            narrator.failed(f"left behind: {thing}")
        raise
    left = clear_up(stage, narrator)
    if left:
        raise AssertionError(f"left behind: {', '.join(left)}")


def clear_up(stage: Stage, narrator: Narrator) -> list[str]:
    """End the stage without interruption; return what could not be removed."""
    hold_signals()
    print()
    with narrator.long("cleaning up"):
        return stage.close()


def package(scratch: Path, narrator: Narrator) -> Path:
    """Return the package in the scratch directory: AUTOUPDATE_DEB, or a new build."""
    deb = scratch / DEB
    given = os.environ.get("AUTOUPDATE_DEB")
    if given:
        shutil.copyfile(given, deb)
        return deb
    log = scratch / "build.log"
    with narrator.long("building the package from this checkout"), log.open("wb") as output:
        proxies = {name: os.environ[name] for name in PROXIES if name in os.environ}
        environment = {**commands.CLEAN_ENVIRONMENT, **proxies, "TMPDIR": str(scratch)}
        process = subprocess.Popen(
            (PROJECT / "tools" / "build-deb", scratch),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
        try:
            code = process.wait(BUILD_LIMIT)
        finally:
            # By SIGTERM, because it may be installing packages.
            commands.kill_group(process.pid, signal.SIGINT)
            process.wait()
    if code != 0:
        end = log.read_text(errors="replace").splitlines()[-30:]
        raise AssertionError("\n".join(["the package cannot be built:", *end]))
    return deb


def choose(narrator: Narrator, release: str, *, here: bool) -> Stage:
    """Boot a host; if that is impossible, use this machine and say so. Raises RefusedError."""
    reason = "--here was given" if here else machine.what_is_missing()
    if not reason:
        try:
            with narrator.long(f"booting a Debian for the demo ({release})"):
                return OwnHost(release)
        except (AssertionError, OSError) as error:
            reason = f"a Debian cannot be booted: {summary(error)}"
    if systemd_runs() and not here and not in_container():
        raise RefusedError(
            f"This machine cannot boot a test host: {reason}. To install the package on the"
            " machine itself during the demo: tools/demo --here"
        )
    stage = OnTheSpot()
    narrator.say(
        f"No host is booted here: {reason}. So the demo uses this machine: it installs the"
        " package, and removes it at the end."
    )
    if not stage.has_systemd:
        narrator.say(
            "systemd does not run here. A STAND-IN replaces it, a small program of the demo: it"
            " runs the three services by their unit files, with their ExecStartPre lines and"
            " Restart=always. It has no timers, no journal, no sandbox and no limits."
        )
    return stage


def summary(error: Exception) -> str:
    """Return the most important line of an error."""
    if isinstance(error, commands.CommandFailedError):
        printed = error.completed.stderr.strip() or "nothing printed"
        return f"{error.completed.arguments[0]} failed: {printed.splitlines()[-1]}"
    first, _, report = str(error).partition("\n")
    # The report of a host begins with a title and its console.
    console = report.partition("\n--- ")[0].strip().splitlines()[1:]
    return f"{first}: {console[-1]}".rstrip(".") if console else first


def in_container() -> bool:
    """Return whether this is a container, whose systemd has no other purpose."""
    return commands.run("systemd-detect-virt", "--quiet", "--container", check=False).ok


if __name__ == "__main__":
    sys.exit(main())
