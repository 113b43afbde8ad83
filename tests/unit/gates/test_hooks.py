"""The administrator's hooks: when they run, their environment, and which ones may not run."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from autoupdate.host.hook_files import POST, PRE, HostHooks
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from tests.unit.effects import APP, Killed, commit
from tests.unit.world import World


def refuse(_: Mapping[str, str]) -> str:
    """Fail as a hook does."""
    return "failed with exit code 3"


def events(world: World) -> list[tuple[str, str, str]]:
    """Return what ran since the last call."""
    ran, world.hooks.ran = world.hooks.ran, []
    return ran


@pytest.fixture
def hooked(world: World) -> World:
    """Return an app with version 1, and hooks before and after."""
    world.deploy(1)
    world.hooks.add(PRE, "pre/1")
    world.hooks.add(PRE, "pre/2")
    world.hooks.add(POST, "post/1")
    return world


def test_update(hooked: World) -> None:
    seen: list[str] = []
    given: dict[str, str] = {}

    def look(environment: Mapping[str, str]) -> str:
        seen.append(hooked.current_commit())
        given.update(environment)
        return ""

    hooked.hooks.add(PRE, "pre/2", look)
    hooked.hooks.add(POST, "post/1", look)
    hooked.deploy(2)
    assert events(hooked) == [
        ("pre/1", "update", ""), ("pre/2", "update", ""), ("post/1", "update", "updated"),
    ]  # fmt: skip
    assert seen == [commit(1), commit(2)]
    assert {key: value for key, value in given.items() if key.startswith("AUTOUPDATE_")} == {
        "AUTOUPDATE_APP": APP,
        "AUTOUPDATE_EVENT": "update",
        "AUTOUPDATE_PATH": hooked.settings.path,
        "AUTOUPDATE_RELEASE": hooked.release_of(2),
        "AUTOUPDATE_COMMIT": commit(2),
        "AUTOUPDATE_PREVIOUS_COMMIT": commit(1),
        "AUTOUPDATE_RESULT": "updated",
    }
    hooked.run()
    assert events(hooked) == [], "there is nothing new"


def test_hook_that_fails_stops_the_update(hooked: World) -> None:
    hooked.hooks.add(PRE, "pre/1", refuse)
    outcome = hooked.deploy(2)
    assert (outcome.result, outcome.exit_code) == (Result.DEFERRED, Exit.DONE)
    assert "hook pre/1 failed with exit code 3: pre/1 speaks" in outcome.reason
    assert events(hooked) == [("pre/1", "update", ""), ("post/1", "update", "deferred")]
    assert hooked.current_commit() == commit(1)
    assert hooked.records.quarantined() == []
    hooked.worker.calls.clear()
    assert hooked.run(force=True).result == Result.DEFERRED, "--force does not ignore a hook"
    hooked.hooks.add(PRE, "pre/1")
    assert hooked.run().result == Result.UPDATED
    assert "build" not in hooked.worker.calls, "the release has waited"
    hooked.assert_whole()


def test_hook_that_may_not_run_stops_the_update(hooked: World) -> None:
    hooked.hooks.faults["pre/2"] = "pre/2 belongs to user 1000, not to root"
    outcome = hooked.deploy(2)
    assert outcome.result == Result.DEFERRED
    assert "belongs to user 1000" in outcome.reason
    assert events(hooked) == [], "not even the other hooks"


def test_failure_afterwards_changes_nothing(hooked: World) -> None:
    hooked.hooks.add(POST, "post/0", refuse)
    hooked.hooks.faults["post/1"] = "post/1 is not executable"
    hooked.hooks.add(POST, "post/2")
    assert hooked.deploy(2).result == Result.UPDATED
    assert [hook for hook, _, _ in events(hooked)] == ["pre/1", "pre/2", "post/0", "post/2"]
    failed = [event.message for event in hooked.log.events if event.kind.name == "hook-failed"]
    assert failed == [
        f"{APP}: hook post/0 failed with exit code 3: post/0 speaks",
        f"{APP}: hook post/1 may not run: post/1 is not executable",
    ]


def test_rollback_cannot_be_stopped(hooked: World) -> None:
    given: dict[str, str] = {}

    def refuse_rollback(environment: Mapping[str, str]) -> str:
        given.update(environment)
        return "failed with exit code 3" if environment["AUTOUPDATE_EVENT"] == "rollback" else ""

    hooked.hooks.add(PRE, "pre/1", refuse_rollback)
    hooked.services.bad = {commit(2)}
    assert hooked.deploy(2).result == Result.ROLLED_BACK
    assert events(hooked) == [
        ("pre/1", "update", ""), ("pre/2", "update", ""),
        ("pre/1", "rollback", ""), ("pre/2", "rollback", ""),
        ("post/1", "rollback", "rolled-back"),
    ]  # fmt: skip
    assert (given["AUTOUPDATE_COMMIT"], given["AUTOUPDATE_PREVIOUS_COMMIT"]) == (
        commit(1),
        commit(2),
    )
    assert hooked.current_commit() == commit(1)


def test_rollback_by_hand(hooked: World) -> None:
    hooked.deploy(2)
    events(hooked)
    hooked.roll_back()
    assert events(hooked) == [
        ("pre/1", "rollback", ""), ("pre/2", "rollback", ""), ("post/1", "rollback", "rolled-back"),
    ]  # fmt: skip


def test_timeout_is_for_all_hooks_together(hooked: World) -> None:
    def linger(_: Mapping[str, str]) -> str:
        hooked.clock.sleep(hooked.settings.hooks.timeout + 1)
        return ""

    hooked.hooks.add(PRE, "pre/1", linger)
    outcome = hooked.deploy(2)
    assert outcome.result == Result.DEFERRED
    assert "pre/2 was not run: hooks.timeout is used up" in outcome.reason


def test_run_that_dies_in_a_hook(hooked: World) -> None:
    def die(_: Mapping[str, str]) -> str:
        raise Killed

    hooked.hooks.add(PRE, "pre/2", die)
    with pytest.raises(Killed):
        hooked.deploy(2)
    hooked.revive()
    hooked.hooks.add(PRE, "pre/2")
    assert hooked.run().result == Result.UPDATED
    hooked.assert_whole()


def write(path: Path, mode: int = 0o755) -> str:
    """Make a hook."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> HostHooks:
    """Return hooks in a directory that is as safe as /etc is for root."""
    tmp_path.chmod(0o755)
    return HostHooks(f"{tmp_path}/hooks/{APP}", top=str(tmp_path), owner=os.geteuid())


def test_names_are_those_of_run_parts(files: HostHooks) -> None:
    for name in ("20-b", "10-a", "README.md", "30-c.dpkg-old", ".hidden", "Z_9"):
        write(Path(files.directory, PRE, name))
    Path(files.directory, PRE, "15-directory").mkdir()
    assert [os.path.basename(hook) for hook in files.find(PRE)] == ["10-a", "20-b", "Z_9"]
    assert files.find(POST) == []


def test_files_that_never_run_are_found(files: HostHooks) -> None:
    script = write(Path(files.directory, PRE, "20-drain.sh"))
    write(Path(files.directory, PRE, "README.md"), 0o644)
    write(Path(files.directory, POST, "10-tell"))
    lost = write(Path(files.directory, "pre-update", "10-check"))
    assert files.overlooked() == [os.path.dirname(lost), script]
    assert HostHooks("/nowhere").overlooked() == []


def test_hook_that_is_safe(files: HostHooks) -> None:
    hook = write(Path(files.directory, PRE, "10-a"))
    assert files.fault(hook) == ""
    link = Path(files.directory, PRE, "20-link")
    link.symlink_to(hook)
    assert files.fault(str(link)) == ""


@pytest.mark.parametrize("writable", [stat.S_IWGRP, stat.S_IWOTH])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_writable_by_others(files: HostHooks, level: int, writable: int) -> None:
    hook = write(Path(files.directory, PRE, "10-a"))
    path = [hook, os.path.dirname(hook), files.directory, os.path.dirname(files.directory)][level]
    os.chmod(path, 0o755 | writable)
    assert files.fault(hook) == f"{path} can be written by users other than root"


def test_link_to_what_is_not_safe(files: HostHooks, tmp_path: Path) -> None:
    target = write(tmp_path / "srv" / "script")
    (tmp_path / "srv").chmod(0o777)
    link = Path(files.directory, PRE, "10-a")
    link.parent.mkdir(parents=True)
    link.symlink_to(target)
    assert "srv can be written by users other than root" in files.fault(str(link))


def test_other_owner(files: HostHooks) -> None:
    hook = write(Path(files.directory, PRE, "10-a"))
    files.owner += 1
    assert files.fault(hook) == f"{hook} belongs to user {os.geteuid()}, not to root"


def test_not_executable_and_missing(files: HostHooks) -> None:
    hook = write(Path(files.directory, PRE, "10-a"), 0o644)
    assert files.fault(hook) == f"{hook} is not executable"
    dangling = Path(files.directory, PRE, "20-b")
    dangling.symlink_to("nowhere")
    assert "No such file or directory" in files.fault(str(dangling))
