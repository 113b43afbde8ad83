"""`upstream.track`: which refs to ask upstream for, and which of them is the candidate.

`branch:NAME` and `commit:SHA` name the candidate. `tag:GLOB` and `semver:RANGE` choose the tag with
the highest version. Versions are those of PEP 440 (python3-packaging); a leading `v` is ignored.
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
# gitrevisions(7): the object that an annotated tag points to.
PEELED = "^{}"
# Other names are ignored: they cannot be versions, or have characters that do not belong in a log.
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
    """A tag, and the commit that it points to."""

    name: str
    commit: str


class Found(NamedTuple):
    """What upstream has: the candidate, the tag that chose it (or empty), and all matching tags."""

    commit: str
    tag: str = ""
    tags: tuple[Tag, ...] = ()


def kind_of(track: str) -> str:
    """Return the kind of a track: branch, tag, semver or commit."""
    return track.partition(":")[0]


def name_of(track: str) -> str:
    """Return the name, pattern, range or commit of a track."""
    return track.partition(":")[2]


def follows_tags(track: str) -> bool:
    """Return whether a track chooses among tags."""
    return kind_of(track) in ("tag", "semver")


def branch_ref(track: str) -> str:
    """Return the ref of the branch to follow; empty for another kind of track."""
    return f"{HEADS}{name_of(track)}" if kind_of(track) == "branch" else ""


def tags(refs: Mapping[str, str]) -> list[Tag]:
    """Return the tags among refs; for annotated tags with the commit that they point to."""
    return [
        Tag(ref.removeprefix(TAGS), refs.get(f"{ref}{PEELED}", leads_to))
        for ref, leads_to in refs.items()
        if ref.startswith(TAGS) and TAG_NAME.fullmatch(ref.removeprefix(TAGS))
    ]


def choose(track: str, known: Iterable[Tag]) -> tuple[Tag | None, list[Tag]]:
    """Return the matching tag with the highest version, and all matching tags."""
    admitted = []
    for tag in known:
        version = admits(track, tag.name)
        if version is not None:
            admitted.append((version, tag))
    # Of two names of one version (v1.0 and 1.0) always the same one.
    admitted.sort(key=lambda pair: (pair[0], pair[1].name))
    return (admitted[-1][1] if admitted else None), [tag for _, tag in admitted]


def admits(track: str, name: str) -> "Version | None":
    """Return the version of a tag if it matches the track.

    A pre-release matches only if the pattern or the range names one.
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
    """Return the version in the name of a tag, such as v1.2, 1.2, release-1.2, app/v1.2."""
    from packaging.version import InvalidVersion, Version

    match = where.match(name) if where is VERSION_ALONE else where.search(name)
    try:
        return Version(match[1]) if match else None
    except InvalidVersion:
        return None


def parse_range(text: str) -> "SpecifierSet":
    """Parse a range such as ">=1.2, <2", "^1.2", "~1.2.3" or "1.4.*".

    Raises ValueError.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import Version

    rest, specifiers = text.strip(), []
    while rest:
        match = COMPARISON.match(rest)
        if match is None:
            raise ValueError(f'is not a range of versions, such as ">=1.2, <2": error at "{rest}"')
        specifiers += specifiers_of(match[1], re.sub(r"\.[xX](?=\.|$)", ".*", match[2]))
        rest = rest[match.end() :].lstrip(" ,")
    try:
        wanted = SpecifierSet(",".join(specifiers))
    except InvalidSpecifier as error:
        raise ValueError(f"is not a range of versions: {error}") from None
    versions = [Version(one.version.removesuffix(".*")) for one in wanted]
    wanted.prereleases = any(version.is_prerelease for version in versions)
    return wanted


def specifiers_of(operator: str, version: str) -> list[str]:
    """Return the PEP 440 specifiers of one comparison; ^ and ~ mean the same as in npm's semver."""
    if operator not in ("^", "~"):
        return [f"{operator or '=='}{version}"]
    from packaging.version import InvalidVersion, Version

    try:
        release = [*Version(version).release, 0, 0][:3]
    except InvalidVersion as error:
        raise ValueError(f"is not a range of versions: {error}") from None
    given = len(Version(version).release)
    # ^ keeps the numbers up to the first that is not zero; ~ keeps the first two, or the only one.
    significant = next((place for place in range(given) if release[place]), given - 1)
    place = significant if operator == "^" else min(1, given - 1)
    above = [*release[:place], release[place] + 1]
    return [f">={version}", f"<{'.'.join(map(str, above))}"]
