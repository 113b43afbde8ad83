"""check: asks upstream which commit the track points to. One exchange; changes nothing."""

import re

from autoupdate.errors import ConfigurationError, UnreachableError
from autoupdate.git_environment import complaint, git_environment, redact
from autoupdate.run import Identity, NotStartedError, TimedOutError, run
from autoupdate.settings import Upstream

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def tracked_ref(upstream: Upstream) -> str:
    """Return the full name of the ref that is followed; empty when it is a commit."""
    kind, _, name = upstream.track.partition(":")
    return f"refs/heads/{name}" if kind == "branch" else ""


def check(upstream: Upstream, home: str, identity: Identity | None) -> str:
    """Return the commit that the track points to.

    Raises UnreachableError when upstream does not answer as a repository, ConfigurationError
    when it does but has no such branch.
    """
    ref = tracked_ref(upstream)
    if not ref:
        return upstream.track.partition(":")[2]
    url = redact(upstream.url)
    try:
        answer = run(
            ["git", "ls-remote", "--", upstream.url, ref],
            environment=git_environment(home),
            identity=identity,
            timeout=upstream.timeout,
        )
    except TimedOutError:
        raise UnreachableError(
            f"upstream {url} did not answer within {upstream.timeout:g} s"
        ) from None
    except NotStartedError as error:
        raise ConfigurationError(str(error), "apt install git") from None
    if answer.returncode:
        raise UnreachableError(f"upstream {url} cannot be read: {complaint(answer.stderr)}")
    commits = parse(answer.stdout.decode(errors="replace"))
    if ref not in commits:
        raise ConfigurationError(
            f"upstream {url} has no branch {ref.removeprefix('refs/heads/')}",
            "correct upstream.track",
        )
    return commits[ref]


def parse(answer: str) -> dict[str, str]:
    """Return the commits by ref of an answer to git-ls-remote(1); odd lines are left out."""
    commits = {}
    for line in answer.splitlines():
        commit, _, ref = line.partition("\t")
        if COMMIT.fullmatch(commit):
            commits[ref] = commit
    return commits
