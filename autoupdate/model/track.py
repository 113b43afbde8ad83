"""What to follow upstream: which refs a track asks for, and which of those found is the candidate.

`branch:NAME` and `commit:SHA` name it. `tag:GLOB` and `semver:RANGE` choose the tag with the
highest version. Versions are those of PEP 440, by python3-packaging; a leading `v` is dropped.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

# The full name of a commit, by SHA-1 or SHA-256.
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
HEADS, TAGS = "refs/heads/", "refs/tags/"
# gitrevisions(7): what an annotated tag leads to in the end.
PEELED = "^{}"
# A name that is no version anyway, or that nobody should have to read in a log, is left out.
TAG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!/-]{0,99}", re.ASCII)
VERSION_IN_NAME = re.compile(r"(?:^|[-_/])[vV]?([0-9].*)")
VERSION_ALONE = re.compile(r"[vV]?([0-9].*)")
PRERELEASE_IN_GLOB = re.compile(
    r"(?:^|[-_.*?\]0-9])(?:a|b|c|rc|alpha|beta|pre|preview|dev)(?=[-_.*?\[0-9]|$)", re.IGNORECASE
)
COMPARISON = re.compile(
    r"(\^|~=|~|==|!=|<=|>=|<|>|)\s*[vV]?([0-9][0-9A-Za-z+!-]*(?:\.[0-9A-Za-z+!-]+)*(?:\.\*)?)"
)


class Tag(NamedTuple):
    """A tag, and the commit that it leads to."""

    name: str
    commit: str


class Found(NamedTuple):
    """What upstream has: the candidate, its tag if that chose it, and every tag of the track."""

    commit: str
    tag: str = ""
    tags: tuple[Tag, ...] = ()


def kind_of(track: str) -> str:
    """Return what a track names: branch, tag, semver or commit."""
    return track.partition(":")[0]


def name_of(track: str) -> str:
    """Return the name, pattern, range or commit of a track."""
    return track.partition(":")[2]


def follows_tags(track: str) -> bool:
    """Tell whether a track chooses among tags."""
    return kind_of(track) in ("tag", "semver")


def branch_ref(track: str) -> str:
    """Return the full name of the branch that is followed; empty for another kind of track."""
    return f"{HEADS}{name_of(track)}" if kind_of(track) == "branch" else ""


def tags(refs: Mapping[str, str]) -> list[Tag]:
    """Return the tags among refs, with the commits that annotated ones lead to."""
    return [
        Tag(ref.removeprefix(TAGS), refs.get(f"{ref}{PEELED}", leads_to))
        for ref, leads_to in refs.items()
        if ref.startswith(TAGS) and TAG_NAME.fullmatch(ref.removeprefix(TAGS))
    ]


def choose(track: str, known: Iterable[Tag]) -> tuple[Tag | None, list[Tag]]:
    """Return the tag with the highest version that a track admits, and all that it admits."""
    admitted = []
    for tag in known:
        version = admits(track, tag.name)
        if version is not None:
            admitted.append((version, tag))
    # Two names of one version (v1.0 and 1.0): the same one each time.
    admitted.sort(key=lambda pair: (pair[0], pair[1].name))
    return (admitted[-1][1] if admitted else None), [tag for _, tag in admitted]


def admits(track: str, name: str) -> "Version | None":
    """Return the version of a tag if the track admits it.

    A pre-release is admitted only where the pattern or the range names one.
    """
    if kind_of(track) == "semver":
        version = version_of(name, VERSION_ALONE)
        return version if version and parse_range(name_of(track)).contains(version) else None
    from fnmatch import fnmatchcase

    pattern = name_of(track)
    version = version_of(name) if fnmatchcase(name, pattern) else None
    if version and version.is_prerelease and not PRERELEASE_IN_GLOB.search(pattern):
        return None
    return version


def version_of(name: str, where: re.Pattern[str] = VERSION_IN_NAME) -> "Version | None":
    """Return the version in the name of a tag: v1.2, 1.2, release-1.2, app/v1.2."""
    from packaging.version import InvalidVersion, Version

    match = where.match(name) if where is VERSION_ALONE else where.search(name)
    try:
        return Version(match[1]) if match else None
    except InvalidVersion:
        return None


def parse_range(text: str) -> "SpecifierSet":
    """Return a range such as ">=1.2, <2", "^1.2", "~1.2.3" or "1.4.*".

    Raises ValueError.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import Version

    rest, specifiers = text.strip(), []
    while rest:
        match = COMPARISON.match(rest)
        if match is None:
            raise ValueError(f'cannot be read as a range from "{rest}" on, such as ">=1.2, <2"')
        specifiers += specifiers_of(match[1], re.sub(r"\.[xX](?=\.|$)", ".*", match[2]))
        rest = rest[match.end() :].lstrip(" ,")
    try:
        wanted = SpecifierSet(",".join(specifiers))
    except InvalidSpecifier as error:
        raise ValueError(f"is no range of versions: {error}") from None
    versions = [Version(one.version.removesuffix(".*")) for one in wanted]
    wanted.prereleases = any(version.is_prerelease for version in versions)
    return wanted


def specifiers_of(operator: str, version: str) -> list[str]:
    """Return one comparison as PEP 440 has it; ^ and ~ are those of npm's semver."""
    if operator not in ("^", "~"):
        return [f"{operator or '=='}{version}"]
    from packaging.version import InvalidVersion, Version

    try:
        release = [*Version(version).release, 0, 0][:3]
    except InvalidVersion as error:
        raise ValueError(f"is no range of versions: {error}") from None
    given = len(Version(version).release)
    # ^ lets everything change right of the first number that is not zero, ~ right of the second.
    significant = next((place for place in range(given) if release[place]), given - 1)
    place = significant if operator == "^" else min(1, given - 1)
    above = [*release[:place], release[place] + 1]
    return [f">={version}", f"<{'.'.join(map(str, above))}"]
