"""The command line: arguments, exit codes, output."""

import argparse
import errno
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from autoupdate.app import Outcome
from autoupdate.cli.main import function, main
from autoupdate.cli.output import finish, print_words
from autoupdate.cli.parser import VERBS, parser
from autoupdate.cli.printed_log import PrintedLog
from autoupdate.cli.render.status import STATES
from autoupdate.cli.render.status import status as words
from autoupdate.model.errors import Exit, UnreachableError, UpdateFailedError
from autoupdate.model.events import STEP, Event
from autoupdate.model.steps import Result
from autoupdate.records import pin
from autoupdate.reports.history import history
from autoupdate.reports.status import status
from tests.unit.cli.conftest import SetZone
from tests.unit.effects import APP, SERVICES, commit
from tests.unit.world import World

RELEASE = {"release", "commit", "activated_at", "signer"}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@pytest.fixture
def configured(world: World) -> World:
    """Return a world whose app has a configuration file."""
    file = Path(world.all_paths.etc, "apps", f"{APP}.toml")
    file.parent.mkdir(parents=True)
    # No services: looking at them would ask the host's systemd.
    file.write_text(f'path = "{world.settings.path}"\n[upstream]\nurl = "https://x/y"\n')
    return world


def facts(world: World) -> dict[str, Any]:
    """Return what `status --json` prints."""
    text = json.dumps(status(world.settings, world.paths, world.services))
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: VERB"),
        (["updaet"], "invalid choice: 'updaet'"),
        (["run", "--nowait"], "--nowait"),
        (["run", "--no-w"], "--no-w"),
        (["run", "a", "b"], "b"),
        (["history", "--limit", "0"], "at least 1"),
        (["history", "--limit", "many"], "at least 1"),
        (["status", "--limit", "3"], "--limit"),
    ],
)
def test_usage_error(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == Exit.USAGE
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith("autoupdatectl")
    assert said in line
    assert printed.out == ""
    assert main([*arguments, "--json"]) == Exit.USAGE
    told = json.loads(capsys.readouterr().out)
    assert (told["app"], told["result"], told["exit_code"]) == (None, "error", 2)
    assert said in told["reason"]
    assert told["advice"].endswith("--help")


def test_yes_to_no_cure(configured: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--yes", APP], configured.all_paths) == Exit.USAGE
    printed = capsys.readouterr()
    assert "--yes means something only with --fix; nothing was changed" in printed.err
    assert "autoupdatectl doctor --help" in printed.err
    assert printed.out == ""
    assert main(["doctor", "--yes", "--json", APP], configured.all_paths) == Exit.USAGE
    told = json.loads(capsys.readouterr().out)
    assert (told["result"], told["exit_code"]) == ("error", 2)


@pytest.mark.parametrize(
    ("arguments", "app", "no_wait", "force", "as_json"),
    [
        (["run"], None, False, False, False),
        (["run", "demo", "--no-wait", "--force", "--json"], "demo", True, True, True),
        (["run", "--", "demo"], "demo", False, False, False),
    ],
)
def test_run_arguments(
    arguments: list[str], app: str | None, no_wait: bool, force: bool, as_json: bool
) -> None:
    chosen = parser().parse_args(arguments)
    assert (chosen.app, chosen.no_wait, chosen.force, chosen.json) == (
        app, no_wait, force, as_json,
    )  # fmt: skip


def test_every_verb_has_its_function() -> None:
    for verb in VERBS.values():
        assert function(verb.does).__module__.startswith("autoupdate.cli.verbs."), verb.does


def test_only_the_verb_that_is_asked_for_is_prepared() -> None:
    """A run that finds nothing new must be fast: it does not load the parsers of other verbs."""
    assert [*choices(parser(["run", "demo"]))] == ["run"]
    assert [*choices(parser(["rum"]))] == [*choices(parser())] == [*VERBS]


def choices(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the verbs that a parser knows."""
    (verbs,) = (item for item in of._actions if isinstance(item, argparse._SubParsersAction))
    found: dict[str, argparse.ArgumentParser] = verbs.choices
    return found


def test_unknown_app_is_one_line(configured: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "demo"], configured.all_paths) == Exit.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    first, advice = printed.err.splitlines()
    assert first.startswith("autoupdatectl: there is no app demo on this host")
    assert advice.startswith("  ")


def test_error_as_json(configured: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "demo", "--json"], configured.all_paths) == Exit.USAGE
    told = json.loads(capsys.readouterr().out)
    assert (told["result"], told["exit_code"]) == ("error", 2)
    assert told["reason"].startswith("there is no app demo")


@pytest.mark.parametrize("code", [Exit.DONE, Exit.FAILED, Exit.BROKEN, Exit.UNREACHABLE])
def test_exit_code_of_a_run(code: Exit, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = world.run()._replace(exit_code=code, reason="how it went", advice="do this")
    assert finish(outcome, APP, parser().parse_args(["run"])) == code
    printed = capsys.readouterr()
    if code == Exit.DONE:
        assert (printed.out, printed.err) == ("how it went\n", "")
    else:
        assert (printed.out, printed.err) == ("", "autoupdatectl: how it went\n  do this\n")


def test_run_as_json(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    finish(world.run(), APP, parser().parse_args(["run", "--json"]))
    told = json.loads(capsys.readouterr().out)
    assert told["app"] == APP
    assert (told["result"], told["exit_code"], told["commit"]) == ("updated", 0, commit(1))


def test_status_of_a_host_without_a_deployment(
    configured: World, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.close()
    Path(configured.paths.state).unlink()
    assert main(["status", "--json"], configured.all_paths) == Exit.DONE
    told = json.loads(capsys.readouterr().out)
    assert told["state"] == "unmanaged"
    assert told["current"] is None
    assert not Path(configured.paths.state).exists(), "reading made a file"
    assert main(["status"], configured.all_paths) == Exit.DONE
    assert main(["history"], configured.all_paths) == Exit.DONE
    assert "not managed by autoupdate" in capsys.readouterr().out


def test_shape_of_status(world: World) -> None:
    """The keys that monitoring relies on."""
    world.deploy(1)
    world.worker.faults["build"] = UpdateFailedError("broken")
    world.deploy(2)
    world.worker.faults.clear()
    world.deploy(3)
    told = facts(world)
    assert set(told) == {
        "app", "network_trouble", "settings_fault", "state", "watched", "interrupted", "current",
        "previous", "candidate",
        "last_run", "last_success_at", "rehearsal", "hold", "pin", "quarantine", "services",
    }  # fmt: skip
    assert (told["app"], told["state"]) == (APP, "current")
    assert set(told["current"]) == RELEASE | {"trusted", "trust_reason"}
    assert set(told["previous"]) == RELEASE
    assert (told["current"]["commit"], told["previous"]["commit"]) == (commit(3), commit(1))
    assert set(told["candidate"]) == {"commit", "seen_at"}
    assert set(told["last_run"]) == {
        "result", "exit_code", "started_at", "finished_at", "reason",
    }  # fmt: skip
    assert [set(item) for item in told["quarantine"]] == [{"commit", "reason", "since", "retry_at"}]
    assert set(told["services"]) == set(SERVICES)
    assert set(told["services"]["web.service"]) == {
            "active", "sub", "restarts", "runs_from", "text", "unit",
        }  # fmt: skip
    for time in (
        told["current"]["activated_at"], told["candidate"]["seen_at"], told["last_success_at"],
        told["last_run"]["started_at"], told["last_run"]["finished_at"],
        told["quarantine"][0]["since"],
    ):  # fmt: skip
        assert re.fullmatch(TIME, time), time


def test_states(world: World) -> None:
    assert facts(world)["state"] == "unmanaged"
    world.deploy(1)
    assert facts(world)["state"] == "current"
    world.records.set_candidate(commit(2), "t")
    assert facts(world)["state"] == "behind"
    world.check_fault = UnreachableError("down")
    world.run()
    assert facts(world)["state"] == "failed"
    world.check_fault = None
    world.services.bad = {commit(2)}
    world.deploy(2)
    assert facts(world)["state"] == "rolled-back"
    world.run()
    assert facts(world)["state"] == "rolled-back"
    world.worker.faults["build"] = UpdateFailedError("broken")
    world.deploy(3)
    assert facts(world)["state"] == "failed"
    world.run()
    assert facts(world)["state"] == "failed", "deferred, but the commit still cannot be built"
    world.worker.faults.clear()
    world.services.change("web.service", active="activating", sub="start-pre")
    world.deploy(4)
    assert facts(world)["state"] == "probation"


def test_state_of_a_first_release_that_does_not_run(world: World) -> None:
    world.services.bad = {commit(1)}
    world.run()
    assert facts(world)["state"] == "failed"
    again = world.run()
    assert again.result is Result.DEFERRED, "it is current, but not up to date"
    assert "web.service failed" in again.reason
    assert facts(world)["state"] == "failed"


def test_every_state_has_words(world: World) -> None:
    world.deploy(1)
    for state in STATES:
        assert state in words(facts(world) | {"state": state}, world.clock.now())


def test_words_of_status(world: World) -> None:
    world.deploy(1)
    world.services.bad = {commit(2)}
    world.deploy(2)
    text = words(facts(world), world.clock.now())
    for said in ("rolled-back", commit(1)[:12], "quarantine", "web.service failed", "api.service"):
        assert said in text


@pytest.mark.parametrize(
    ("result", "exit_code", "reason", "shown"),
    [
        ("current", 0, f"{APP}: already up to date at commit {commit(1)[:12]}",
         "up to date, checked 2 min ago (00:08) last success"),
        ("current", 0, f"{APP}: no run was interrupted",
         "ended 2 min ago (00:08) no run was interrupted"),
        ("unreachable", 69, f"{APP}: upstream https://x/y did not answer within 5 s",
         "upstream unreachable, tried 2 min ago (00:08) upstream https://x/y did not answer"),
        ("unreachable", 69, "update failed in step build: the package index cannot be reached",
         "server unreachable, tried 2 min ago (00:08) update failed in step build"),
        ("failed", 1, f"{APP}: disk full at 2099-01-01T00:07:00Z",
         "failed 2 min ago (00:08) disk full at 2099-01-01 00:07"),
    ],
)  # fmt: skip
def test_words_of_the_last_run(
    world: World, result: str, exit_code: int, reason: str, shown: str, in_zone: SetZone
) -> None:
    """`status` claims no more than the records say."""
    world.deploy(1)
    last = {
        "result": result, "exit_code": exit_code, "reason": reason,
        "started_at": "2099-01-01T00:07:59Z", "finished_at": "2099-01-01T00:08:00Z",
    }  # fmt: skip
    text = words(facts(world) | {"last_run": last}, "2099-01-01T00:10:00Z")
    plain = re.sub("\033\\[[0-9;]*m", "", text)
    assert f"last run {shown}" in " ".join(plain.split())


def test_pinned_app_says_nothing_about_upstream(world: World) -> None:
    """A pin takes the place of the check, so upstream may have newer commits."""
    world.deploy(1)
    assert "last new commit seen" in words(facts(world), world.clock.now())
    pin.put(world.records, pin.Pin(commit(1), world.clock.now()))
    assert "last new commit seen" not in words(facts(world), world.clock.now())


def test_history(configured: World, capsys: pytest.CaptureFixture[str]) -> None:
    configured.deploy(1)
    configured.worker.faults["build"] = UpdateFailedError("broken")
    configured.deploy(2)
    assert main(["history", "--json", "--limit", "1"], configured.all_paths) == Exit.DONE
    (newest,) = json.loads(capsys.readouterr().out)
    assert (newest["commit"], newest["result"]) == (commit(2), Result.FAILED)
    assert newest["step"] == "build"
    assert main(["history"], configured.all_paths) == Exit.DONE
    assert len(re.findall("^[0-9]", capsys.readouterr().out, re.MULTILINE)) == 2
    configured.records.begin("timer", commit(3), "", "t")
    assert history(configured.paths, 1)[0]["result"] is None


class GoneTerminal(io.StringIO):
    """A terminal whose connection broke."""

    def write(self, _: str) -> int:
        """Fail as the kernel does."""
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_step_that_cannot_be_printed_does_not_stop_the_verb(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = Event(STEP, f"{APP}: a step", APP)
    monkeypatch.setattr("sys.stdout", GoneTerminal())
    PrintedLog(world.log).write(event)
    assert event in world.log.events


def test_what_upstream_wrote_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """A subject, an author or a file's name can hold any sequence (ECMA-48)."""
    hostile = "\033[2J\033]0;owned\007Serve faster\r\b"
    print_words(f"commits  {hostile}\nfiles  a\x9bK")
    outcome = Outcome(Result.CURRENT, Exit.DONE, f"shop: {hostile}")
    finish(outcome, "shop", argparse.Namespace(json=False))
    shown = capsys.readouterr().out
    assert "\033" not in shown and "\r" not in shown and "\x9b" not in shown
    assert shown.count("\n") == 3
    assert "Serve faster" in shown
