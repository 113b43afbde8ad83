"""Repositories that answer, and still cannot be followed: what is the matter, and what to do."""

from autoupdate.model.errors import UnusableUpstreamError


def uses_sha256(url: str) -> UnusableUpstreamError:
    """Return the error for an upstream whose objects are named by SHA-256."""
    return UnusableUpstreamError(
        f"upstream {url} is a SHA-256 repository, and only SHA-1 repositories can be followed",
        "set upstream.url to a repository that was made without --object-format=sha256",
    )


def is_shallow(url: str) -> UnusableUpstreamError:
    """Return the error for an upstream that lacks the beginning of its history."""
    return UnusableUpstreamError(
        f"upstream {url} is a shallow clone: it lacks the history before some commit, so it cannot"
        " be fetched from",
        "run in that repository: git fetch --unshallow; or set upstream.url to a complete one",
    )
