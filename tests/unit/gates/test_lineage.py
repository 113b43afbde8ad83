"""lineage and tag: which commits may follow the deployed one, and tags that moved."""

import json
from pathlib import Path
from typing import Any

import pytest

from autoupdate.cli.main import main
from autoupdate.gates import accept_rewrite
from autoupdate.gates.lineage import high_water_mark
from autoupdate.model.commits import short
from autoupdate.model.errors import (
    ConfigurationError,
    Exit,
    NoCandidateError,
    UnreachableError,
)
from autoupdate.model.steps import Result
from autoupdate.records import accepted_rewrites
from autoupdate.records.second_copy import facts_file, open_state
from autoupdate.update.run import one_run
from tests.unit.conftest import Journal
from tests.unit.effects import APP, commit
from tests.unit.world import World, settings


def offer(world: World, number: int, tag: str = "", relation: str = "") -> tuple[Result, str]:
    """Do one run with a commit upstream, which may have a tag; return its result and reason."""
    world.tag = tag
    if relation:
        for base in range(1, 10):
            world.worker.relations[commit(base), commit(number)] = relation
    outcome = world.deploy(number)
    world.assert_whole()
    return outcome.result, outcome.reason


def track(world: World, text: str, **changes: Any) -> None:
    """Let the app follow another track from now on."""
    world.settings = settings(world.root, upstream__track=text, **changes)


def test_downgrade_is_refused(world: World) -> None:
    world.deploy(2)
    result, reason = offer(world, 1)
    assert result is Result.DEFERRED
    assert (
        f"downgrade: it is an ancestor of commit {short(commit(2))}, which was deployed here"
        in reason
    )
    assert world.current_commit() == commit(2)
    assert world.log.kinds[-1] == "refused"
    assert "build" not in world.worker.calls[world.worker.calls.index("relation") :]


@pytest.mark.parametrize("relation", ["diverged", "unknown", "None", ""])
def test_rewritten_history_is_refused_until_it_is_accepted(world: World, relation: str) -> None:
    world.deploy(1)
    world.worker.relations[commit(1), commit(2)] = relation
    refused = world.deploy(2)
    assert (refused.result, refused.exit_code) == (Result.DEFERRED, Exit.DONE)
    assert "rewritten history" in refused.reason
    assert f"autoupdatectl accept-rewrite {commit(2)} {world.app.name}" in refused.advice
    # --force does not ignore it.
    assert world.run(force=True).result is Result.DEFERRED
    assert accept_rewrite.accept(world.app, commit(2)) == commit(2)
    # Only for this commit.
    assert offer(world, 3, relation="diverged")[0] is Result.DEFERRED
    assert offer(world, 2)[0] is Result.UPDATED
    # And only once.
    assert offer(world, 4)[0] is Result.UPDATED
    assert offer(world, 2)[0] is Result.DEFERRED


def test_rewrites_can_be_allowed_permanently(world: World) -> None:
    world.deploy(2)
    world.settings = settings(world.root, upstream__allow_rewrite=True)
    assert offer(world, 1)[0] is Result.UPDATED


@pytest.mark.parametrize("named", ["", "1234567", "x" * 40, "0" * 39 + "1 "])
def test_accept_rewrite_of_what_is_not_a_commit(world: World, named: str) -> None:
    world.deploy(2)
    world.records.set_candidate("f" * 40, "now")
    with pytest.raises(ConfigurationError, match=f"the candidate is {'f' * 40}"):
        accept_rewrite.accept(world.app, named or "0")


def test_accept_rewrite_of_the_candidate_by_its_first_digits(world: World) -> None:
    world.deploy(2)
    assert accept_rewrite.accept(world.app, commit(2)[:38]) == commit(2)


def test_accept_rewrite_of_a_commit_that_nobody_has(world: World) -> None:
    world.deploy(2)
    world.worker.faults["fetch"] = UnreachableError("upload-pack: not our ref dddd")
    with pytest.raises(ConfigurationError, match="is not a commit of"):
        accept_rewrite.accept(world.app, "d" * 40)
    assert not accepted_rewrites.accepted_at(world.records, "d" * 40)


def test_verb(world: World, journal: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    world.deploy(2)
    file = Path(world.all_paths.etc, "apps", f"{APP}.toml")
    file.parent.mkdir(parents=True)
    file.write_text(f'path = "{world.settings.path}"\n[upstream]\nurl = "https://x/y"\n')
    refused = world.deploy(1)
    words = refused.advice.partition("autoupdatectl ")[2].split()
    assert main(words, world.all_paths) == Exit.DONE
    assert f"commit {short(commit(1))} may be deployed once" in capsys.readouterr().out
    assert journal.entries[-1]["MESSAGE"].endswith("is accepted, whatever its history is")
    assert world.run().result is Result.UPDATED
    assert main([words[0], "1234567", APP], world.all_paths) == Exit.USAGE


def test_after_a_rollback_only_a_newer_commit_is_deployed(world: World) -> None:
    world.deploy(1)
    world.deploy(3)
    assert world.roll_back().result is Result.ROLLED_BACK
    assert world.current_commit() == commit(1)
    assert offer(world, 2)[0] is Result.DEFERRED, "between the two: older than the confirmed commit"
    assert offer(world, 4)[0] is Result.UPDATED


def test_commit_that_was_never_confirmed_does_not_set_the_mark(world: World) -> None:
    world.deploy(1)
    world.services.bad = {commit(5)}
    assert offer(world, 5)[0] is Result.ROLLED_BACK
    world.services.bad = set()
    assert offer(world, 3)[0] is Result.UPDATED, "upstream removed the bad commit by a force-push"


def test_first_release_that_does_not_run_does_not_set_the_mark(world: World) -> None:
    world.services.bad = {commit(5)}
    assert world.deploy(5).result is Result.BROKEN
    world.services.bad = set()
    assert offer(world, 3)[0] is Result.UPDATED


def test_history_of_a_pinned_commit_is_not_checked(world: World) -> None:
    world.deploy(3)
    world.records.write("INSERT INTO pin VALUES (1, ?, 'now')", [commit(1)])
    assert offer(world, 1)[0] is Result.UPDATED
    world.records.write("DELETE FROM pin")
    assert offer(world, 2)[0] is Result.DEFERRED, "the mark has not moved"
    assert offer(world, 4)[0] is Result.UPDATED


def test_history_of_a_commit_that_the_track_names_is_not_checked(world: World) -> None:
    world.deploy(3)
    track(world, f"commit:{commit(1)}")
    assert offer(world, 1)[0] is Result.UPDATED
    assert world.worker.fetched[-1] == (commit(1), ())


@pytest.mark.parametrize("lost", ["state", "facts", "mark", "both but the release"])
def test_mark_is_kept_twice(world: World, lost: str) -> None:
    world.deploy(1)
    world.deploy(3)
    world.roll_back()
    world.records.close()
    facts = Path(facts_file(world.paths.state))
    if lost == "state":
        Path(world.paths.state).unlink()
    elif lost == "facts":
        facts.unlink()
    records = open_state(world.paths, lambda _: None)
    if lost == "mark":
        records.write("DELETE FROM high_water")
    elif lost == "both but the release":
        records.write("DELETE FROM high_water")
        facts.unlink()
    world.upstream = commit(2)
    outcome = one_run(world.app._replace(records=records), wait=False)
    assert json.loads(facts.read_text())["releases"], "written again when it is missing"
    records.close()
    world.revive()
    assert outcome.result is (Result.UPDATED if lost == "both but the release" else Result.DEFERRED)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", '{"high_water": [1, 2, 3]}', "[" * 100_000,
        '{"high_water": {"commit": 1, "tag": 2, "at": 3}}',
    ],
)  # fmt: skip
def test_second_copy_that_is_not_valid(world: World, content: str) -> None:
    world.deploy(1)
    Path(facts_file(world.paths.state)).write_text(content)
    mark = high_water_mark(world.app)
    assert mark is not None
    assert mark.commit == commit(1)


def test_database_from_a_backup_does_not_lower_the_mark(world: World) -> None:
    world.deploy(1)
    former = Path(world.paths.state).read_bytes()
    world.deploy(3)
    world.records.close()
    Path(world.paths.state).write_bytes(former)
    world.revive()
    assert "downgrade" in world.deploy(2).reason


def test_higher_version_of_another_branch_is_deployed(world: World) -> None:
    track(world, "semver:>=1")
    offer(world, 1, "v1.4")
    assert offer(world, 2, "v2.0", "diverged")[0] is Result.UPDATED
    assert world.worker.fetched[-1] == ("refs/tags/v2.0", ())
    result, reason = offer(world, 3, "v1.5", "diverged")
    assert result is Result.DEFERRED
    assert "downgrade: tag v1.5 is a lower version than v2.0" in reason


def test_moved_tag_is_refused(world: World) -> None:
    track(world, "tag:v*")
    offer(world, 1, "v1.0")
    result, reason = offer(world, 2, "v1.0")
    assert result is Result.DEFERRED
    assert (
        f"moved tag: v1.0 pointed to commit {short(commit(1))}, now to commit {short(commit(2))}"
        in reason
    )
    assert offer(world, 2, "v1.1")[0] is Result.UPDATED, "with another tag"


def test_tag_that_moved_between_check_and_fetch_is_refused(world: World) -> None:
    track(world, "tag:v*")
    world.tag, world.upstream_now = "v1.0", commit(3)
    outcome = world.deploy(1)
    assert "moved tag" in outcome.reason
    assert outcome.exit_code == Exit.FAILED, "nothing is deployed"


def test_moved_tag_can_be_accepted(world: World) -> None:
    track(world, "tag:v*")
    offer(world, 1, "v1.0")
    offer(world, 2, "v1.0")
    accept_rewrite.accept(world.app, commit(2))
    assert offer(world, 2, "v1.0")[0] is Result.UPDATED
    assert world.run().result is Result.CURRENT
    assert "moved tag" in offer(world, 1, "v1.0")[1]


def test_no_candidate_is_reported(world: World) -> None:
    world.check_fault = NoCandidateError("no tag upstream matches tag:v*")
    outcome = world.run()
    assert (outcome.result, outcome.exit_code) == (Result.FAILED, Exit.FAILED)
    world.check_fault = None
    world.deploy(1)
    world.check_fault = NoCandidateError("no tag upstream matches tag:v*")
    outcome = world.run()
    assert (outcome.result, outcome.exit_code) == (Result.DEFERRED, Exit.DONE)
    last = world.records.last_run()
    assert last is not None
    assert "no tag upstream matches tag:v*" in last.reason
    assert world.log.kinds[-1] == "no-candidate"
