"""The fast path: taken only while nothing has changed; then it records what a run records."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autoupdate.host import runtime_files
from autoupdate.model.steps import Result
from autoupdate.service_start import fast_path, fast_path_facts, fast_path_writer
from autoupdate.update.run import one_run
from autoupdate.upstream.ls_refs import find, question
from tests.unit.conftest import Journal
from tests.unit.effects import APP, commit
from tests.unit.world import World


class Known:
    """A world with version 1 deployed, in which the last run wrote the facts for the fast path."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world = world
        self.settings_file = directory / "app.toml"
        self.settings_directory = directory / "app.toml.d"
        self.settings_directory.mkdir()
        self.settings_file.touch()
        for file in (self.settings_file, self.settings_directory):
            os.utime(file, (1, 1))
        self.python = directory / "python3"
        self.python.symlink_to("/usr/bin/python3")
        self.upstream = commit(1)
        self.questions: list[str] = []
        build = world.settings.build._replace(python=str(self.python))
        files = (str(self.settings_file), str(self.settings_directory))
        world.settings = world.settings._replace(build=build, files=files)
        os.makedirs(os.path.dirname(world.all_paths.log))
        world.deploy(1)
        self.outcome = world.run()

    def leave(self, began: float | None = None) -> bool:
        """End the run; return whether it wrote the facts."""
        # The files above were made within the last second.
        moment = time.time() + 60 if began is None else began
        fast_path_writer.leave(self.world.app, self.outcome, self.world.all_paths, None, moment)
        return os.path.exists(self.world.paths.known)

    def ask(self, url: str, ref: str, **_: object) -> str:
        """Answer for upstream."""
        self.questions.append(f"{url} {ref}")
        return self.upstream

    def look(self, *, for_a_start: bool = False) -> str:
        """Try the fast path."""
        return fast_path.find_nothing_new(
            self.world.all_paths, APP, for_a_start=for_a_start, ask=self.ask
        )


@pytest.fixture
def place(world: World, tmp_path: Path, journal: Journal) -> Known:
    """Return a world in which the fast path can be taken."""
    directory = tmp_path / "settings"
    directory.mkdir()
    return Known(world, directory)


def test_nothing_has_changed(place: Known, journal: Journal) -> None:
    assert place.leave()
    runtime_files.set_stale(place.world.paths)
    before = place.world.records.last_run()
    assert place.look() == place.outcome.reason
    assert place.questions == ["https://upstream.example/app.git refs/heads/main"]
    last = place.world.records.last_run()
    assert last is not None
    assert last != before
    assert (last.result, last.reason) == (Result.CURRENT, place.outcome.reason)
    assert place.world.records.last_success_at() == last.finished_at
    assert runtime_files.is_fresh(place.world.paths)
    assert place.outcome.reason in Path(place.world.all_paths.log).read_text()
    assert [entry["AUTOUPDATE_EVENT"] for entry in journal.entries] == ["current"]


def test_later_run_replaces_the_record_of_the_fast_path(place: Known) -> None:
    place.leave()
    place.look()
    place.world.deploy(2)
    last = place.world.records.last_run()
    assert last is not None
    assert last.result == Result.UPDATED


def test_other_commit_upstream_needs_a_usual_run(place: Known) -> None:
    place.leave()
    before = place.world.records.last_run()
    for answer in (commit(2), ""):
        place.upstream = answer
        assert place.look() == ""
    assert place.world.records.last_run() == before


def replace_python(place: Known) -> None:
    """Upgrade the interpreter."""
    place.python.unlink()
    place.python.symlink_to("/usr/bin/python3.99")


def lose_environment(place: Known) -> None:
    """Remove the interpreter of the current release."""
    Path(place.world.paths.current, ".venv/bin/python").unlink()


CHANGES: dict[str, Callable[[Known], object]] = {
    "settings": lambda place: place.settings_file.write_text("keep = 2\n"),
    "settings of the same length": lambda place: place.settings_file.touch(),
    "settings added": lambda place: (place.settings_directory / "1.toml").touch(),
    "state": lambda place: place.world.records.set_candidate(commit(3), "now"),
    "crash in a commit": lambda place: Path(f"{place.world.paths.state}-journal").touch(),
    "release": lambda place: os.mkdir(place.world.paths.release("x")),
    "link": lambda place: os.unlink(place.world.settings.path),
    "current": lambda place: os.unlink(place.world.paths.current),
    "environment": lose_environment,
    "interpreter": replace_python,
    "format": lambda place: Path(place.world.paths.known).write_text("url x\n"),
    "nothing known": lambda place: os.unlink(place.world.paths.known),
    "proxy": lambda place: os.environ.update({"https_proxy": "http://proxy.example"}),
    "request of a start": lambda place: make_request(place),
}


def make_request(place: Known) -> None:
    """Let a gate wait for this run."""
    os.makedirs(place.world.paths.requests)
    Path(place.world.paths.requests, "1").touch()


@pytest.mark.parametrize("change", CHANGES)
def test_something_has_changed(place: Known, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "")
    assert place.leave()
    assert place.look()
    place.questions.clear()
    CHANGES[change](place)
    assert place.look() == ""
    assert place.questions == [], "only the usual run asks"


def test_busy(place: Known) -> None:
    place.leave()
    with runtime_files.exclusive(place.world.paths, APP, wait=False):
        assert place.look() == ""
        assert place.look(for_a_start=True) == ""


def test_start_after_another_start_does_not_ask(place: Known) -> None:
    place.leave()
    runtime_files.set_stale(place.world.paths)
    assert place.look(for_a_start=True)
    assert place.look(for_a_start=True)
    assert len(place.questions) == 1


def test_start_without_updates_asks_nothing(place: Known) -> None:
    settings = place.world.settings
    place.world.settings = settings._replace(start=settings.start._replace(update=False))
    place.leave()
    assert place.look(for_a_start=True) == ""
    assert place.questions == []


def test_runs_that_write_no_facts(place: Known) -> None:
    assert not place.leave(began=time.time() - 60), "settings may have changed after they were read"
    settings, outcome = place.world.settings, place.outcome
    for other in (
        settings._replace(metrics=settings.metrics._replace(textfile="/srv/metrics")),
        settings._replace(trust=settings.trust._replace(signatures="warn")),
        settings._replace(upstream=settings.upstream._replace(track="tag:v*")),
    ):
        place.world.settings = other
        assert not place.leave()
    place.world.settings = settings
    for result in (Result.DEFERRED, Result.UPDATED):
        place.outcome = outcome._replace(result=result)
        assert not place.leave()


def test_only_runs_that_succeed_write_facts(world: World) -> None:
    world.deploy(1)
    world.effect_names.clear()
    world.run()
    assert "leave_for_next" in world.effect_names
    world.effect_names.clear()
    world.check_fault = OSError("no network")  # type: ignore[assignment]
    assert one_run(world.app, wait=False).exit_code
    assert "leave_for_next" not in world.effect_names


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", ".x"])
def test_words_that_are_not_an_app(name: str) -> None:
    assert not fast_path.is_plain(name)


def test_value_with_a_line_feed_is_not_kept(tmp_path: Path) -> None:
    fast_path_facts.write(f"{tmp_path}/known", {"url": ["a\nb"]})
    assert os.listdir(tmp_path) == []


def test_question_is_for_one_ref() -> None:
    asked = question("refs/heads/main", "sha1")
    assert asked == (
        b"0014command=ls-refs\n0016object-format=sha10001001fref-prefix refs/heads/main\n0000"
    )


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (f"000eversion 2\n0000003d{commit(1)} refs/heads/main\n0000", commit(1)),
        # A ref that only begins like ours, and broken answers.
        (f"0042{commit(1)} refs/heads/main-old\n0000", ""),
        (f"0036{'f' * 33} refs/heads/main\n0000", ""),
        ("<html>", ""),
        ("0000", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_answer(answer: str, found: str) -> None:
    assert find(answer.encode(), "refs/heads/main", 40) == found
