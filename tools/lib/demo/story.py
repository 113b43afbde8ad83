"""The story of the demo: each sentence is checked before it is printed."""

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from tools.lib.demo.narrator import Narrator, NotSeenError, duration
from tools.lib.demo.stage import DEB, PACKAGE, Stage
from tools.lib.hosts.broken import Broken
from tools.lib.hosts.commands import Completed
from tools.lib.hosts.demo_app import CONFIGURATION, SERVICES, Application
from tools.lib.hosts.upstream import Upstream

RUN = "autoupdate@ipfs-accelerate"
LOG = "/var/log/autoupdate/auto-update.log"
RELEASES = "/var/lib/autoupdate/ipfs-accelerate/releases"
SHORT_NAMES = " ".join(service.removesuffix(".service") for service in SERVICES)
_SETTINGS = """\
path = "/opt/ipfs_accelerate_py"

[upstream]
url = "{url}"

[build]
extra_requirements = []    # the real application needs some, the demo does not

[rehearse]
services = "off"     # by default, services are tried before the switch: here, a roll back is shown

[start]
fresh_for = "1s"     # by default, starts within a minute share one check

[health]
soak = "3s"          # by default, restarted services are watched for 30 s
"""
_FRESH_FOR = 1.0
_LIMIT = 600.0
_WORTH_TELLING = 0.5
_PATIENCE = 60.0


class Story:
    """The story, told once on one stage."""

    def __init__(self, stage: Stage, upstream: Upstream, narrator: Narrator) -> None:
        """Store what is needed; do nothing yet."""
        self._machine = stage.machine
        self._stage = stage
        self._upstream = upstream
        self._narrator = narrator
        self._app = Application(stage.machine)
        self._since = ""
        self._log_lines = 0

    def tell(self, directory: str) -> None:
        """Tell the whole story; the package is in a directory of the stage."""
        self._install(directory)
        self._configure()
        self._enable_timer()
        self._deploy()
        self._update()
        self._take_a_broken_one()
        self._look_back()

    # The parts

    def _install(self, directory: str) -> None:
        self._narrator.step("Install the package, as its README says")
        command = ("env", "DEBIAN_FRONTEND=noninteractive", "apt", "install", "--yes", f"./{DEB}")
        simulated = self._machine.run(*command, "--simulate", cwd=directory, check=False)
        if not simulated.ok:
            self._machine.run("apt-get", "update", timeout=_LIMIT)
        self._narrator.command(f"apt install ./{DEB}")
        done = self._machine.run(*command, cwd=directory, timeout=_LIMIT)
        lines = [line for line in done.stdout.splitlines() if PACKAGE in line]
        self._narrator.output("\n".join(line for line in lines if line.startswith("Setting up")))
        self._stage.supervise()
        shown = ("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", PACKAGE)
        status, _, version = self._machine.run(*shown).stdout.partition(" ")
        self._narrator.check(status == "installed", f"version {version} is installed", status)

    def _configure(self) -> None:
        self._narrator.step("Configure an application")
        self._narrator.say(
            "A small application with the three services of the real one: one HTTP, one HTTPS,"
            " one worker. Their units exist, but there is nothing for them to run yet. The"
            " upstream is a Git server on the loopback interface. The administrator's file:"
        )
        self._app.install_services()
        self._machine.write(CONFIGURATION, _SETTINGS.format(url=self._upstream.url))
        self._type("cat", CONFIGURATION)

    def _enable_timer(self) -> None:
        if not self._stage.has_systemd:
            self._narrator.say(
                "Now the timer would be enabled, but without systemd there are no timers. Below,"
                " the demo types `autoupdatectl run` when the timer would start a run."
            )
            return
        self._narrator.step("Enable the timer: from now on at 00, 06, 12 and 18 h")
        enabled = self._machine.systemctl("is-enabled", "autoupdate.timer", check=False).stdout
        found = enabled.strip()
        self._narrator.check(found == "disabled", "the package itself has enabled nothing", found)
        self._type("systemctl", "enable", "--now", "autoupdate.timer")
        listed = self._type("systemctl", "list-timers", "autoupdate.timer", squeeze=True).stdout
        hour = re.search(r"\b(00|06|12|18):\d\d:\d\d\b", listed)
        self._narrator.check(hour is not None, f"it elapses next at {hour and hour[0]}", listed)

    def _deploy(self) -> None:
        commit = self._upstream.head()
        self._narrator.step(f"Deploy version 1, which is commit {commit[:12]}")
        self._update_by_timer()
        self._told(f"Successfully updated to commit: {commit}")
        self._type("systemctl", "start", *SHORT_NAMES.split(), timeout=_LIMIT)
        self._all_run(1)
        self._status("current", commit)

    def _update(self) -> None:
        before = self._facts()
        commit = self._upstream.commit(version=2)
        self._narrator.step(f"Upstream has version 2, commit {commit[:12]}")
        self._narrator.say("One service is restarted by hand. Its gate asks for an update first:")
        self._begin()
        self._type("systemctl", "restart", "ipfs-accelerate", timeout=_LIMIT)
        self._all_run(2)
        after = self._facts()
        moved = [name for name in before if before[name]["pid"] != after[name]["pid"]]
        self._narrator.check(
            len(moved) == len(before), "the other two were restarted by the update", after
        )
        # The service whose gate waited is watched after its start.
        self._wait_state("current")
        self._told(f"Successfully updated to commit: {commit}")
        self._status("current", commit)
        self._restart_without_news()

    def _restart_without_news(self) -> None:
        releases = self._machine.run("ls", RELEASES).stdout
        self._narrator.say("The same again, when there is nothing new:")
        self._begin()
        self._type("systemctl", "restart", "ipfs-accelerate", timeout=_LIMIT)
        self._all_run(2)
        same = self._machine.run("ls", RELEASES).stdout
        self._narrator.check(same == releases, "no release was built", same)

    def _take_a_broken_one(self) -> None:
        good = self._upstream.head()
        bad = self._upstream.commit(version=3, broken=Broken.CRASH)
        self._narrator.step(f"Upstream has version 3, commit {bad[:12]}, which is broken")
        self._narrator.say("It can be installed, but its HTTP service ends as soon as it starts.")
        failed = self._update_by_timer(expected=1)
        code = failed.returncode
        self._narrator.check(code == 1, "the run failed with exit code 1", code)
        told = self._told(f"rolled back from commit {bad[:12]} to {good[:12]}")
        self._narrator.check(
            "ipfs-accelerate.service crashed" in told, "the log names the crashed service", told
        )
        self._all_run(2)
        facts = self._status("rolled-back", good)
        quarantined = [item["commit"] for item in facts["quarantine"]]
        self._narrator.check(
            quarantined == [bad], "version 3 is in quarantine: it is not tried again", quarantined
        )
        self._begin()
        again = self._update_by_timer()
        told = self._told(f"commit {bad[:12]} is in quarantine")
        self._narrator.check(again.ok, "the next run does not try it again", again.stderr)
        self._all_run(2)

    def _look_back(self) -> None:
        self._narrator.step("Looking back")
        self._type("autoupdatectl", "history")
        answer = self._machine.run("autoupdatectl", "history", "--json")
        results = [entry["result"] for entry in json.loads(answer.stdout)]
        self._narrator.check(
            results == ["rolled-back", "updated", "updated"], "two updates, one rollback", results
        )

    # Sentences

    def _type(
        self, *words: str, expected: int = 0, timeout: float = 120, squeeze: bool = False
    ) -> Completed:
        """Run a command; show it with its output."""
        self._narrator.command(" ".join(words))
        started = time.monotonic()
        done = self._machine.run(*words, check=False, timeout=timeout)
        took = time.monotonic() - started
        text = done.stdout + done.stderr
        self._narrator.output(re.sub(r"(?<=\S) {2,}", "  ", text) if squeeze else text)
        if done.returncode != expected:
            raise NotSeenError(
                f"not seen: exit code {expected}\ninstead: exit code {done.returncode}\n{text}\n"
                f"{self._machine.diagnosis()}"
            )
        if took > _WORTH_TELLING:
            self._narrator.seen(f"done in {duration(took)}")
        return done

    def _update_by_timer(self, expected: int = 0) -> Completed:
        """Do what the timer does."""
        self._begin()
        words = ("systemctl", "start", RUN) if self._stage.has_systemd else ("autoupdatectl", "run")
        return self._type(*words, expected=expected, timeout=_LIMIT)

    def _begin(self) -> None:
        """Remember the end of the log, and wait until the last check is not fresh any more."""
        time.sleep(_FRESH_FOR + 0.5)
        self._since = self._machine.run("date", "+%F %T").stdout.strip()
        self._log_lines = len(self._log())

    def _log(self) -> list[str]:
        return self._machine.run("cat", LOG, check=False).stdout.splitlines()

    def _told(self, expected: str) -> str:
        """Show the log since `_begin`, and check that it has a line."""
        new = len(self._log()) - self._log_lines
        file = "\n".join(self._log()[self._log_lines :])
        if self._stage.has_systemd:
            self._machine.run("journalctl", "--sync")
            words = ["journalctl", "-t", "autoupdate", "-p", "info", "--no-hostname"]
            self._narrator.command(f"{' '.join(words)} --since '{self._since}'")
            shown = self._machine.run(*words, f"--since={self._since}", "--no-pager").stdout
        else:
            self._narrator.command(f"tail -n {new} {LOG}")
            shown = file
        self._narrator.output(shown)
        where = "journal and log file have" if self._stage.has_systemd else "the log file has"
        self._narrator.check(
            expected in shown and expected in file, f"{where}: {expected}", f"{shown}\n{file}"
        )
        return shown

    def _status(self, state: str, commit: str) -> dict[str, Any]:
        """Show the status and check it."""
        self._type("autoupdatectl", "status")
        facts = self._app.status()
        found = (facts["state"], facts["current"]["commit"])
        self._narrator.check(
            found == (state, commit), f"status shows: {state}, at commit {commit[:12]}", found
        )
        return facts

    def _wait_state(self, state: str) -> None:
        self._machine.wait_for(lambda: self._app.status()["state"] == state, 60, f"state {state}")

    def _all_run(self, version: int) -> None:
        """Check, by asking them, that all three services run a version, from its commit."""

        text = f"all three services run version {version}"
        deadline = time.monotonic() + _PATIENCE
        while not all(facts.get("version") == version for facts in self._facts().values()):
            if time.monotonic() > deadline:
                shown = self._machine.systemctl("show", "--", *SERVICES).stdout
                raise NotSeenError(
                    f"not seen: {text}\ninstead: {self._facts()}\n{shown}\n"
                    f"{self._machine.diagnosis()}"
                )
            time.sleep(0.1)
        facts = list(self._facts().values())
        commits = {str(service.get("commit")) for service in facts}
        current = self._app.status()["current"]["commit"]
        self._narrator.check(commits == {current}, f"{text}, as they answer themselves", commits)

    def _facts(self) -> dict[str, Mapping[str, Any]]:
        """Return what each service answers; an empty mapping if it does not."""
        facts: dict[str, Mapping[str, Any]] = {}
        for name in ("serve", "mcp"):
            try:
                facts[name] = self._app.health(name)
            except OSError:
                facts[name] = {}
        facts["launcher"] = self._app.worker()
        return facts
