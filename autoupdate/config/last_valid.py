"""The last valid settings of an app, kept beside its state.

What is deployed was deployed by them: services start by them, and an interrupted run is finished or
undone by them, while the settings files cannot be used.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress

from autoupdate.config.load import BY_KEY, Value, build
from autoupdate.config.sections import Settings
from autoupdate.config.settings import SETTINGS
from autoupdate.model.errors import ConfigurationError


def keep(file: str, values: Mapping[str, Value]) -> None:
    """Write the values that files set, unless the file has them already. Raises OSError."""
    from_files = {key: item for key, item in values.items() if item.origin}
    text = json.dumps(from_files, indent=0)
    # They may hold passwords: whoever may not read the settings may not read these either.
    is_open = all(os.stat(item.origin).st_mode & 0o004 for item in from_files.values())
    with suppress(FileNotFoundError, ValueError), open(file, encoding="utf-8") as stream:
        if stream.read() == text and bool(os.fstat(stream.fileno()).st_mode & 0o004) == is_open:
            return
    with open(f"{file}.new", "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), 0o644 if is_open else 0o600)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(f"{file}.new", file)


def read(file: str, app: str) -> Settings | None:
    """Return the last valid settings; None if there are none, or the caller may not read them."""
    try:
        with open(file, encoding="utf-8") as stream:
            found = json.load(stream)
        kept = {key: Value(*item) for key, item in found.items() if key in BY_KEY}
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    defaults = {setting.key: Value(setting.default, "") for setting in SETTINGS}
    with suppress(ConfigurationError):
        return build(app, defaults | kept)
    # Another version of the package wrote them.
    return None
