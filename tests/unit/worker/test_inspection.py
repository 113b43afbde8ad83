"""What is read from a commit's tree: links that lead out of it, misleading names."""

import pytest

from autoupdate.model.errors import UpdateFailedError
from autoupdate.model.findings import Findings, read
from autoupdate.worker.repository.inspection import (
    Entry,
    Survey,
    commit_time,
    is_misleading,
    leaving,
    within_limits,
)
from tests.unit.effects import HARMLESS

LINK, FILE, SUBMODULE = 0o120000, 0o100644, 0o160000


@pytest.mark.parametrize(
    ("links", "outside"),
    [
        ({"a": "b"}, []),
        ({"d/a": "../b"}, []),
        ({"d/a": "../../b"}, ["d/a"]),
        ({"a": "/etc/passwd"}, ["a"]),
        ({"a": "."}, []),
        ({"a": ".."}, ["a"]),
        ({"a": "x/../../b"}, ["a"]),
        # Its text stays inside the tree; as the kernel follows it, it leads out.
        ({"d/up": "..", "a": "d/up/../b"}, ["a"]),
        ({"a": "b", "b": "c", "c": "/tmp"}, ["a", "b", "c"]),
        ({"a/b": "c", "a/c": "../d", "e": "a/b/../f"}, []),
        # Circles do not lead to a path in the tree.
        ({"a": "b", "b": "a"}, ["a", "b"]),
        ({"a": "a/x"}, ["a"]),
        ({"a": "b//./c/"}, []),
    ],
)
def test_links_that_leave(links: dict[str, str], outside: list[str]) -> None:
    assert leaving(links) == outside


@pytest.mark.parametrize(
    "path",
    [
        "a\nb", "a\x1b[2J", "a\x7f", "dir/\u202etxt.exe", "\u2066a", "a\u2028b", "a\x9bb",
        ".git/hooks/post-checkout", "a/.git", ".GIT/config", "a/.Git", "git~1", "GIT~1/config",
        ".g\u200cit/config", ".git./config", ".git /config", ".git::$INDEX_ALLOCATION/config",
        ".venv", ".venv/bin/python", "../a", "a//b", "a/./b",
    ],
)  # fmt: skip
def test_misleading_names(path: str) -> None:
    assert is_misleading(path)


@pytest.mark.parametrize(
    "path",
    [
        ".gitignore", ".gitattributes", ".gitmodules", ".github/workflows/x.yml", "git", "a/git.py",
        "src/.venv.example", "docs/.venv", "-rf", "--help", "a b", "ü/日本語", "👨\u200d👩.png",
        "bad-utf8-\udcff", "README", "readme", "$(reboot)", "`reboot`", "a;b", "C:/x",
    ],
)  # fmt: skip
def test_unusual_names_that_are_accepted(path: str) -> None:
    assert not is_misleading(path)


def test_survey_counts_disk_space() -> None:
    survey = Survey(["src", "src/sub", "gone"])
    survey.add(Entry(FILE, "1", 1, "src/a"))
    survey.add(Entry(FILE, "2", 4097, "b"))
    survey.add(Entry(FILE, "3", 0, "empty"))
    survey.add(Entry(LINK, "4", 3, "link"))
    survey.add(Entry(SUBMODULE, "5", 0, "other"))
    survey.add(Entry(SUBMODULE, "6", 0, "src/sub"))
    assert (survey.files, survey.bytes) == (6, 4 * 4096)
    assert (survey.largest, survey.largest_path) == (4097, "b")
    assert survey.links == {"link": "4"}
    assert survey.submodules == ["src/sub", "other"]
    assert survey.present == {"src", "src/sub"}


@pytest.mark.parametrize(
    ("content", "time"),
    [
        (b"tree 1\ncommitter A <a@b> 1750000000 +0000\n\nx", 1_750_000_000),
        (b"tree 1\nauthor A <a@b> 5 +0000\n\ncommitter A <a@b> 1750000000 +0000", 0),
        (b"committer A <a> 9> 1750000000 +0000\n\n", 1_750_000_000),
        (b"committer A <a@b> -5 +0000\n\n", 0),
        (b"", 0),
    ],
)
def test_time_of_a_commit(content: bytes, time: int) -> None:
    assert commit_time(content) == time


def answer(**changes: object) -> dict[str, object]:
    """Return a worker's answer about a harmless commit, in JSON's types, with changes."""
    facts = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in HARMLESS._asdict().items()
    }
    return facts | changes


def test_answer_of_a_worker() -> None:
    assert read(answer()) == HARMLESS
    assert read(answer(present=["a"], more=1)).present == ("a",)


@pytest.mark.parametrize("name", Findings._fields)
@pytest.mark.parametrize("nonsense", [None, "x", 1.5, -1, [1], {}, "absent"])
def test_answer_in_another_form(name: str, nonsense: object) -> None:
    said = answer(**{name: nonsense})
    if nonsense == "absent":
        del said[name]
    if name == "largest_path" and nonsense == "x":
        return
    with pytest.raises(UpdateFailedError, match=f"no valid {name}"):
        read(said)


def test_links_that_leave_are_all_reported_or_said_to_be_too_many() -> None:
    """A list that was cut would hide the links that no setting allows."""
    some = [f"data/{number}" for number in range(1000)]
    assert within_limits(some) == (some, False)
    assert within_limits([*some, "evil"]) == (some, True)
    kept, more = within_limits(["x" * 4000] * 30)
    assert (len(kept), more) == (25, True)
