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
    commits = list_refs(upstream, [ref], home, identity)
    if ref in commits:
        return commits[ref]
    url, branch = redact(upstream.url), ref.removeprefix("refs/heads/")
    # A web page that answers in place of the server looks to Git like a repository without refs.
    if not list_refs(upstream, [], home, identity):
        raise UnreachableError(f"upstream {url} shows no branch at all, nor {branch}")
    raise ConfigurationError(f"upstream {url} has no branch {branch}", "correct upstream.track")


def list_refs(
    upstream: Upstream, patterns: list[str], home: str, identity: Identity | None
) -> dict[str, str]:
    """Return the commits of refs by git-ls-remote(1). Raises UnreachableError."""
    url = redact(upstream.url)
    try:
        answer = run(
            ["git", "ls-remote", "--", upstream.url, *patterns],
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
    return parse(answer.stdout.decode(errors="replace"))


def parse(answer: str) -> dict[str, str]:
    """Return the commits by ref of an answer to git-ls-remote(1); odd lines are left out."""
    commits = {}
    for line in answer.splitlines():
        commit, _, ref = line.partition("\t")
        if COMMIT.fullmatch(commit):
            commits[ref] = commit
    return commits
