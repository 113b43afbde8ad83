"""The gate: whether a service may start, for what units/pre-start cannot decide."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autoupdate.host import runtime_files
from autoupdate.model.errors import ConfigurationError, UnreachableError, UpdateFailedError
from autoupdate.records.second_copy import open_state
from autoupdate.service_start import gate
from autoupdate.update.run import one_run
from tests.unit.conftest import Journal
from tests.unit.effects import APP, commit
from tests.unit.world import World


class Gate:
    """The gate of an app, with simulated runs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.started: list[str] = []
        self.fault = ""
        Path(world.all_paths.log).parent.mkdir(parents=True)
        self.configure()

    def configure(self, start: str = "") -> None:
        """Write the app's settings; `start` is the content of [start]."""
        file = Path(self.world.all_paths.etc, "apps", f"{APP}.toml")
        file.parent.mkdir(parents=True, exist_ok=True)
        path = json.dumps(self.world.settings.path)
        file.write_text(f'path = {path}\n[upstream]\nurl = "https://x/y"\n[start]\n{start}\n')

    def close_windows(self) -> None:
        """Allow switching only in one minute of the week, which is not now."""
        file = Path(self.world.all_paths.etc, "apps", f"{APP}.toml")
        day = f"{datetime.now(UTC) + timedelta(days=3):%a}"
        file.write_text(f'{file.read_text()}[windows]\nallowed = ["{day} 12:00-12:01 UTC"]\n')

    def start_run(self, app: str, enough: Callable[[], bool]) -> str:
        """Start a run, as systemd would; return why it failed."""
        self.started.append(app)
        outcome = self.world.run()
        return self.fault or (f"unit of {app} failed" if outcome.exit_code else "")

    def ask(self, *arguments: str) -> int:
        """Ask whether a service may start."""
        return gate.main(
            list(arguments or (APP,)),
            self.world.all_paths,
            self.start_run,
            self.world.transient_units,
            self.world.clock,
        )


@pytest.fixture
def asked(world: World, journal: Journal) -> Gate:
    """Return the gate of an app on which version 1 is deployed."""
    world.deploy(1)
    runtime_files.set_stale(world.paths)
    return Gate(world)


def said(journal: Journal) -> list[str]:
    """Return the names of the events that were logged."""
    return [entry["AUTOUPDATE_EVENT"] for entry in journal.entries]


def test_start_deploys_the_new_commit(asked: Gate) -> None:
    asked.world.upstream = commit(2)
    assert asked.ask() == 0
    assert asked.started == [APP]
    assert asked.world.current_commit() == commit(2)
    history = asked.world.records.history(1)
    assert history[0].trigger == "start"


def test_no_start_waits_for_a_closed_window(asked: Gate) -> None:
    asked.close_windows()
    asked.world.upstream = commit(2)
    asked.fault = "the build takes for ever"
    assert asked.ask() == 0
    assert (asked.started, asked.world.transient_units.started) == ([], [APP])


def test_service_starts_on_the_release_before_a_rolled_back_one(asked: Gate) -> None:
    """The bad commit was rolled back: the service may start."""
    asked.world.services.bad = {commit(2)}
    asked.world.deploy(2)
    assert asked.ask() == 0


@pytest.mark.parametrize("policy", ["block", "start"])
def test_upstream_is_down(
    asked: Gate, journal: Journal, policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked.configure(f'if_update_fails = "{policy}"')
    asked.world.check_fault = UnreachableError("upstream did not answer")
    assert asked.ask() == (1 if policy == "block" else 0)
    assert said(journal)[-1] == ("blocked" if policy == "block" else "started-old")
    message = capsys.readouterr().err
    assert "upstream did not answer" in message, "the run's reason says more than systemctl"
    assert ("if_update_fails" in message) == (policy == "block")
    assert message.count("\n") == 1


@pytest.mark.parametrize("policy", ["block", "start"])
def test_commit_that_cannot_be_built_blocks_every_start(asked: Gate, policy: str) -> None:
    asked.configure(f'if_update_fails = "{policy}"')
    asked.world.worker.faults["build"] = UpdateFailedError("no such requirement")
    asked.world.upstream = commit(2)
    # The first run fails; the second is deferred, as the commit is in quarantine.
    for _ in range(2):
        assert asked.ask() == (1 if policy == "block" else 0)
        runtime_files.set_stale(asked.world.paths)


def test_path_that_is_not_managed(asked: Gate, journal: Journal) -> None:
    path = Path(asked.world.settings.path)
    path.unlink()
    path.mkdir()
    assert asked.ask() == 0
    assert asked.started == []
    assert said(journal) == ["unmanaged"]


def test_start_does_not_wait_for_a_run_that_is_switching(asked: Gate) -> None:
    with runtime_files.activating(asked.world.paths):
        assert asked.ask() == 0
    assert asked.started == []


def test_without_update_a_start_only_ends_an_interrupted_run(asked: Gate) -> None:
    asked.configure("update = false")
    asked.world.upstream = commit(2)
    assert asked.ask() == 0
    assert asked.started == []
    asked.world.records.begin("timer", commit(2), "", "t")
    assert asked.ask() == 0
    assert asked.started == [APP]
    assert asked.world.records.unfinished() is None
    assert asked.world.current_commit() == commit(1)


def test_without_update_no_start_waits_for_a_running_update(asked: Gate) -> None:
    asked.configure("update = false")
    asked.world.records.begin("timer", commit(2), "", "t")
    with runtime_files.exclusive(asked.world.paths, APP, wait=False):
        assert asked.ask() == 0
    assert asked.started == []


@pytest.mark.parametrize("content", [b"", b"no database" * 999])
@pytest.mark.parametrize("update", ["true", "false"])
def test_damaged_state_does_not_keep_services_down(
    asked: Gate, update: str, content: bytes
) -> None:
    """A run replaces it, also with start.update = false."""
    asked.configure(f"update = {update}")
    asked.world.records.close()
    Path(asked.world.paths.state).write_bytes(content)

    def renew(app: str, enough: Callable[[], bool]) -> str:
        asked.started.append(app)
        open_state(asked.world.paths, lambda _: None).close()
        return ""

    assert gate.main([APP], asked.world.all_paths, renew) == 0
    assert asked.started == [APP]


def test_damaged_state_and_no_run_either(asked: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    asked.configure('if_update_fails = "start"')
    Path(asked.world.paths.state).write_bytes(b"no database" * 999)
    assert gate.main([APP], asked.world.all_paths, lambda _, __: "systemctl hangs") == 0
    assert "systemctl hangs" in capsys.readouterr().err


def test_systemctl_fails_without_a_run(asked: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(app: str, enough: Callable[[], bool]) -> str:
        return f"Unit autoupdate@{app}.service is masked."

    clock = asked.world.clock
    assert gate.main([APP], asked.world.all_paths, refuse, clock=clock) == 1
    assert "is masked" in capsys.readouterr().err


@pytest.mark.parametrize(("took", "waited"), [(0.5, 3.5), (60, 0)])
def test_refusals_are_slower_than_the_start_limit(asked: Gate, took: float, waited: float) -> None:
    """systemd gives up on a unit that starts more than five times in ten seconds."""
    clock = asked.world.clock
    began = clock.seconds

    def refuse(app: str, enough: Callable[[], bool]) -> str:
        clock.sleep(took)
        return "no"

    assert gate.main([APP], asked.world.all_paths, refuse, clock=clock) == 1
    assert clock.seconds - began == pytest.approx(took + waited)


@pytest.mark.parametrize("arguments", [("nothing",), ("../x",)])
def test_service_of_an_unknown_app_starts_and_says_so(
    asked: Gate, arguments: tuple[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked.ask(*arguments) == 0
    assert asked.started == []
    message = capsys.readouterr().err
    assert "starts on what is there" in message
    assert message.count("\n") == 1


def test_with_bad_settings_a_service_starts_on_what_is_deployed(
    asked: Gate, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    asked.configure("updat = true")
    assert asked.ask() == 0
    message = capsys.readouterr().err
    assert "'start.updat'" in message
    assert f"starts on release {asked.world.release_of(1)}" in message
    assert message.count("\n") == 1
    assert said(journal) == ["started-old"]
    assert (asked.started, runtime_files.requests(asked.world.paths)) == ([], set())


def test_with_bad_settings_an_interrupted_run_is_still_ended(asked: Gate) -> None:
    asked.configure("updat = true")
    asked.world.records.begin("timer", commit(2), "", "t")

    def refuse(app: str, enough: Callable[[], bool]) -> str:
        outcome = one_run(
            asked.world.app, wait=False, refusal=ConfigurationError("apps/x.toml: unknown key")
        )
        assert (outcome.result, outcome.exit_code) == ("refused", 2)
        return "failed"

    assert gate.main([APP], asked.world.all_paths, refuse) == 0
    assert asked.world.records.unfinished() is None
    last = asked.world.records.last_run()
    assert last
    assert (last.exit_code, last.reason) == (2, f"{APP}: apps/x.toml: unknown key")
    assert asked.world.current_commit() == commit(1), "nothing is begun"


def test_settings_of_another_app_keep_no_service_down(
    asked: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(asked.world.all_paths.etc, "apps", "web.toml")
    other.write_text(Path(other.parent, f"{APP}.toml").read_text())
    current = Path(asked.world.all_paths.app("web").current)
    current.parent.mkdir(parents=True)
    current.symlink_to("releases/1")
    assert gate.main([APP], asked.world.all_paths, lambda *_: "the run was refused") == 0
    assert "is also the path of app web" in capsys.readouterr().err


def test_with_bad_settings_no_service_starts_from_half_a_directory(asked: Gate) -> None:
    asked.configure("updat = true")
    Path(asked.world.paths.relocation).write_text("{}")
    assert gate.main([APP], asked.world.all_paths, lambda *_: "no", clock=asked.world.clock) == 1


def test_gate_stops_waiting_when_another_process_watches(asked: Gate) -> None:
    """The run may wait for a probation, which waits for this service: a deadlock."""
    seen = []

    def wait(app: str, enough: Callable[[], bool]) -> str:
        seen.append(enough())
        with runtime_files.activating(asked.world.paths):
            seen.append(enough())
            runtime_files.set_watching(asked.world.paths)
            seen.append(enough())
        return ""

    assert gate.main([APP], asked.world.all_paths, wait) == 0
    assert seen == [False, False, True]


def test_service_that_is_kept_down_is_reported_once(asked: Gate, journal: Journal) -> None:
    file = Path(asked.world.all_paths.etc, "apps", f"{APP}.toml")
    told = '[notify]\nurls = ["json://hooks.example/secret"]\nevents = ["blocked"]\n'
    file.write_text(file.read_text() + told)
    asked.world.check_fault = UnreachableError("upstream did not answer")
    for _ in range(3):
        assert asked.ask() == 1
    rows = asked.world.records.rows("SELECT event, message, target FROM outbox")
    assert [(event, target) for event, _, target in rows] == [("blocked", "json#1")]
    assert "upstream did not answer" in rows[0][1]
    assert asked.world.transient_units.sendings == 3


@pytest.fixture
def boot_clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds since boot, as a list of one number that a test changes."""
    now = [1000.0]
    monkeypatch.setattr(runtime_files, "_uptime", lambda: now[0])
    return now


def test_patience_with_an_outage_ends(
    asked: Gate, journal: Journal, boot_clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    """It counts from the first start that was refused, and each restart need not wait again."""
    asked.configure('patience = "2min"')
    asked.world.check_fault = UnreachableError("upstream did not answer")
    answers = []
    for later in (0, 60, 59, 1, 1):
        boot_clock[0] += later
        answers.append(asked.ask())
    assert answers == [1, 1, 1, 0, 0]
    assert said(journal)[-1] == "started-old"
    message = capsys.readouterr().err.splitlines()[-1]
    for words in ("upstream did not answer", "upstream.example", "start.patience", "121 s"):
        assert words in message
    # The outage is over, and the next one counts for itself.
    asked.world.check_fault = None
    assert asked.ask() == 0
    runtime_files.set_stale(asked.world.paths)
    asked.world.check_fault = UnreachableError("upstream did not answer")
    assert asked.ask() == 1


def test_patience_while_the_next_attempt_waits(asked: Gate, boot_clock: list[float]) -> None:
    """Between two attempts runs are deferred; the index is out all the same."""
    asked.configure('patience = "2min"')
    asked.world.worker.faults["build"] = UnreachableError("no answer", server="pypi.example")
    asked.world.upstream = commit(2)
    assert asked.ask() == 1
    boot_clock[0] += 121
    assert asked.ask() == 0
    assert asked.world.current_commit() == commit(1)


def test_no_patience_with_a_commit_that_cannot_be_built(
    asked: Gate, boot_clock: list[float]
) -> None:
    """No server is to blame, so it may never end: that is for the administrator to decide."""
    asked.configure('patience = "2min"')
    asked.world.worker.faults["build"] = UpdateFailedError("no such requirement")
    asked.world.upstream = commit(2)
    for _ in range(2):
        assert asked.ask() == 1
        boot_clock[0] += 1000


def test_no_patience_without_a_release(
    world: World, journal: Journal, boot_clock: list[float]
) -> None:
    asked = Gate(world)
    asked.configure('patience = "2min"')
    world.check_fault = UnreachableError("upstream did not answer")
    for _ in range(2):
        assert asked.ask() == 1
        boot_clock[0] += 1000
