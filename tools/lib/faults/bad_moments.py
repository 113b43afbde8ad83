"""The table of bad moments, each with the name that a user would give it."""

import time
from collections.abc import Callable

from tools.lib.faults.faults import power_off, volume_of
from tools.lib.faults.moments import Moment, Stage
from tools.lib.faults.scene import APP, RUN
from tools.lib.hosts.demo_app import SERVICES
from tools.lib.hosts.package import DEB_NAME

Act = Callable[[Stage], None]
DAY = 24 * 3600
# The exit code of a command that a signal ended, as a shell shows it.
CODES = {"HUP": 129, "INT": 130, "TERM": 143, "KILL": 137}
SIGNALS = {"HUP": "terminal closed", "INT": "Ctrl+C", "TERM": "kill", "KILL": "kill -9"}
STEPS = {
    "run": ("fetch", "build", "rehearse", "activate", "probation"),
    "rollback": ("activate", "watch"),
    "rebuild": ("build", "probation"),
}
# The driver's word for a step that has another name for users.
SHOWN = {"watch": "probation"}
BUSY = 75
PACKAGE = "ipfs-accelerate-autoupdate"
UNIT_FILE = f"/etc/systemd/system/{SERVICES[2]}"
APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes", "-qq")


def signalled(verb: str, step: str, name: str) -> Act:
    """Return a signal to a verb by hand; SIGHUP must not end it, as the terminal may close."""

    def act(stage: Stage) -> None:
        command = stage.begin(verb, step)
        stage.signal(name)
        if name == "HUP":
            time.sleep(0.3)
            stage.look()
            stage.go_on()
            command.end(0)
        else:
            command.end(CODES[name])
            stage.look()

    return act


def at_work(name: str) -> Act:
    """Return a signal to a run whose build is under way."""

    def act(stage: Stage) -> None:
        command = stage.begin("run", "build")
        stage.go_on()
        time.sleep(0.2)
        stage.signal(name)
        command.end(CODES[name])
        stage.look()

    return act


def unit_stopped(step: str) -> Act:
    """Return `systemctl stop` of the run's unit."""

    def act(stage: Stage) -> None:
        command = stage.begin("run", step, unit=True)
        done = stage.host.systemctl("stop", RUN, check=False)
        stage.judge("systemctl stop", done.returncode, done.stderr, (0,))
        command.end()
        stage.look()

    return act


def refused(first: str, step: str, *second: str, says: str = "is under way", code: int = BUSY,
            ends: int = 0) -> Act:  # fmt: skip
    """Return a second verb that ends at once while the first one waits; that one then ends well."""

    def act(stage: Stage) -> None:
        command = stage.begin(first, step)
        stage.type(*second, APP, codes=(code,), says=says)
        stage.look()
        stage.go_on()
        command.end(ends)

    return act


def queued(first: str, step: str, *second: str) -> Act:
    """Return a second verb that waits for the first one; both end well."""

    def act(stage: Stage) -> None:
        command = stage.begin(first, step)
        other = stage.start("/usr/bin/autoupdatectl", *second, APP)
        other.waits()
        stage.look()
        stage.go_on()
        command.end(0)
        other.end(0)

    return act


def held(stage: Stage) -> None:
    """Put updates on hold while one is built."""
    refused("run", "build", "hold", says="an update is running now", code=0)(stage)
    stage.type("unhold", APP)


def pinned(stage: Stage) -> None:
    """Pin the deployed commit while another one is built."""
    commit = stage.scene.status()[0]["current"]["commit"]
    command = stage.begin("run", "build")
    stage.type("pin", commit, APP, says="an update is running now")
    stage.look()
    stage.go_on()
    command.end(0, 1)
    stage.type("unpin", APP)


def doctored(stage: Stage) -> None:
    """Let doctor fix things in a run; it must leave that alone."""
    command = stage.begin("run", "build")
    stage.type("doctor", "--fix", "--yes", APP, codes=(0, 1))
    # One of its problems on a test host is that nothing is scheduled.
    stage.host.systemctl("disable", "--now", "autoupdate.timer")
    stage.look()
    stage.go_on()
    command.end(0)


def service_restarted(step: str) -> Act:
    """Return the restart of a service, through its gate."""

    def act(stage: Stage) -> None:
        command = stage.begin("run", step)
        stage.scene.app.forget_freshness()
        other = stage.start("systemctl", "restart", SERVICES[0])
        other.waits() if step == "build" else other.end(0)
        stage.look()
        stage.go_on()
        command.end(0)
        if step == "build":
            other.end(0)

    return act


# The package


def upgraded(step: str) -> Act:
    """Return the installation of the package over itself."""

    def act(stage: Stage) -> None:
        command = stage.begin("run", step, unit=True)
        stage.host.copy_in(stage.deb, f"/root/{DEB_NAME}")
        apt(stage, "install", "--reinstall", f"/root/{DEB_NAME}")
        stage.look()
        stage.go_on()
        command.end(0)

    return act


def removed(verb: str, step: str, *, unit: bool = True) -> Act:
    """Return the removal or purge of the package in a run."""

    def act(stage: Stage) -> None:
        command = stage.begin("run", step, unit=unit)
        apt(stage, verb, PACKAGE)
        if not unit:
            stage.go_on()
            command.end(1, says="was removed during the run")
        else:
            command.end()

    return act


def apt(stage: Stage, *words: str) -> None:
    """Run apt-get, and note its exit code."""
    done = stage.host.run(*APT, *words, check=False, timeout=300)
    stage.judge(f"apt-get {words[0]}", done.returncode, done.stderr, (0,))


# The host


def disk_full(stage: Stage) -> None:
    """Fill the file system of releases and state."""
    command = stage.begin("run", "probation")
    volume_of(stage.scene).fill("space")
    stage.look()
    stage.go_on()
    command.end(0, 1)
    # The services' data is there, too: they crash until there is space.
    volume_of(stage.scene).free()


def clock_back(stage: Stage) -> None:
    """Set the clock of the run back."""
    command = stage.begin("run", "probation", clock=-DAY)
    command.end(0)
    stage.look()


def runtime_removed(step: str) -> Act:
    """Return the removal of the lock and all else in /run."""

    def act(stage: Stage) -> None:
        command = stage.begin("run", step)
        stage.host.run("rm", "--recursive", "/run/autoupdate")
        stage.look()
        stage.go_on()
        command.end(0)

    return act


def runtime_removed_for_two(step: str) -> Act:
    """Return the removal of the lock, and a second run, which must see the first one."""

    def act(stage: Stage) -> None:
        command = stage.begin("run", step)
        stage.host.run("rm", "--recursive", "/run/autoupdate")
        stage.type("run", "--no-wait", APP, codes=(BUSY,), says="is under way")
        stage.look()
        stage.go_on()
        command.end(0)

    return act


def journal_stopped(stage: Stage) -> None:
    """Stop journald, and start it again after the run."""
    command = stage.begin("run", "build")
    stage.repairs.append(lambda: stage.host.systemctl("start", *units))
    units = ("systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald")
    stage.host.systemctl("stop", *units, check=False)
    stage.look()
    stage.go_on()
    command.end(0)


def unit_gone(script: str) -> Act:
    """Return a change of a service's unit during the build, undone after the run."""

    def act(stage: Stage) -> None:
        host = stage.host
        command = stage.begin("run", "build")
        text = host.read(UNIT_FILE)

        def repair() -> None:
            host.run("rm", "--force", UNIT_FILE)
            host.write(UNIT_FILE, text)
            host.systemctl("daemon-reload")
            host.systemctl("restart", SERVICES[2])

        host.run("sh", "-c", script, "script", UNIT_FILE)
        host.systemctl("daemon-reload")
        stage.look()
        stage.go_on()
        command.end(0, 1)
        stage.mixed = True
        stage.repairs.append(repair)

    return act


def host_killed(step: str) -> Act:
    """Return a power cut; after the boot the services start by themselves."""

    def act(stage: Stage) -> None:
        stage.begin("run", step, unit=True)
        power_off(stage.scene)
        stage.look()

    return act


MOMENTS = (
    *(
        Moment(f"{verb}: {SIGNALS[name]} in {SHOWN.get(step, step)}", signalled(verb, step, name),
               rolls_back=verb == "rollback")
        for verb, steps in STEPS.items() for step in steps for name in SIGNALS
    ),
    *(Moment(f"run: {SIGNALS[name]} while pip is at work", at_work(name))
      for name in ("INT", "TERM", "KILL")),
    *(Moment(f"systemctl stop autoupdate@ in {step}", unit_stopped(step))
      for step in ("fetch", "build", "probation")),
    Moment("run and run --no-wait", refused("run", "build", "run", "--no-wait")),
    Moment("run and run", queued("run", "build", "run")),
    Moment("run and rollback --no-wait", refused("run", "build", "rollback", "--no-wait")),
    Moment("run and rollback", queued("run", "probation", "rollback"), rolls_back=True),
    Moment("run and rebuild --no-wait", refused("run", "probation", "rebuild", "--no-wait")),
    Moment("run and hold", held),
    Moment("run and pin of the old commit", pinned),
    Moment("run and quarantine clear --all",
           queued("run", "build", "quarantine", "clear", "--all")),
    Moment("run and restart", refused("run", "build", "restart")),
    Moment("run and restart of a service in build", service_restarted("build")),
    Moment("run and restart of a service in probation", service_restarted("probation")),
    Moment("rollback and run --no-wait", refused("rollback", "watch", "run", "--no-wait"),
           rolls_back=True),
    Moment("rollback and run", queued("rollback", "watch", "run"), rolls_back=True),
    Moment("rebuild and run --no-wait", refused("rebuild", "build", "run", "--no-wait")),
    Moment("rebuild and run", queued("rebuild", "build", "run")),
    Moment("run and doctor --fix --yes", doctored),
    Moment("run and forget --yes",
           refused("run", "build", "forget", "--yes", says="runs from it", code=2)),
    Moment("the package upgraded in build", upgraded("build")),
    Moment("the package upgraded in probation", upgraded("probation")),
    Moment("clock set back a day in probation", clock_back),
    Moment("/run/autoupdate removed in build", runtime_removed("build")),
    Moment("/run/autoupdate removed in probation", runtime_removed("probation")),
    Moment("/run/autoupdate removed in build, and another run", runtime_removed_for_two("build")),
    Moment("/run/autoupdate removed in activate, and another run",
           runtime_removed_for_two("activate")),
    Moment("journald stopped in build", journal_stopped),
    Moment("a service masked in build", unit_gone('rm "$1"; ln -s /dev/null "$1"')),
    Moment("a service's unit removed in build", unit_gone('rm "$1"')),
    *(Moment(f"host killed in {step}", host_killed(step))
      for step in ("fetch", "build", "activate", "probation")),
    Moment("disk full in probation", disk_full, volume=True),
    Moment("run and release-path", queued("run", "build", "release-path"), unmanaged=True),
    Moment("apt-get remove in build", removed("remove", "build"), unmanaged=True),
    Moment("apt-get remove in probation", removed("remove", "probation"), unmanaged=True),
    Moment("apt-get remove in the build of a run by hand", removed("remove", "build", unit=False),
           unmanaged=True),
    Moment("apt-get purge in build", removed("purge", "build"), unmanaged=True),
)  # fmt: skip
