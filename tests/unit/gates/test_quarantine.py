"""quarantine and quarantine clear, and the operands of verbs that take a commit or a release."""

import json
from pathlib import Path

import pytest

from autoupdate.cli import operands
from autoupdate.cli.main import main
from autoupdate.cli.render.when import ago, until
from autoupdate.gates.quarantine import clear, clear_all
from autoupdate.host import runtime_files
from autoupdate.host.clock import Clock
from autoupdate.model.errors import ConfigurationError, Exit, UnreachableError, UpdateFailedError
from autoupdate.model.steps import Result
from tests.unit.effects import APP, commit
from tests.unit.world import World

RELEASE = "20990101T000004Z-0123456789ab"
A, B = "abcdef1" + "0" * 33, "abcdef2" + "0" * 33


@pytest.fixture
def held(world: World) -> World:
    """Return a world with two commits in quarantine, and one that waits for its next attempt."""
    world.deploy(1)
    for name in (A, B):
        world.records.quarantine(name, "build", f"no {name[:7]}", "2099-01-01T01:00:00Z")
    at = "2099-01-01T02:00:00Z"
    world.records.count_attempt(commit(7), "no network", at, interrupted=False)
    return world


@pytest.mark.parametrize("beginning", [A, A[:7], commit(7)])
def test_clear(held: World, beginning: str) -> None:
    runtime_files.set_fresh(held.paths, 60, "/usr/bin/python3", ())
    cleared = clear(held.app, beginning)
    assert cleared.startswith(beginning)
    left = {item.commit for item in held.records.quarantined()}
    left |= {item.commit for item in held.records.all_attempts()}
    assert left == {A, B, commit(7)} - {cleared}
    assert not runtime_files.is_fresh(held.paths)
    facts = json.loads(Path(held.paths.home, "facts.json").read_text())
    assert {item["commit"] for item in facts["quarantine"]} == {A, B} - {cleared}


@pytest.mark.parametrize(
    ("beginning", "said"),
    [("abcdef", "more than one commit"), ("1234567", "no commit"), (f"{A}0", "no commit")],
)
def test_digits_of_no_commit_or_of_several(held: World, beginning: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        clear(held.app, beginning)
    assert caught.value.message == f"{said} in quarantine begins with {beginning}"
    for known in (A, B, commit(7)):
        assert known in caught.value.advice
    assert len(held.records.quarantined()) == 2


def test_clear_all(held: World, capsys: pytest.CaptureFixture[str]) -> None:
    configure(held)
    runtime_files.set_fresh(held.paths, 60, "/usr/bin/python3", ())
    assert main(["quarantine", "clear", "--all", APP], held.all_paths) == Exit.DONE
    said = f"{APP}: 3 commits removed from quarantine; runs may try them again:"
    names = [f"  {name[:12]}" for name in sorted((A, B, commit(7)))]
    assert capsys.readouterr().out.splitlines() == [said, *names]
    assert not runtime_files.is_fresh(held.paths)
    assert clear_all(held.app) == []
    assert main(["quarantine", "clear", "--all"], held.all_paths) == Exit.DONE
    assert capsys.readouterr().out == f"{APP}: no commit is in quarantine\n"
    assert main(["quarantine", "clear", "--all", "--json"], held.all_paths) == Exit.DONE
    assert json.loads(capsys.readouterr().out) == {"app": APP, "cleared": []}


def configure(world: World) -> None:
    """Write settings for the verbs."""
    file = Path(world.all_paths.etc, "apps", f"{APP}.toml")
    file.parent.mkdir(parents=True)
    file.write_text(f'path = "{world.settings.path}"\n[upstream]\nurl = "https://x/y"\n')


def test_empty_quarantine(world: World) -> None:
    with pytest.raises(ConfigurationError) as caught:
        clear(world.app, "1234567")
    assert caught.value.advice == "the quarantine is empty"


@pytest.mark.parametrize(
    "fault", [UpdateFailedError("broken"), UnreachableError("connection reset")]
)
def test_cleared_commit_is_tried_at_once(world: World, fault: Exception) -> None:
    world.deploy(1)
    world.worker.faults["build"] = fault  # type: ignore[assignment]
    world.deploy(2)
    world.worker.faults.clear()
    assert world.run().result is Result.DEFERRED
    clear(world.app, commit(2))
    assert world.run().result is Result.UPDATED


@pytest.mark.parametrize(
    ("said", "release", "app"),
    [
        ([], "", ""),
        ([RELEASE], RELEASE, ""),
        (["demo"], "", "demo"),
        ([RELEASE, "demo"], RELEASE, "demo"),
        (["demo", f"{RELEASE}xx"], f"{RELEASE}xx", "demo"),
        (["previous"], "previous", ""),
        (["previous", "demo"], "previous", "demo"),
        (["8426bb3"], "8426bb3", ""),
        ([RELEASE[:8]], RELEASE[:8], ""),
        ([RELEASE[:16], "demo"], RELEASE[:16], "demo"),
    ],
)
def test_release_and_app(said: list[str], release: str, app: str) -> None:
    assert operands.release_and_app(said) == (release, app)


@pytest.mark.parametrize("said", [["a", "b"], [RELEASE, RELEASE], [RELEASE, "a", "b"], [""]])
def test_more_than_a_release_and_an_app(said: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        operands.release_and_app(said)


@pytest.mark.parametrize(
    ("said", "commit_named", "app"),
    [
        ([], "", ""),
        (["demo"], "", "demo"),
        (["clear", "abcdef1"], "abcdef1", ""),
        (["clear", A, "demo"], A, "demo"),
        (["clear", "ABCDEF1"], "abcdef1", ""),
    ],
)
def test_commit_and_app(said: list[str], commit_named: str, app: str) -> None:
    assert operands.commit_and_app(said) == (commit_named, app)


def test_all_and_app() -> None:
    assert operands.commit_and_app(["clear"], every=True) == ("", "")
    assert operands.commit_and_app(["clear", "demo"], every=True) == ("", "demo")
    for said in ([], ["demo"], ["clear", A, "demo"]):
        with pytest.raises(ConfigurationError):
            operands.commit_and_app(said, every=True)


@pytest.mark.parametrize(
    "said",
    [
        ["clear"], ["clear", "abcdef"], ["clear", "demo"], ["demo", "clear"],
        ["clear", "abcdef1", "a", "b"], ["list", "demo"],
    ],
)  # fmt: skip
def test_operands_without_a_commit(said: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        operands.commit_and_app(said)
    assert "autoupdatectl quarantine" in caught.value.advice


@pytest.mark.parametrize("arguments", [["quarantine"], ["quarantine", APP]])
def test_list(world: World, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    configure(world)
    assert main(arguments, world.all_paths) == Exit.DONE
    assert capsys.readouterr().out == "no commit is in quarantine\n"
    world.records.quarantine(A, "build", "no such requirement", "2099-01-01T01:00:00Z")
    assert main(arguments, world.all_paths) == Exit.DONE
    assert capsys.readouterr().out == (
        f"{A[:12]}  quarantined {ago('2099-01-01T01:00:00Z', Clock().now())}\n"
        f"    tried again {until('2099-01-01T02:00:00Z', Clock().now())}\n"
        "    no such requirement\n"
        "to try one again: autoupdatectl quarantine clear COMMIT\n"
    )
    assert main([*arguments, "--json"], world.all_paths) == Exit.DONE
    assert [item["commit"] for item in json.loads(capsys.readouterr().out)] == [A]


def test_wrong_operands_are_reported_in_one_line(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quarantine", "clear", "demo"], world.all_paths) == Exit.USAGE
    first, advice = capsys.readouterr().err.splitlines()
    assert first == "autoupdatectl: give at least seven hexadecimal digits of the commit"
    assert advice == "  usage: autoupdatectl quarantine clear COMMIT [APP]"
