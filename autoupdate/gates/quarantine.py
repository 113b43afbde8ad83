"""quarantine clear: let a commit, or all of them, be tried again."""

from collections.abc import Sequence

from autoupdate.app import App
from autoupdate.host import runtime_files
from autoupdate.model.errors import ConfigurationError
from autoupdate.records.second_copy import write


def clear(app: App, beginning: str) -> str:
    """Remove a commit, given by its first digits, from quarantine; return all its digits.

    Its failed attempts and those of its dependencies are forgotten as well. Raises
    ConfigurationError if not exactly one commit that failed begins with these digits.
    """
    known = failed(app)
    matching = sorted(commit for commit in known if commit.startswith(beginning))
    if len(matching) != 1:
        found = "no commit" if not matching else "more than one commit"
        advice = (
            f"failed commits: {', '.join(sorted(known))}" if known else "the quarantine is empty"
        )
        raise ConfigurationError(f"{found} in quarantine begins with {beginning}", advice)
    forgive(app, matching)
    return matching[0]


def clear_all(app: App) -> list[str]:
    """Remove all commits from quarantine, as `clear` does; return them."""
    known = sorted(failed(app))
    if known:
        forgive(app, known)
    return known


def failed(app: App) -> set[str]:
    """Return the commits that failed, whether they are in quarantine or tried again."""
    known = {item.commit for item in app.records.quarantined()}
    return known | {item.commit for item in app.records.all_attempts()}


def forgive(app: App, commits: Sequence[str]) -> None:
    """Let commits be tried again."""
    with app.records.atomic():
        for commit in commits:
            app.records.forgive(commit)
    write(app.records, app.paths.state)
    # The next start of a service must check again.
    runtime_files.set_stale(app.paths)
