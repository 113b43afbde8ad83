"""hold and pin: what runs, starts of services, status and rollback do meanwhile."""

import json
import time
from pathlib import Path

import pytest

from autoupdate.cli import moments
from autoupdate.cli.main import main
from autoupdate.gates.pin import full_name
from autoupdate.host import runtime_files
from autoupdate.model.errors import ConfigurationError, Exit, UnreachableError, UpdateFailedError
from autoupdate.model.steps import Result
from autoupdate.model.times import write
from autoupdate.records import hold, pin, second_copy
from autoupdate.records.hold import Hold
from autoupdate.records.pin import Pin
from autoupdate.reports.status import status
from autoupdate.service_start import gate
from tests.unit.conftest import Journal
from tests.unit.effects import APP, commit
from tests.unit.world import World

SINCE, FAR = "2026-01-01T00:00:00Z", "2199-01-01T00:00:00Z"


@pytest.fixture
def deployed(world: World) -> World:
    """Return a world with version 1, and version 2 upstream."""
    world.deploy(1)
    world.upstream = commit(2)
    return world


@pytest.fixture
def configured(deployed: World, journal: Journal) -> World:
    """Return a world with a configuration file, for the command."""
    file = Path(deployed.all_paths.etc, "apps", f"{APP}.toml")
    file.parent.mkdir(parents=True)
    file.write_text(f'path = "{deployed.settings.path}"\n[upstream]\nurl = "https://x/y"\n')
    return deployed


def state_of(world: World) -> str:
    """Return the state that `status` shows."""
    word: str = status(world.settings, world.paths, world.services)["state"]
    return word


def test_a_run_does_nothing_while_there_is_a_hold(deployed: World) -> None:
    hold.put(deployed.records, Hold(SINCE, FAR, "trade fair"))
    before = len(deployed.log.events)
    outcome = deployed.run(force=True)
    assert (outcome.result, outcome.exit_code) == (Result.DEFERRED, Exit.DONE)
    assert "trade fair" in outcome.reason
    assert "unhold" in outcome.advice
    assert len(deployed.log.events) == before + 1, "one line"
    assert deployed.effect_names.count("check") == 1, "only the first run asked upstream"
    assert deployed.current_commit() == commit(1)
    assert state_of(deployed) == "held"


def test_a_hold_ends_by_itself(deployed: World) -> None:
    hold.put(deployed.records, Hold(SINCE, deployed.clock.now(), ""))
    assert deployed.run().result is Result.UPDATED
    assert state_of(deployed) == "held", "the host's clock is far behind that of the test"


def test_an_interrupted_run_is_finished_during_a_hold(deployed: World) -> None:
    number = deployed.records.begin("timer", commit(2), "", SINCE)
    hold.put(deployed.records, Hold(SINCE, "", ""))
    deployed.run()
    assert deployed.records.transaction(number).result == Result.INTERRUPTED


def test_rollback_by_hand_during_a_hold(deployed: World) -> None:
    deployed.run()
    hold.put(deployed.records, Hold(SINCE, "", ""))
    assert deployed.roll_back().exit_code == Exit.DONE
    assert deployed.current_commit() == commit(1)


def test_services_start_during_a_hold(deployed: World, journal: Journal) -> None:
    """Even if the newest commit could not be built, and with `block`."""
    deployed.worker.faults["build"] = UpdateFailedError("broken")
    deployed.run()
    started: list[str] = []

    def start(app: str, enough: object) -> str:
        started.append(app)
        return ""

    def may_start() -> bool:
        return gate.pass_gate(deployed.all_paths, deployed.settings, start) == 0

    assert not may_start()
    hold.put(deployed.records, Hold(SINCE, FAR, ""))
    assert may_start()
    assert len(started) == 1, "no run is asked for during a hold"


def test_hold_is_kept_when_the_state_is_lost(deployed: World) -> None:
    hold.put(deployed.records, Hold(SINCE, FAR, "why"))
    pin.put(deployed.records, Pin(commit(1), SINCE))
    deployed.app.keep_second_copy()
    deployed.records.close()
    Path(deployed.paths.state).write_bytes(b"no database")
    deployed.records = second_copy.open_state(deployed.paths, lambda _: None)  # type: ignore[assignment]
    assert hold.read(deployed.records) == Hold(SINCE, FAR, "why")
    assert pin.find(deployed.records) == Pin(commit(1), SINCE)


@pytest.mark.parametrize("there", [3, 1])
def test_a_pin_deploys_its_commit(deployed: World, there: int) -> None:
    """Newer or older than what is deployed, whatever upstream has."""
    deployed.run()
    pin.put(deployed.records, Pin(commit(there), SINCE))
    outcome = deployed.run()
    assert (outcome.result, outcome.commit) == (Result.UPDATED, commit(there))
    deployed.check_fault = UnreachableError("down")
    assert deployed.run().result is Result.CURRENT, "upstream is no longer asked"
    assert state_of(deployed) == "pinned"
    deployed.check_fault = None
    pin.remove(deployed.records)
    assert deployed.run().result is (Result.UPDATED if there != 2 else Result.CURRENT)
    assert deployed.current_commit() == commit(2)


def test_a_pinned_commit_is_tried_again_once(deployed: World) -> None:
    deployed.services.bad = {commit(2)}
    deployed.run()
    pin.put(deployed.records, Pin(commit(2), SINCE))
    assert deployed.run().result is Result.ROLLED_BACK
    assert deployed.run().result is Result.DEFERRED, "in quarantine again"
    assert state_of(deployed) == "rolled-back"


def test_verbs_of_hold(configured: World, capsys: pytest.CaptureFixture[str]) -> None:
    paths = configured.all_paths
    assert main(["hold", "--until", "2d", "--reason", "fair", "--json"], paths) == Exit.DONE
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) == {"app", "hold"}
    assert hold.read(configured.records) == Hold(**printed["hold"])
    assert main(["status", "--json"], paths) == Exit.DONE
    shown = json.loads(capsys.readouterr().out)
    assert (shown["state"], shown["hold"]) == ("held", printed["hold"])
    assert main(["unhold"], paths) == Exit.DONE
    assert "the hold has ended" in capsys.readouterr().out
    assert hold.read(configured.records) is None
    assert main(["unhold"], paths) == Exit.DONE
    assert "there was no hold" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("yesterday", "is not a time"),
        ("2020-01-01", "is not in the future"),
        ("2026-02-30", "is not a valid date or time"),
        ("9999999999999d", "is not a time"),
        ("0s", "is not in the future"),
    ],
)
def test_wrong_end_of_a_hold(
    configured: World, until: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hold", "--until", until], configured.all_paths) == Exit.USAGE
    assert said in capsys.readouterr().err
    assert hold.read(configured.records) is None


@pytest.mark.parametrize(
    ("text", "direction", "moment"),
    [
        ("2d", 1, "2026-01-03T00:00:00Z"),
        ("1h 30min", -1, "2025-12-31T22:30:00Z"),
        ("2026-12-24", 1, "2026-12-24T05:00:00Z"),
        ("20261224", 1, "2026-12-24T05:00:00Z"),
        ("2026-12-24 18:00", 1, "2026-12-24T23:00:00Z"),
        ("2026-12-24T18:00:00Z", 1, "2026-12-24T18:00:00Z"),
        ("2026-12-24T18:00:00+02:00", 1, "2026-12-24T16:00:00Z"),
    ],
)
def test_moments(text: str, direction: int, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "EST+5")
    time.tzset()
    now = 1_767_225_600.0
    try:
        assert write(now) == SINCE
        assert moments.read(text, now, direction=direction) == moment
    finally:
        monkeypatch.undo()
        time.tzset()


def test_name_of_a_pinned_commit(deployed: World) -> None:
    assert full_name(deployed.app, commit(7).upper()) == commit(7), (
        "also one that is not fetched yet"
    )
    deployed.in_mirror.add("abcdef1" + commit(0)[7:])
    assert full_name(deployed.app, "abcdef1") == "abcdef1" + commit(0)[7:]
    for wrong in ("abcdef", "main", "", "abcdef2", "0" * 65):
        with pytest.raises(ConfigurationError) as caught:
            full_name(deployed.app, wrong)
        assert "git ls-remote https://upstream.example" in caught.value.advice


def test_verbs_of_pin(configured: World, capsys: pytest.CaptureFixture[str]) -> None:
    paths = configured.all_paths
    configured.records.quarantine(commit(2), "build", "why", SINCE)
    assert main(["pin", commit(2), "--json"], paths) == Exit.DONE
    printed = json.loads(capsys.readouterr().out)
    assert (printed["pin"]["commit"], printed["deployed"]) == (commit(2), False)
    assert configured.records.quarantined() == [], "it is tried again"
    assert main(["pin", commit(1)], paths) == Exit.DONE
    assert "it is deployed and is kept" in capsys.readouterr().out
    assert main(["unpin"], paths) == Exit.DONE
    assert "the next run follows branch:main" in capsys.readouterr().out
    assert pin.find(configured.records) is None


def test_pin_during_an_update_says_that_this_is_not_stopped(
    configured: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_files, "is_running", lambda _: True)
    configured.records.quarantine(commit(2), "build", "why", SINCE)
    for number in (1, 2):
        assert main(["pin", commit(number)], configured.all_paths) == Exit.DONE
        said = capsys.readouterr().out
        assert "an update is running now, and is not stopped" in said
        assert "the next run deploys it" in said
        assert "is kept" not in said


def test_pin_of_a_commit_that_nobody_has_is_refused(deployed: World) -> None:
    made_up = "f" * 40
    said = (
        f"upstream https://x/y did not send commit {made_up}: remote error: not our ref {made_up}"
    )
    deployed.worker.faults["fetch"] = UnreachableError(said)
    with pytest.raises(ConfigurationError, match="is not a commit of") as caught:
        full_name(deployed.app, made_up)
    assert "git ls-remote" in caught.value.advice
    deployed.worker.faults["fetch"] = UnreachableError("upstream did not answer")
    with pytest.raises(UnreachableError):
        full_name(deployed.app, made_up)


def test_pin_of_a_commit_that_upstream_has(deployed: World) -> None:
    assert full_name(deployed.app, commit(7)) == commit(7)
    assert commit(7) in deployed.in_mirror
