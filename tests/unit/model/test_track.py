"""Tracks that choose among tags: which tags match, and which one is the candidate."""

import pytest

from autoupdate.config import values
from autoupdate.model.track import Tag, choose, parse_range, tags, version_of
from autoupdate.upstream.ls_remote import parse

COMMIT, OBJECT = "c" * 40, "0" * 40
SEEN = (
    "v0.9", "v1.0", "v1.2.9", "v1.2.10", "1.3", "v1.4-rc1", "v2.0", "v2.1.0-beta.2",
    "v2.1.0-beta.10", "app/v7", "release-3.1", "release-3.10", "stable", "latest",
    "v1.0-12-g0123abc", "v5.0.dev1", "v1.2.3-linux-9", "v" + "9" * 200, "v9 ", "-v9",
    "v9\x1b[31m", "v9\u202e", "--upload-pack=9", "v9~1",
)  # fmt: skip


@pytest.mark.parametrize(
    ("track", "name"),
    [
        ("tag:v*", "v2.0"),
        ("tag:v1.*", "v1.2.10"),
        ("tag:*", "app/v7"),
        ("tag:v*-rc*", "v1.4-rc1"),
        ("tag:v2.1.0-beta*", "v2.1.0-beta.10"),
        ("tag:v2.*b*", "v2.1.0-beta.10"),
        ("tag:release-*", "release-3.10"),
        ("tag:v1.0", "v1.0"),
        ("tag:stable", ""),
        ("tag:w*", ""),
        ("semver:>=1", "v2.0"),
        ("semver:^1.2", "1.3"),
        ("semver:~1.2.3", "v1.2.10"),
        ("semver:1.2.x", "v1.2.10"),
        ("semver:>=1.0, <1.3", "v1.2.10"),
        ("semver:>=1.0 !=1.3 <2", "v1.2.10"),
        ("semver:v1.0", "v1.0"),
        ("semver:>=2.1.0-beta.1", "v5.0.dev1"),
        ("semver:~=2.1.0b1", "v2.1.0-beta.10"),
        ("semver:>3", ""),
    ],
)
def test_matching_tag_with_the_highest_version(track: str, name: str) -> None:
    assert values.track(track) == track
    chosen, admitted = choose(track, tags({f"refs/tags/{name}": COMMIT for name in SEEN}))
    assert (chosen.name if chosen else "") == name
    assert chosen is None or chosen in admitted


@pytest.mark.parametrize(
    "text", ["latest", "^x", ">=1.2 || <1", "^1.x", ">=", "1.2.3.", "1 - 2", ">=1,x", "==1.0.*.*"]
)
def test_range_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="range"):
        values.track(f"semver:{text}")


@pytest.mark.parametrize(
    ("text", "within", "without"),
    [
        ("^0.3.1", "0.3.9", "0.4"),
        ("^0.0.3", "0.0.3", "0.0.4"),
        ("^0", "0.9", "1.0"),
        ("~1", "1.9", "2.0"),
        ("^1.2.3-beta.1", "1.2.3b2", "2.0"),
        ("<2.0rc2", "2.0rc1", "2.0"),
        ("<2", "1.9", "2.0rc1"),
    ],
)
def test_range(text: str, within: str, without: str) -> None:
    assert parse_range(text).contains(within)
    assert not parse_range(text).contains(without)


def test_annotated_tags_point_to_their_commits() -> None:
    refs = {"refs/tags/v1": OBJECT, "refs/tags/v1^{}": COMMIT, "refs/heads/v2": COMMIT}
    assert tags(refs) == [Tag("v1", COMMIT)]


def test_one_version_with_two_names_is_the_same_one_each_time() -> None:
    both = [Tag("v1.0", COMMIT), Tag("1.0", OBJECT)]
    assert choose("tag:*", both)[0] == choose("tag:*", both[::-1])[0] == both[0]


def test_line_that_a_server_hides_in_a_name() -> None:
    """A server may name a ref as it likes, but its name does not become another line."""
    answer = f"{OBJECT}\trefs/tags/v1\x0b{COMMIT}\trefs/heads/main\u2028x\n"
    assert list(parse(answer)) == [f"refs/tags/v1\x0b{COMMIT}\trefs/heads/main\u2028x"]
    assert tags(parse(answer)) == []


def test_version_of_a_long_name_is_found_at_once() -> None:
    assert version_of("-1" * 2000 + "x") is None
