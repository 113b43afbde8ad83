"""quarantine clear: let a commit be tried again."""

from autoupdate.app import App
from autoupdate.host import runtime_files
from autoupdate.model.errors import ConfigurationError
from autoupdate.records.second_copy import write


def clear(app: App, beginning: str) -> str:
    """Remove a commit, given by its first digits, from quarantine; return all its digits.

    Its failed attempts and those of its dependencies are forgotten as well. Raises
    ConfigurationError if not exactly one commit that failed begins with these digits.
    """
    known = {item.commit for item in app.records.quarantined()}
    known |= {item.commit for item in app.records.all_attempts()}
    matching = sorted(commit for commit in known if commit.startswith(beginning))
    if len(matching) != 1:
        found = "no commit" if not matching else "more than one commit"
        advice = (
            f"failed commits: {', '.join(sorted(known))}" if known else "the quarantine is empty"
        )
        raise ConfigurationError(f"{found} in quarantine begins with {beginning}", advice)
    app.records.forgive(matching[0])
    write(app.records, app.paths.state)
    # The next start of a service must check again.
    runtime_files.set_stale(app.paths)
    return matching[0]
