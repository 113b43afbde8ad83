"""The units that a rehearsal leaves, and what is measured before it."""

import os
from pathlib import Path

from autoupdate.host.rehearsal import composed, sandbox
from autoupdate.host.rehearsal.rehearsals import PREFIX, left_units
from autoupdate.model.paths import Paths


def test_units_of_an_app_are_known_by_their_first_line(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    assert left_units(paths, "a") == []
    os.makedirs(paths.runtime_units)
    for name, app in (("a-web.1", "a"), ("a-b-web.1", "a-b"), ("a.1", "a")):
        file = Path(f"{paths.runtime_units}/{PREFIX}{name}.service")
        file.write_text(f"{composed.marker(app)}\n[Unit]\n")
    assert left_units(paths, "a") == [f"{PREFIX}a-web.1.service", f"{PREFIX}a.1.service"]
    assert left_units(paths, "a-b") == [f"{PREFIX}a-b-web.1.service"]


def test_what_is_measured_on_this_host() -> None:
    assert sandbox.memory() > 0
    assert not [path for path in sandbox.sockets("/none") if path.startswith(sandbox.PRIVATE)]
