"""Each release has the code and the packages of its own commit, and leads into no other release."""

import os
import re
from pathlib import Path

import pytest

from autoupdate.model.steps import Result
from tests.integration.repository_shapes import SHAPES, State
from tests.integration.site import Site
from tests.integration.test_shapes import deploy, installed, said
from tools.lib.hosts.commands import run

LOOK = "import shop, shelf; print(shop.V, shelf.V)"
WHOLE = [(installer, name) for installer in ("pip", "uv") for name in SHAPES]
# Each takes half a minute and more. AUTOUPDATE_TEST_WHOLE_MATRIX=1 runs the others, too.
PART = [
    ("pip", "requirements"), ("uv", "requirements"), ("uv", "setup.py"), ("uv", "workspace"),
]  # fmt: skip
CASES = WHOLE if os.environ.get("AUTOUPDATE_TEST_WHOLE_MATRIX") else PART


def strangers(release: Path) -> list[str]:
    """Return the files of a release's environment that lead into another release."""
    found, pattern = [], re.compile(rf"{re.escape(str(release.parent))}/([^/\s'\"]+)".encode())
    environments = f"{release.parents[1]}/environments".encode()
    for place, directories, files in os.walk(release / ".venv"):
        for name in [*files, *directories]:
            path = Path(place, name)
            if path.is_symlink():
                content = os.readlink(path).encode()
            elif path.is_file() and path.suffix != ".pyc":
                content = path.read_bytes()
            else:
                continue
            others = set(pattern.findall(content)) - {release.name.encode()}
            if others or environments in content:
                found.append(str(path))
    return found


def served(site: Site, name: str) -> str:
    """Return what a service started now would run: the versions of the app and of the library."""
    if name == "requirements":
        # The app is no package: it is found where the service is started.
        return run(site.path / ".venv/bin/python3", "-c", LOOK, cwd=site.path).stdout.strip()
    return said(site, LOOK)


@pytest.mark.parametrize(("installer", "name"), CASES)
def test_every_change_arrives(deployed: Site, installer: str, name: str) -> None:
    """More updates than releases are kept: the first ones are gone at the end."""
    shape = SHAPES[name]
    settings = {
        "build__installer": installer,
        "keep": 3,
        "build__requirements": ["requirements.txt"],
    }
    settings |= shape.settings
    deployed.configure(**settings)
    states = [
        state := State(),
        state := state._replace(library=2),
        state := state._replace(app=2, pin="==1.1.1"),
        state := state._replace(library=3, more=("idna==3.6",)),
        state := state._replace(pin=">=1.1"),
        state := state._replace(app=3, more=()),
    ]
    if name in ("poetry", "workspace"):
        states += [
            state := state._replace(locked="2.0.0", app=4),
            state := state._replace(locked="2.1.0", app=5),
        ]
    iniconfig = "2.0.0"
    for number, state in enumerate(states, start=2):
        deploy(deployed, {"requirements.txt": None, **shape.files(state)}, number)
        assert served(deployed, name) == f"{state.app} {state.library}"
        packages = installed(deployed)
        # What still fits stays.
        iniconfig = state.locked or state.pin.removeprefix("==").replace(">=1.1", iniconfig)
        assert packages["iniconfig"] == iniconfig
        assert packages.get("idna") == ("3.6" if state.more else None)
        assert {"blinker", "shelf"} <= packages.keys()
        for release in deployed.releases():
            place = Path(deployed.app_paths.release(release))
            assert strangers(place) == []
    assert len(deployed.releases()) == 3
    deployed.configure(**settings, build__extra_requirements=["six==1.16.0"])
    outcome = deployed.run()
    assert outcome.result is Result.UPDATED, outcome
    assert installed(deployed)["six"] == "1.16.0"
    assert served(deployed, name) == f"{state.app} {state.library}"
    assert deployed.run().result is Result.CURRENT
