"""guard and age: what each gate refuses, what `--force` ignores, and one bad day upstream."""

import calendar
import time
from typing import Any

import pytest

from autoupdate.gates import guard
from autoupdate.gates.guard import not_allowed
from autoupdate.model.errors import Exit
from autoupdate.model.events import OUTSIDE_LINKS, Kind
from autoupdate.model.sizes import in_words
from autoupdate.model.steps import Result
from tests.unit.effects import HARMLESS, commit
from tests.unit.world import World, settings


def configure(world: World, **changes: Any) -> None:
    """Change settings; dots are written as two underscores."""
    world.settings = settings(world.root, **changes)


@pytest.fixture
def deployed(world: World) -> World:
    """Return a world in which version 1 runs."""
    assert world.deploy(1).result is Result.UPDATED
    return world


@pytest.mark.parametrize(
    ("changes", "findings", "said"),
    [
        ({}, {"deleted": 26}, "deletes 26 of 100 files (26.0%), more than guard.max_deleted = 25%"),
        ({}, {"deleted": 100}, "deletes 100 of 100 files"),
        ({"guard__max_deleted": "0%"}, {"deleted": 1}, "more than guard.max_deleted = 0%"),
        (
            {"guard__max_changed": "50%"}, {"deleted": 20, "modified": 31},
            "deletes or changes 51 of 100 files (51.0%), more than guard.max_changed = 50%",
        ),
        (
            {}, {"complete": False, "files": 1_000_000},
            "it has more than 1,000,000 files or links, too many to check",
        ),
        ({}, {"misleading": ("a\nb",)}, r"misleading file names: a\nb"),
        ({}, {"misleading": ("\u202etxt",)}, r"misleading file names: \u202etxt"),
        ({}, {"outside": ("a", "b")}, "symbolic links point outside the release: a, b"),
        ({"guard__outside_links": ["a"]}, {"outside": ("a", "b")}, "outside the release: b"),
        (
            {}, {"outside": tuple("abcdefghijklmnop")},
            f"outside the release: {', '.join('abcdefghijklmnop')}; ",
        ),
        (
            {}, {"outside": tuple(str(number) for number in range(1000, 1400))},
            ", 1199 and 200 more; ",
        ),
        (
            {"guard__outside_links": ["**"]}, {"outside": ("a",) * 1000, "more_outside": True},
            "more than 1,000 symbolic links point outside the release, too many to check",
        ),
        (
            {"guard__required": ["src", "x.py"]}, {"present": ("src",)},
            "required paths are missing: x.py",
        ),
        (
            {"guard__forbidden": ["secrets"]}, {"present": ("secrets",)},
            "it has forbidden paths: secrets",
        ),
        (
            {"guard__max_release": "1MiB"}, {"bytes": 1_200_000, "largest": 5000},
            "its files take 1.144 MiB, more than guard.max_release = 1 MiB; the largest is README"
            " (4.883 KiB)",
        ),
        ({}, {"bytes": 9 << 30}, "its files take 9 GiB, more than guard.max_release = 8 GiB"),
    ],
)  # fmt: skip
def test_refused_even_if_forced(
    deployed: World, changes: dict[str, Any], findings: dict[str, Any], said: str
) -> None:
    configure(deployed, **changes)
    deployed.worker.findings = HARMLESS._replace(**findings)
    for force in (False, True):
        deployed.upstream = commit(2)
        outcome = deployed.run(force=force)
        assert (outcome.result, outcome.exit_code) == (Result.DEFERRED, Exit.DONE)
        assert said in outcome.reason
        assert deployed.current_commit() == commit(1)
        assert deployed.releases_on_disk() == {deployed.release_of(1)}
    assert deployed.records.quarantined() == []
    # The next commit is harmless again, and is deployed.
    deployed.worker.findings = HARMLESS._replace(present=("src", "x.py"))
    assert deployed.deploy(3).result is Result.UPDATED


@pytest.mark.parametrize(
    ("changes", "findings"),
    [
        ({}, {"deleted": 25, "modified": 75}),
        ({"guard__max_deleted": "100%"}, {"deleted": 100, "modified": 0}),
        ({"guard__outside_links": ["a"]}, {"outside": ("a",)}),
        ({"guard__outside_links": ["a/", "b/*.so"]}, {"outside": ("a/b/c", "b/x.so")}),
        ({"guard__required": ["src"]}, {"present": ("src",)}),
        ({"guard__forbidden": ["secrets"]}, {"present": ()}),
        ({}, {"submodules": ("vendored",)}),
        # Nothing to compare with: the mirror is new, and upstream lost the deployed commit.
        ({}, {"before": 0, "deleted": 0}),
    ],
)
def test_deployed(deployed: World, changes: dict[str, Any], findings: dict[str, Any]) -> None:
    configure(deployed, **changes)
    deployed.worker.findings = HARMLESS._replace(**findings)
    assert deployed.deploy(2).result is Result.UPDATED


def told(world: World, kind: Kind) -> list[str]:
    """Return the messages of one kind of event."""
    return [event.message for event in world.log.events if event.kind == kind]


def test_links_in_folders_without_a_package_are_warnings(deployed: World) -> None:
    deployed.worker.loose_folders = frozenset({"notes", "old"})
    links = ("notes/a", "notes/b/c", "old/x")
    deployed.worker.findings = HARMLESS._replace(outside=links)
    assert deployed.deploy(2).result is Result.UPDATED
    (said,) = told(deployed, OUTSIDE_LINKS)
    assert said.endswith("that no installed package contains: notes/a, notes/b/c, old/x")
    # One that is at the top, or may be in a package, is refused, and the others are not named.
    for refused in ("notes", "src/a"):
        deployed.worker.findings = HARMLESS._replace(outside=(*links, refused))
        outcome = deployed.deploy(3)
        assert outcome.result is Result.DEFERRED
        assert f"point outside the release: {refused};" in outcome.reason
    # Those that are allowed are not even mentioned.
    configure(deployed, guard__outside_links=["notes", "old/*"])
    deployed.worker.findings = HARMLESS._replace(outside=links)
    assert deployed.deploy(4).result is Result.UPDATED
    assert len(told(deployed, OUTSIDE_LINKS)) == 1


def test_refusal_with_nothing_deployed_is_a_failure(world: World) -> None:
    world.worker.findings = HARMLESS._replace(before=0, outside=("link",))
    outcome = world.run()
    assert (outcome.result, outcome.exit_code) == (Result.FAILED, Exit.FAILED)
    assert "link; nothing is deployed" in outcome.reason
    assert "guard.outside_links" in outcome.advice


def test_day_on_which_upstream_lost_its_files(deployed: World) -> None:
    """10,000 of 14,000 files deleted on main, and put back 35 minutes later."""
    deployed.worker.findings = HARMLESS._replace(files=4000, before=14_000, deleted=10_000)
    outcome = deployed.deploy(2)
    assert outcome.result is Result.DEFERRED
    assert "it deletes 10,000 of 14,000 files (71.4%)" in outcome.reason
    assert f"release {deployed.release_of(1)} is kept" in outcome.reason
    deployed.clock.sleep(35 * 60)
    deployed.worker.findings = HARMLESS._replace(files=14_000, before=14_000, modified=3)
    assert deployed.deploy(3).result is Result.UPDATED


def test_host_that_was_first_deployed_on_that_day_is_updated(world: World) -> None:
    world.worker.findings = HARMLESS._replace(files=4000, before=0)
    assert world.deploy(2).result is Result.UPDATED
    world.worker.findings = HARMLESS._replace(files=14_000, before=4000, modified=3)
    assert world.deploy(3).result is Result.UPDATED


def now(world: World) -> int:
    """Return the fake clock's time in seconds since 1970."""
    return calendar.timegm(time.strptime(world.clock.now(), "%Y-%m-%dT%H:%M:%SZ"))


def test_young_commit_waits(deployed: World) -> None:
    configure(deployed, guard__min_age="2h")
    deployed.worker.findings = HARMLESS._replace(committed_at=now(deployed) - 3600)
    outcome = deployed.deploy(2)
    assert outcome.result is Result.DEFERRED
    assert "guard.min_age is 7200 s" in outcome.reason
    # Old enough by its date, but nobody knows how long it has been published.
    deployed.clock.sleep(3700)
    assert deployed.run().result is Result.DEFERRED
    deployed.clock.sleep(3600)
    assert deployed.run().result is Result.UPDATED


def test_backdated_commit_waits_as_well(deployed: World) -> None:
    configure(deployed, guard__min_age="2h")
    deployed.worker.findings = HARMLESS._replace(committed_at=1)
    assert deployed.deploy(2).result is Result.DEFERRED
    # The branch moves to another commit and back: this host saw this one before.
    deployed.clock.sleep(7000)
    assert deployed.deploy(3).result is Result.DEFERRED
    deployed.clock.sleep(300)
    assert deployed.deploy(2).result is Result.UPDATED


def test_age_may_be_forced(deployed: World) -> None:
    configure(deployed, guard__min_age="2h", guard__settle="2h")
    deployed.upstream = commit(2)
    assert deployed.run().result is Result.DEFERRED
    assert deployed.run(force=True).result is Result.UPDATED


def test_branch_that_keeps_moving(deployed: World) -> None:
    configure(deployed, guard__settle="1h")
    for number in (2, 3, 2, 3):
        assert deployed.deploy(number).result is Result.DEFERRED
        deployed.clock.sleep(3000)
    # Both commits are old by now, but the branch moved less than an hour ago.
    outcome = deployed.deploy(3)
    assert "upstream has not moved for 30" in outcome.reason
    deployed.clock.sleep(700)
    assert deployed.deploy(3).result is Result.UPDATED


def test_first_deployment_checks_only_the_date(world: World) -> None:
    """This host has seen no commit yet, and must not wait for days with nothing deployed."""
    configure(world, guard__min_age="2h", guard__settle="2h")
    world.worker.findings = HARMLESS._replace(committed_at=now(world) - 60)
    assert world.run().exit_code == Exit.FAILED
    world.worker.findings = HARMLESS._replace(committed_at=now(world) - 9000)
    assert world.run().result is Result.UPDATED


def test_date_in_the_future_is_too_young(deployed: World) -> None:
    configure(deployed, guard__min_age="1s")
    deployed.worker.findings = HARMLESS._replace(committed_at=now(deployed) + 86400)
    assert deployed.deploy(2).result is Result.DEFERRED


def test_every_gate_has_its_own_name(deployed: World) -> None:
    verdicts = [gate(deployed.app, commit(1)) for gate in guard.GATES]
    assert len({verdict.gate for verdict in verdicts}) == len(guard.GATES)
    assert all(verdict.passes and verdict.reason for verdict in verdicts)


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (5 << 40, "5120 GiB")],
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert in_words(size) == words


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        ("data", ["data", "data/a", "data/a/b"], ["database", "x/data", "dat"]),
        ("data/models", ["data/models", "data/models/x"], ["data", "data/modelsx"]),
        ("*.so", ["a.so", "a.so/inside"], ["a.sox", "lib/a.so", "aXso"]),
        ("lib/*.so", ["lib/a.so"], ["lib/deep/a.so", "lib/so", "a.so"]),
        ("lib/*", ["lib/a", "lib/a/b"], ["lib", "libx/a"]),
        ("**/cache", ["cache", "a/cache", "a/b/cache", "a/cache/x"], ["a/cachex", "xcache"]),
        ("a/**/z", ["a/z", "a/b/c/z"], ["a/b/zz", "z"]),
        ("a/**", ["a/b", "a/b/c"], ["b", "ab"]),
        ("v?", ["v1", "v1/x"], ["v", "v10", "v/x"]),
        ("v[0-9]", ["v1"], ["va", "v10", "v/"]),
        ("v[!0-9]", ["va"], ["v1", "v/x"]),
        ("v[^]", ["v^", "v[^]"], ["va", "v"]),
        ("odd[name", ["odd[name"], ["oddn"]),
        ("odd[name]", ["odd[name]", "oddn"], ["oddx"]),
        ("a+b(c)|d", ["a+b(c)|d"], ["aab(c)", "d"]),
        (r"a[\\w]", ["a\\", "aw"], ["ab"]),
        ("", [], ["a"]),
    ],
)
def test_patterns_of_links(pattern: str, allowed: list[str], refused: list[str]) -> None:
    everything = (*allowed, *refused)
    assert not_allowed(everything, (pattern,)) == tuple(refused)
