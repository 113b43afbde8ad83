"""The control of a failed build: can the host still fetch what it could fetch before?

Only then is the commit to blame. A sample of the packages of the deployed release is fetched again,
from the same servers and without caches, and the servers that the failure names, and the indexes
that only the failed release asks, are asked. A sample, because the whole set may be gigabytes; the
smallest, as the question is whether servers answer.
"""

import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from packaging.utils import canonicalize_name

from autoupdate.model.control import Control
from autoupdate.upstream.git_environment import redact
from autoupdate.worker.environment.environment import EnvironmentBuilder
from autoupdate.worker.environment.files import distributions
from autoupdate.worker.packages import trouble, uv
from autoupdate.worker.packages.installer import summary
from autoupdate.worker.packages.requirements import existing, index_options
from autoupdate.worker.packages.uv import Command

# How many packages of the deployed release are fetched, and how many servers are asked.
MOST_PACKAGES = 3
MOST_SERVERS = 3
# What an index is asked for if no package is deployed: small, and nearly every index has it.
ANY_PACKAGE = "pip"
# Variables that name indexes in addition to another one.
MORE_INDEXES = ("PIP_EXTRA_INDEX_URL", "UV_INDEX")
FILES = (".whl", ".tar.gz", ".tar.bz2", ".zip")
NAMED = re.compile(r"(?:git\+)?(?:https?|ssh)://[^\s'\"`<>()]+")


class Package(NamedTuple):
    """An installed package, and the bytes of its files."""

    name: str
    version: str
    size: int


def control(
    release: str,
    failed: str,
    said: str,
    builder: EnvironmentBuilder,
    command: Command,
    scratch: str,
) -> Control:
    """Fetch again what the deployed `release` is made of; `said` is the error of the build.

    `release` is empty if none can run. `failed` is the release that was built. `scratch` is a
    directory that commands may write to.
    """
    venv, tried, missing = f"{release or failed}/.venv", list[str](), list[str]()
    if not os.path.exists(f"{venv}/bin/python"):
        return Control(())
    installer = builder.tool.installer
    wanted_files = builder.build.requirements
    index = [word for file in existing(release, wanted_files) for word in index_options(file)]
    new = [word for file in existing(failed, wanted_files) for word in index_options(file)]
    # A limit on versions that is new on this host says nothing about servers.
    host = {**builder.tool.variables(), "PIP_CONSTRAINT": "/dev/null"}
    host.pop("UV_CONSTRAINT", None)
    indexes = uv.indexes([index, new], host)
    packages = sample(venv, said) if release else []

    def fetch(*wanted: str, settings: dict[str, str] = host) -> tuple[int, str]:
        target = f"{scratch}/{len(tried)}"
        words = ["--no-deps", "--no-cache-dir", "--target", target, *wanted]
        return command(installer.install(venv, words, compiled=False), "/", settings)

    # What the error names comes first: that is what somebody wants to know.
    for url in servers(said):
        asked = ["git", "ls-remote", "--", url.removeprefix("git+"), "HEAD"]
        status, output = command(asked, "/", {}) if is_of_git(url) else fetch(url)
        tried.append(url)
        if status and (found := trouble.find(output)):
            return Control(tuple(tried), str(found), found.server)
    any_package = packages[-1].name if packages else ANY_PACKAGE
    for url in indexes_to_ask(index, new, first=not release):
        # It alone, so that it is clear which one has trouble.
        words = ["--index-url", url] if url else []
        alone = {name: text for name, text in host.items() if not url or name not in MORE_INDEXES}
        # It need not have this package: an answer that says so is an answer.
        status, output = fetch(*words, any_package, settings=alone)
        tried.append(redact(url) or "the index")
        if status and (found := trouble.find(output, [url] if url else indexes)):
            return Control(tuple(tried), f"an index cannot be asked: {found}", found.server)
    for package in packages:
        wanted = f"{package.name}=={package.version}"
        status, output = fetch(*index, wanted)
        tried.append(wanted)
        if status and (found := trouble.find(output, indexes)):
            return Control(tuple(tried), f"{wanted} cannot be fetched: {found}", found.server)
        if status:
            missing.append(f"{wanted} cannot be fetched: {summary(output)}")
    # A package that its author has withdrawn says nothing about the server, if others are there.
    if missing and len(missing) == len(packages):
        return Control(tuple(tried), missing[0])
    return Control(tuple(tried))


def indexes_to_ask(index: Sequence[str], new: Sequence[str], *, first: bool) -> list[str]:
    """Return the indexes that only the options `new` name; an empty one is that of the host.

    `first`: nothing is deployed, so that all of them are new.
    """
    known = [] if first else uv.indexes([index], {})
    found = [url for url in uv.indexes([new], {}) if url not in known]
    if first and "--index-url" not in new and "--no-index" not in new:
        found.append("")
    return found[:MOST_SERVERS]


def servers(said: str) -> list[str]:
    """Return URLs in the error of a build, one for each server, but no pages for more help."""
    found: dict[str, str] = {}
    for url in (url.rstrip(".,:;/") for url in NAMED.findall(said)):
        if is_of_git(url) or url.endswith(FILES):
            found.setdefault(url.split("/")[2], url)
    return list(found.values())[:MOST_SERVERS]


def is_of_git(url: str) -> bool:
    """Return whether a URL is that of a Git repository."""
    return url.startswith(("git+", "ssh:")) or url.endswith(".git")


def sample(venv: str, said: str) -> list[Package]:
    """Return some packages that came from an index: those that the error names, then small ones."""
    words = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", said)}
    # Every environment has these, often from no index at all.
    found = [package for package in installed(venv) if package.name not in ("pip", "setuptools")]
    found.sort(key=lambda package: (package.name not in words, package.size))
    return found[:MOST_PACKAGES]


def installed(venv: str) -> Iterator[Package]:
    """Yield the packages of an environment that came from an index, not from a URL or directory."""
    for item in distributions(venv):
        if not os.path.exists(f"{item.facts}/direct_url.json"):
            yield Package(item.name, item.version, size_of(f"{item.facts}/RECORD"))


def size_of(record: str) -> int:
    """Return the bytes of the files of a package, as its RECORD has them."""
    try:
        with open(record, encoding="utf-8", errors="replace") as lines:
            return sum(int(size) for line in lines if (size := line.rpartition(",")[2].strip()))
    except (OSError, ValueError):
        return 1 << 40
