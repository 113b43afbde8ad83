"""What `plan`, `show` and `pin` find out with real Git, without checking anything out."""

import json
import os
from pathlib import Path

import pytest

from autoupdate.cli.main import main
from autoupdate.gates.pin import full_name
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.model.steps import Result
from autoupdate.records import pin
from autoupdate.records.records import Records
from autoupdate.reports import packages
from autoupdate.reports.plan import UPDATE, Outlook, plan
from tests.integration.site import APP, Site


@pytest.fixture
def quick(deployed: Site) -> Site:
    """Return a host with version 1, whose next releases get no environment."""
    deployed.builds = False
    return deployed


def outlook(site: Site) -> Outlook:
    """Return what a run would do."""
    app = site.app()
    try:
        return plan(app)
    finally:
        app.worker.close()
        app.records.close()


def everything_below(directory: str) -> dict[str, int]:
    """Return the change times of everything that a host has deployed."""
    return {
        f"{place}/{name}": os.lstat(f"{place}/{name}").st_mtime_ns
        for place, _, names in os.walk(directory)
        for name in names
        if "/repo.git/" not in f"{place}/"
    }


def test_what_a_commit_would_change(quick: Site) -> None:
    old = quick.upstream.published()
    commit = quick.upstream.commit(
        version=2,
        files={"requirements.txt": "blinker # why not\n-r more.txt\n", "more.txt": "httpx>=1\n"},
        message="Ünïcode: faster\n\nand more",
    )
    before = everything_below(quick.app_paths.home)
    found = outlook(quick)
    assert everything_below(quick.app_paths.home) == before, "only the mirror may change"
    assert (found.would, found.deployed, found.commit) == (UPDATE, old, commit)
    assert found.changes is not None
    assert (found.changes.compared, found.changes.commits) == (True, 1)
    assert found.changes.log[0].subject == "Ünïcode: faster"
    assert ("A", "more.txt") in found.changes.paths
    assert found.environment is not None
    assert not found.environment.reused
    assert found.environment.changed == ("more.txt", "requirements.txt")
    assert "httpx>=1" in found.environment.added
    assert quick.run().result is Result.UPDATED
    records = Records(quick.app_paths.state, read_only=True)
    made = records.release(quick.current)
    records.close()
    assert made is not None
    assert found.environment.key == "", "which packages it gets is found out by the build"


def test_progress_of_a_fetch(quick: Site) -> None:
    quick.upstream.commit(
        version=2, files={f"many/{number}": f"{number}\n" for number in range(50)}
    )
    lines: list[str] = []
    app = quick.app()
    app.worker.watched = lines.append
    plan(app)
    app.worker.close()
    app.records.close()
    assert any(line.startswith("Receiving objects: 100%") for line in lines), lines
    assert len(lines) < 100, "not every hundredth is told"


def test_environment_that_is_reused(quick: Site) -> None:
    quick.upstream.commit(version=2)
    found = outlook(quick)
    assert found.environment is not None
    assert (found.environment.reused, found.environment.changed) == (True, ())


def test_packages_that_a_build_would_change(
    deployed: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also those of a library in the repository, which no requirements file lists."""
    library = '[project]\nname = "own"\nversion = "1"\ndependencies = ["iniconfig==2.0.0"]\n'
    files = {
        "requirements.txt": "blinker==1.8.2\n",
        "libs.txt": "./libs/own\n",
        "libs/own/pyproject.toml": library,
        "libs/own/own.py": "",
    }
    deployed.configure(build__requirements=["requirements.txt", "libs.txt"])
    commit = deployed.upstream.commit(version=2, files=files)
    before = everything_below(deployed.app_paths.home)
    capsys.readouterr()
    assert main(["plan", APP, "--json"], deployed.paths) == Exit.DONE
    told = json.loads(capsys.readouterr().out)["environment"]
    after = everything_below(deployed.app_paths.home)
    assert {name for name in after if after[name] != before.get(name)} <= {
        deployed.app_paths.last_valid, deployed.app_paths.state_lock,
    }  # fmt: skip
    assert told["packages_unknown"] is None
    assert told["packages"]["added"] == {"iniconfig": "2.0.0"}
    assert told["packages"]["changed"]["blinker"][1] == "1.8.2"
    assert "itsdangerous" in told["packages"]["removed"]
    assert deployed.updates_to(commit)
    nowhere = files | {"requirements.txt": "blinker==0.0.0.1\n"}
    deployed.upstream.commit(version=3, files=nowhere)
    assert main(["plan", APP], deployed.paths) == Exit.DONE
    assert "not known before the build: " in capsys.readouterr().out


def test_requirements_that_are_missing(quick: Site) -> None:
    quick.configure(build__requirements=["no/such.txt"])
    quick.upstream.commit(version=2)
    found = outlook(quick)
    assert found.would == "fail"
    assert "no/such.txt" in found.reason


def test_pin_by_the_first_digits(quick: Site) -> None:
    first = quick.upstream.published()
    second = quick.upstream.commit(version=2)
    assert quick.run().commit == second
    app = quick.app()
    try:
        assert full_name(app, first[:9]) == first
        for unknown in ("0000000", "zzzzzzz"):
            with pytest.raises(ConfigurationError):
                full_name(app, unknown)
        pin.put(app.records, pin.Pin(first, "2026-01-01T00:00:00Z"))
    finally:
        app.worker.close()
        app.records.close()
    quick.upstream.commit(version=3)
    quick.server.stop()
    assert (quick.run().result, quick.run().commit) == (Result.UPDATED, first), "back, offline"


def test_show(deployed: Site, capsys: pytest.CaptureFixture[str]) -> None:
    first = deployed.current
    commit = deployed.upstream.commit(version=2, message="Serve faster")
    deployed.builds = False
    assert deployed.run().commit == commit
    here, there = str(deployed.release), deployed.app_paths.release(first)
    for release, name in ((here, "added-1.0"), (here, "changed-2.0"), (there, "changed-1.0")):
        Path(release, f".venv/lib/python3/site-packages/{name}.dist-info").mkdir(parents=True)
    capsys.readouterr()
    assert main(["show", "current", APP, "--json"], deployed.paths) == Exit.DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["commit"], told["role"], told["before"]) == (commit, "current", first)
    assert [entry["subject"] for entry in told["changes"]["log"]] == ["Serve faster"]
    assert told["packages"]["added"] == {"added": "1.0"}
    assert told["packages"]["changed"] == {"changed": ["1.0", "2.0"]}
    assert "blinker" in told["packages"]["removed"], "what pip installed is seen by its records"
    assert "blinker" in packages.installed(deployed.app_paths.release(first))
    assert main(["show", commit[:8], APP], deployed.paths) == Exit.DONE
    text = capsys.readouterr().out
    assert "+ added 1.0" in text
    assert "Serve faster (" in text


def test_links_that_lead_outside_in_folders_without_a_package(quick: Site) -> None:
    """Before anything of upstream runs, its files say which folders are installed."""
    quick.upstream.commit(2, push=False)
    for path in ("docs/notes/home", "ipfs_accelerate_py/home"):
        (quick.upstream.work / path).parent.mkdir(exist_ok=True)
        (quick.upstream.work / path).symlink_to("/home/somebody")
    quick.upstream.git("add", "--all")
    quick.upstream.git("commit", "--quiet", "--amend", "--no-edit")
    quick.upstream.push()
    refused = outlook(quick)
    assert refused.reason.endswith("point outside the release: ipfs_accelerate_py/home")
    quick.upstream.git("rm", "--quiet", "ipfs_accelerate_py/home")
    quick.upstream.git("commit", "--quiet", "--amend", "--no-edit")
    quick.upstream.push("--force")
    found = outlook(quick)
    (verdict,) = (verdict for verdict in found.gates if verdict.gate == "guard.outside_links")
    assert (found.would, verdict.passes) == (UPDATE, True)
    assert "in folders that no installed package contains: docs/notes/home" in verdict.reason
    assert quick.updates_to(found.commit)
    assert len(quick.log.messages("outside-links")) == 1
