"""Names of commits, as sentences have them."""

# As git itself shortens names in large repositories; enough for one commit in any repository.
SHORT = 12


def short(commit: str) -> str:
    """Return the first digits of a commit's name, for people; programs get all of them."""
    return commit[:SHORT]
