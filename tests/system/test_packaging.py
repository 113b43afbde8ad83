"""Other versions of the package come and go while updates run and settings are edited."""

import json
import re
from pathlib import Path

import pytest

from tools.lib.hosts.commands import run
from tools.lib.hosts.demo_app import CONFIGURATION, SERVICES, DemoApp
from tools.lib.hosts.package import DEB_NAME
from tools.lib.hosts.upstream import Upstream

PACKAGE = "ipfs-accelerate-autoupdate"
RUN = "autoupdate@ipfs-accelerate.service"
HOOK = "/etc/autoupdate/hooks/ipfs-accelerate/pre-update.d/wait"
GO_ON = "/run/go-on"
LOGROTATE = "/etc/logrotate.d/autoupdate"
LIBRARY = "usr/share/ipfs-accelerate-autoupdate"
TEXTFILE = "/var/lib/prometheus/node-exporter"
# Nobody is there to answer: a question ends the installation.
APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--allow-downgrades")


@pytest.fixture(scope="session")
def newer_deb(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as its next version."""
    return next_version(deb, tmp_path_factory.mktemp("newer"))


@pytest.fixture(scope="session")
def moved_deb(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as a version in which every module of it has another name."""
    return next_version(
        deb, tmp_path_factory.mktemp("moved"), without=f"{LIBRARY}/autoupdate/*/*.py"
    )


def next_version(deb: Path, directory: Path, without: str = "") -> Path:
    """Return a package as its next version, without the files of a pattern."""
    run("dpkg-deb", "--raw-extract", deb, directory / "tree")
    control = directory / "tree/DEBIAN/control"
    newer = re.sub(r"^(Version: .*)$", r"\1+next", control.read_text(), flags=re.MULTILINE)
    control.write_text(newer)
    for file in (directory / "tree").glob(without) if without else ():
        file.unlink()
    run("dpkg-deb", "--root-owner-group", "--build", directory / "tree", directory / DEB_NAME)
    return directory / DEB_NAME


def test_upgrade_and_downgrade_during_a_run(
    deployed_app: DemoApp, upstream: Upstream, deb: Path, newer_deb: Path
) -> None:
    """The run goes on as it is, alone; what was edited stays as it was edited."""
    host = deployed_app.host
    host.copy_in(newer_deb, "/root/newer.deb")
    host.copy_in(deb, "/root/older.deb")
    host.run("sh", "-c", f"echo '# mine' >>{LOGROTATE}")
    host.systemctl("enable", "--now", "autoupdate.timer")
    # Holds the run where it is, however long the package manager takes.
    host.write(HOOK, f"#!/bin/sh\nuntil [ -e {GO_ON} ]; do sleep 0.1; done\n", mode=0o755)
    deployed_app.configure_more('[hooks]\ntimeout = "5min"\n')
    edited = host.read(LOGROTATE), host.read(CONFIGURATION)
    known = len(past_runs(deployed_app))
    commit = upstream.commit(version=2)
    host.systemctl("start", "--no-block", RUN)
    host.wait_for(lambda: deployed_app.status()["state"] == "updating", 60, "a run is under way")
    before = host.show(RUN, "MainPID", "InvocationID")

    for file in ("/root/newer.deb", "/root/older.deb"):
        host.run(*APT, file, timeout=300)
        assert host.show(RUN, "MainPID", "InvocationID") == before
        assert deployed_app.status()["state"] == "updating"
        assert (host.read(LOGROTATE), host.read(CONFIGURATION)) == edited

    host.write(GO_ON, "")
    deployed_app.wait_state("current", 120)
    assert deployed_app.status()["current"]["commit"] == commit
    assert len(past_runs(deployed_app)) == known + 1
    assert set(deployed_app.versions().values()) == {2}
    timer = host.show("autoupdate.timer", "ActiveState", "UnitFileState")
    assert timer == {"ActiveState": "active", "UnitFileState": "enabled"}


def test_upgrade_that_moves_every_module_during_a_run(
    deployed_app: DemoApp, upstream: Upstream, moved_deb: Path
) -> None:
    """What a run may need later it has loaded before, also what only some settings need."""
    host = deployed_app.host
    host.copy_in(moved_deb, "/root/moved.deb")
    host.run("mkdir", "--parents", TEXTFILE)
    host.write(HOOK, f"#!/bin/sh\nuntil [ -e {GO_ON} ]; do sleep 0.1; done\n", mode=0o755)
    deployed_app.configure_more(f"""
        [hooks]
        timeout = "5min"
        [notify]
        urls = ["json://127.0.0.1:9/"]
        [metrics]
        textfile = "{TEXTFILE}"
        [windows]
        allowed = ["Mon..Sun 00:00-24:00"]
    """)
    commit = upstream.commit(version=2)
    host.systemctl("start", "--no-block", RUN)
    host.wait_for(lambda: deployed_app.status()["state"] == "updating", 60, "a run is under way")

    host.run(*APT, "/root/moved.deb", timeout=300)
    host.write(GO_ON, "")
    host.wait_for(lambda: host.show(RUN, "ActiveState")["ActiveState"] != "activating", 120, "ends")

    assert host.show(RUN, "Result") == {"Result": "success"}
    said = host.run("journalctl", "--unit", RUN, "--output=cat", "--no-pager").stdout
    assert f"Successfully updated to commit: {commit}" in said
    assert "confirmed" in said
    assert "Traceback" not in said
    assert f'commit="{commit}"' in host.read(f"{TEXTFILE}/autoupdate-ipfs-accelerate.prom")
    assert set(deployed_app.versions().values()) == {2}


def test_downgrade_below_the_schema_of_the_state(deployed_app: DemoApp) -> None:
    """What a newer version wrote is refused in one line, and not touched; services run on."""
    host, state = deployed_app.host, "/var/lib/autoupdate/ipfs-accelerate/state.db"
    host.run("sqlite3", state, "PRAGMA user_version = 999; PRAGMA journal_mode = DELETE;")
    before = host.run("sha256sum", state).stdout
    serving = [host.show(service, "MainPID") for service in SERVICES]

    refused = host.run("autoupdatectl", "run", check=False)

    assert refused.returncode == 1
    assert "was written by a newer version of this package (schema 999" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert host.run("sha256sum", state).stdout == before
    assert [host.show(service, "MainPID") for service in SERVICES] == serving


def past_runs(app: DemoApp) -> list[dict[str, object]]:
    """Return the history of the app."""
    runs: list[dict[str, object]] = json.loads(
        app.host.run("autoupdatectl", "history", "--json").stdout
    )
    return runs


def test_main_job_without_recommended_packages(app: DemoApp, upstream: Upstream) -> None:
    """What `apt install --no-install-recommends` leaves out is not needed to deploy."""
    host = app.host
    recommended = host.run("dpkg-query", "--show", "--showformat=${Recommends}", PACKAGE).stdout
    names = [re.split(r"[ (:|]", item.strip())[0] for item in recommended.split(",")]
    assert all(names)
    host.run("dpkg", "--purge", *names)

    host.systemctl("start", RUN, timeout=300)

    app.start()
    app.wait_up()
    assert app.status()["current"]["commit"] == upstream.head()
