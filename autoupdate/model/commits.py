"""Commits and releases, as sentences name them."""

# As many as git itself shows for large repositories; enough to identify a commit in any of them.
SHORT = 12


def short(commit: str) -> str:
    """Return the first 12 digits of a commit, for people; programs get all of them."""
    return commit[:SHORT]


def kept(release: str) -> str:
    """Say what is deployed after a run that changed nothing; `release` is empty for nothing."""
    return f"release {release} is kept" if release else "nothing is deployed"
