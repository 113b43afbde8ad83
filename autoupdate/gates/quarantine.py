"""quarantine clear: an administrator lets a commit be tried again."""

from autoupdate.app import App
from autoupdate.host import runtime_files
from autoupdate.model.errors import ConfigurationError
from autoupdate.records.second_copy import write


def clear(app: App, beginning: str) -> str:
    """Forget what is held against a commit, named in full or by its first digits; return its name.

    Raises ConfigurationError when no commit here, or more than one, begins like that.
    """
    known = {item.commit for item in app.records.quarantined()}
    known |= {item.commit for item in app.records.all_attempts()}
    matching = sorted(commit for commit in known if commit.startswith(beginning))
    if len(matching) != 1:
        found = "no commit" if not matching else "more than one commit"
        advice = f"there are: {', '.join(sorted(known))}" if known else "the quarantine is empty"
        raise ConfigurationError(f"{found} in quarantine begins with {beginning}", advice)
    app.records.forgive(matching[0])
    write(app.records, app.paths.state)
    # The next start of a service must not rely on a check from before.
    runtime_files.set_stale(app.paths)
    return matching[0]
