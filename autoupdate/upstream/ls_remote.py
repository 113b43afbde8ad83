"""check: asks upstream which commit the track points to. One exchange; changes nothing."""

import time
from collections.abc import Mapping

from autoupdate.config.sections import Upstream
from autoupdate.host.limits import limit_memory
from autoupdate.host.process import Identity, NotStartedError, TimedOutError, run
from autoupdate.model.errors import ConfigurationError, NoCandidateError, UnreachableError
from autoupdate.model.sizes import counted
from autoupdate.model.track import (
    COMMIT,
    HEADS,
    TAGS,
    Found,
    branch_ref,
    choose,
    follows_tags,
    name_of,
    tags,
)
from autoupdate.upstream.git_environment import complaint, git_environment, redact
from autoupdate.upstream.ls_refs import ask, is_over_http, recall
from autoupdate.upstream.unusable import uses_sha256

# In a SHA-256 repository they are 64.
SHA1_DIGITS = 40
# Memory limit for a list of refs, in bytes: enough for a million of them.
MOST_MEMORY = 512 << 20


def check(
    upstream: Upstream,
    home: str,
    identity: Identity | None,
    access: Mapping[str, str] | None = None,
) -> Found:
    """Return the commit that the track points to; `access` is what credentials.lend yielded.

    Raises UnreachableError when upstream does not answer as a repository, ConfigurationError
    when it does but has no such branch, NoCandidateError when it has no tag that matches the track.
    """
    environment = git_environment(home) | dict(access or {})
    if ref := branch_ref(upstream.track):
        found = Found(find_branch(upstream, ref, environment, identity))
    elif follows_tags(upstream.track):
        found = find_tag(upstream, environment, identity)
    else:
        found = Found(name_of(upstream.track))
    if len(found.commit) > SHA1_DIGITS:
        raise uses_sha256(redact(upstream.url))
    return found


def find_branch(
    upstream: Upstream, ref: str, environment: Mapping[str, str], identity: Identity | None
) -> str:
    """Return the commit of a branch; ask only for this ref where that is possible."""
    begun = time.monotonic()
    commit = recall(upstream.url, ref)
    if commit is None:
        commit = ask_for(upstream, ref, environment, identity)
    if commit:
        return commit
    if time.monotonic() - begun >= upstream.timeout:
        raise no_answer(upstream)
    commits = list_refs(upstream, ["--heads"], [ref], environment, identity)
    if ref in commits:
        return commits[ref]
    url, branch = redact(upstream.url), ref.removeprefix(HEADS)
    # A web page that answers in place of the server looks to Git like a repository without refs.
    if not list_refs(upstream, [], [], environment, identity):
        raise UnreachableError(f"upstream {url} has no branches; branch {branch} was expected")
    raise ConfigurationError(f"upstream {url} has no branch {branch}", "correct upstream.track")


def ask_for(
    upstream: Upstream, ref: str, environment: Mapping[str, str], identity: Identity | None
) -> str:
    """Return the commit of one ref, or nothing if upstream gave no clear answer."""
    if not is_over_http(upstream.url):
        return ""
    user = (identity.uid, identity.gid) if identity else None
    return ask(
        upstream.url, ref, environment=dict(environment), user=user, timeout=upstream.timeout
    )


def no_answer(upstream: Upstream) -> UnreachableError:
    """Return the error for an upstream that does not answer in time."""
    url = redact(upstream.url)
    return UnreachableError(f"upstream {url} did not answer within {upstream.timeout:g} s")


def find_tag(
    upstream: Upstream, environment: Mapping[str, str], identity: Identity | None
) -> Found:
    """Return the matching tag with the highest version."""
    refs = list_refs(upstream, ["--tags"], [], environment, identity)
    chosen, admitted = choose(upstream.track, tags(refs))
    if chosen:
        return Found(chosen.commit, chosen.name, tuple(admitted))
    url = redact(upstream.url)
    if not refs and not list_refs(upstream, [], [], environment, identity):
        raise UnreachableError(f"upstream {url} has no branches and no tags at all")
    there = sum(ref.startswith(TAGS) and not ref.endswith("^{}") for ref in refs)
    raise NoCandidateError(
        f"no tag upstream matches {upstream.track} ({counted(there, 'tag')} at {url})",
        "correct upstream.track, or wait for such a tag",
    )


def list_refs(
    upstream: Upstream,
    kind: list[str],
    patterns: list[str],
    environment: Mapping[str, str],
    identity: Identity | None,
) -> dict[str, str]:
    """Return the commits of refs by git-ls-remote(1). Raises UnreachableError.

    With a kind (--heads, --tags) the server sends no other refs; patterns only select among those
    that it sent.
    """
    url = redact(upstream.url)
    try:
        answer = run(
            ["git", "ls-remote", *kind, "--", upstream.url, *patterns],
            environment=environment,
            identity=identity,
            timeout=upstream.timeout,
            before=limit_memory(MOST_MEMORY),
        )
    except TimedOutError:
        raise no_answer(upstream) from None
    except NotStartedError as error:
        raise ConfigurationError(str(error), "apt install git") from None
    if "ut of memory" in answer.stderr:
        raise UnreachableError(f"upstream {url} sends too many refs: {complaint(answer.stderr)}")
    if answer.returncode:
        raise UnreachableError(f"upstream {url} cannot be read: {complaint(answer.stderr)}")
    return parse(answer.stdout.decode(errors="replace"))


def parse(answer: str) -> dict[str, str]:
    """Return the commits by ref in the output of git-ls-remote(1); other lines are skipped."""
    commits = {}
    for line in answer.split("\n"):
        commit, _, ref = line.partition("\t")
        if COMMIT.fullmatch(commit):
            commits[ref] = commit
    return commits
