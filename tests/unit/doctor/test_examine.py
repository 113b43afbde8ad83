"""doctor: it finds each kind of problem, and none on a host without problems."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from autoupdate.cli.render.doctor import doctor as words
from autoupdate.cli.verbs.doctor import facts
from autoupdate.config.run_from import Unit
from autoupdate.config.sections import Upstream
from autoupdate.doctor.case import Case
from autoupdate.doctor.examine import examine
from autoupdate.doctor.finding import Finding
from autoupdate.doctor.leftovers import notes
from autoupdate.host import runtime_files
from autoupdate.model.errors import UnreachableError
from autoupdate.model.paths import AppPaths
from tests.unit.cli.test_golden import compare
from tests.unit.effects import APP
from tests.unit.world import World

LATER = "2099-02-01T00:00:00Z"
GATE = f"{{ path=/usr/lib/autoupdate/pre-start ; argv[]=/usr/lib/autoupdate/pre-start {APP} ; }}"
TIMER, RUN = "autoupdate.timer", f"autoupdate@{APP}.service"


class WellHost:
    """A host without problems, until a test makes one."""

    def __init__(self, world: World) -> None:
        self.world = world
        shared = world.paths.shared
        unit = {"LoadState": "loaded", "ActiveState": "active", "FragmentPath": "/usr/lib/x",
                "NeedDaemonReload": "no", "UnitFileState": "enabled"}  # fmt: skip
        service = {**unit, "ExecStartPre": GATE, "ProtectSystem": "strict",
                   "ReadWritePaths": f"-{shared}"}  # fmt: skip
        self.units = dict.fromkeys((TIMER, RUN, f"autoupdate-confirm@{APP}.service"), unit)
        self.units |= dict.fromkeys(world.settings.services, service)
        self.owners = {world.paths.mirror: "_autoupdate", world.paths.releases: "_autoupdate",
                       world.paths.environments: "_autoupdate",
                       world.all_paths.cache: "_autoupdate"}  # fmt: skip
        self.clock = self.builder = True
        self.altered: list[str] = []
        self.strange: list[str] = []
        self.upstream = self.noexec_mount = ""

    def change(self, unit: str, **facts: str) -> None:
        """Change properties of a unit."""
        self.units[unit] = {**self.units[unit], **facts}

    def unit(self, name: str) -> dict[str, str]:
        """Return the properties of a unit."""
        return self.units[name]

    def directives(self, names: Sequence[str]) -> list[Unit]:
        """Return what units name."""
        return self.world.services.directives(names)

    def altered_files(self, package: str) -> list[str]:
        """Return the files that changed since the installation of the package."""
        return self.altered

    def is_clock_right(self) -> bool:
        """Return whether the clock is synchronised."""
        return self.clock

    def owner(self, path: str) -> str:
        """Return the owner of a path."""
        return self.owners.get(path, "root") if os.path.exists(path) else ""

    def strangers(
        self, directory: str, owners: tuple[str, ...], left_out: tuple[str, ...]
    ) -> list[str]:
        """Return what belongs to others."""
        return [path for path in self.strange if path.startswith(f"{directory}/")]

    def ask_upstream(self, upstream: Upstream) -> None:
        """Ask upstream."""
        if self.upstream:
            raise UnreachableError(self.upstream)

    def has_builder(self) -> bool:
        """Return whether the user _autoupdate exists."""
        return self.builder

    def noexec(self, app: AppPaths) -> str:
        """Return where nothing can be executed."""
        return self.noexec_mount


@pytest.fixture
def deployed(tmp_path: Path) -> World:
    """Return a world with version 1 deployed."""
    world = World(tmp_path, shared=["state"])
    world.deploy(1)
    return world


@pytest.fixture
def host(deployed: World) -> WellHost:
    """Return a host without problems."""
    return WellHost(deployed)


def found(world: World, host: WellHost) -> list[Finding]:
    """Return what doctor finds."""
    return examine(Case(world.all_paths, world.settings, world.records, host, LATER))


def test_host_without_problems(deployed: World, host: WellHost) -> None:
    assert found(deployed, host) == []
    told = {"app": APP, "findings": [], "notes": ["a note"], "as_root": True}
    assert words(told).endswith("\n\na note")
    text = words({"app": APP, "findings": [], "notes": [], "as_root": True})
    assert text.endswith("no problems found\033[0m")


@pytest.mark.parametrize(
    ("unit", "facts", "mend"),
    [
        (TIMER, {"UnitFileState": "disabled"}, f"systemctl enable --now {TIMER}"),
        (TIMER, {"ActiveState": "inactive"}, f"systemctl start {TIMER}"),
        (TIMER, {"LoadState": "masked"}, f"systemctl unmask {TIMER}"),
        (RUN, {"LoadState": "not-found"}, "apt install --reinstall"),
        (RUN, {"NeedDaemonReload": "yes"}, "systemctl daemon-reload"),
        (RUN, {"FragmentPath": "/etc/systemd/system/autoupdate@.service"}, "systemctl revert"),
        ("web.service", {"ExecStartPre": ""}, f"autoupdatectl gate enable web.service {APP}"),
        ("web.service", {"ReadWritePaths": "/opt/app"}, "ReadWritePaths=-"),
        ("web.service", {"NeedDaemonReload": "yes"}, "systemctl daemon-reload"),
        ("web.service", {"ActiveState": "failed"}, "journalctl --unit=web.service"),
    ],
)
def test_units(
    deployed: World, host: WellHost, unit: str, facts: dict[str, str], mend: str
) -> None:
    host.change(unit, **facts)
    (finding,) = found(deployed, host)
    assert finding.about == unit
    assert mend in finding.mend


def test_drop_in_that_an_administrator_masked(deployed: World, host: WellHost) -> None:
    override = Path(deployed.all_paths.administrators_units, "web.service.d/50-autoupdate.conf")
    override.parent.mkdir(parents=True)
    override.symlink_to("/dev/null")
    host.change("web.service", ExecStartPre="")
    (finding,) = found(deployed, host)
    assert finding.mend == f"autoupdatectl gate enable web.service {APP}"
    override.unlink()
    override.write_text("[Service]\n")
    (finding,) = found(deployed, host)
    assert finding.mend == f"rm {override} && systemctl daemon-reload"


def test_services_that_do_not_exist(deployed: World, host: WellHost) -> None:
    host.units["web.service"] = {"LoadState": "not-found"}
    assert found(deployed, host) == []
    for service in deployed.settings.services:
        host.units[service] = {"LoadState": "not-found"}
    (finding,) = found(deployed, host)
    assert "an update restarts nothing" in finding.what


def test_a_probe_of_a_service_that_is_not_the_apps(tmp_path: Path) -> None:
    probe = {"type": "http", "url": "http://127.0.0.1/", "service": "wbe.service"}
    world = World(tmp_path, health__probe=[probe])
    world.deploy(1)
    (finding,) = found(world, WellHost(world))
    assert "never tried" in finding.what
    world.close()


@pytest.mark.parametrize(
    ("changes", "about", "mend"),
    [
        ({"clock": False}, "clock", "timedatectl set-ntp true"),
        ({"builder": False}, "user", "systemd-sysusers"),
        (
            {"altered": ["/usr/lib/systemd/system/autoupdate.timer"]},
            "/usr/lib/systemd/system/autoupdate.timer",
            "apt install --reinstall",
        ),
        ({"upstream": "it is down"}, "upstream", "autoupdatectl check"),
    ],
)
def test_host(
    deployed: World, host: WellHost, changes: dict[str, Any], about: str, mend: str
) -> None:
    vars(host).update(changes)
    (finding,) = found(deployed, host)
    assert finding.about == about
    assert finding.mend.startswith(mend)


def test_path(deployed: World, host: WellHost) -> None:
    path = deployed.settings.path
    os.unlink(path)
    assert [item.mend for item in found(deployed, host)] == [f"autoupdatectl run {APP}"]
    os.mkdir(path)
    assert [item.mend for item in found(deployed, host)] == [f"autoupdatectl adopt {path}"]


def test_services_that_run_from_another_place(tmp_path: Path, deployed: World) -> None:
    """Each directory once; what is deployed for nobody is not worth a run."""
    home = tmp_path / "my app"
    home.mkdir()
    for world in (deployed, World(tmp_path / "fresh")):
        world.services.runs_from = {"web.service": str(home), "api.service": str(home)}
        finding, *others = found(world, WellHost(world))
        assert finding.about == str(home)
        assert "runs web.service, api.service" in finding.what
        assert finding.mend == f"autoupdatectl adopt '{home}'"
        assert others == []


def test_interrupted_update(deployed: World, host: WellHost) -> None:
    deployed.records.begin("timer", "c", "", LATER)
    (finding,) = found(deployed, host)
    assert finding.what == "was interrupted in step fetch"
    with runtime_files.exclusive(deployed.paths, APP, wait=False):
        assert found(deployed, host) == [], "it is under way"


def test_release_that_nobody_watches(deployed: World, host: WellHost) -> None:
    number = deployed.records.begin("timer", "c", "", LATER)
    deployed.records.write("UPDATE transactions SET step = 'probation' WHERE id = ?", [number])
    unit = f"autoupdate-confirm@{APP}.service"
    assert found(deployed, host) == [], "the unit is active"
    host.change(unit, ActiveState="inactive")
    (finding,) = found(deployed, host)
    assert "nobody watches it" in finding.what
    assert finding.mend == f"autoupdatectl run {APP}"


def test_owners(deployed: World, host: WellHost) -> None:
    host.owners[deployed.paths.home] = "alice"
    os.chmod(deployed.paths.state, 0o666)
    assert {item.mend for item in found(deployed, host)} == {
        f"chown root: {deployed.paths.home}", f"chmod go-w {deployed.paths.state}",
    }  # fmt: skip


def test_owners_of_whole_trees(deployed: World, host: WellHost) -> None:
    host.strange = [f"{deployed.paths.mirror}/HEAD", f"{deployed.paths.mirror}/config"]
    (finding,) = found(deployed, host)
    assert "and 1 other" in finding.what
    assert finding.mend == (
        f"find {deployed.paths.mirror} '!' -user _autoupdate"
        " -exec chown --no-dereference _autoupdate: '{}' +"
    )


def test_owner_of_what_services_share(deployed: World, host: WellHost) -> None:
    place = f"{deployed.paths.shared}/state"
    os.makedirs(place, exist_ok=True)
    assert found(deployed, host) == [], "root's, as the services are"
    host.change("web.service", User="alice")
    assert found(deployed, host) == [], "services of two users"
    for service in deployed.settings.services:
        host.change(service, User="alice")
    (finding,) = found(deployed, host)
    assert finding.mend == f"chown --recursive --no-dereference alice: {place}"


def test_directory_that_nobody_can_use(deployed: World, host: WellHost) -> None:
    os.makedirs(deployed.paths.environments, mode=0)
    (finding,) = found(deployed, host)
    assert finding.mend == f"chmod u+rwx {deployed.paths.environments}"


def test_old_update_system(deployed: World, host: WellHost) -> None:
    crontab = Path(deployed.all_paths.crontabs[1], "barberb")
    crontab.parent.mkdir(parents=True)
    crontab.write_text("@daily true\n*/5 * * * * /home/barberb/app/scripts/auto-update.sh\n")
    drop_in = Path(deployed.all_paths.administrators_units, "web.service.d/old.conf")
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nExecStartPre=/opt/app/scripts/auto-update.sh\n")
    (drop_in.parents[1] / "web.service").write_text("[Service]\nExecStart=true\n")

    cron, start = found(deployed, host)

    assert (cron.about, start.about) == (f"{crontab}:2", f"{drop_in}:2")
    assert "auto-update.sh" in cron.what
    change = r"sed --in-place '2{/auto\-update\.sh/s/^/# /}'"
    assert cron.mend == f"{change} {crontab}"
    assert start.mend == f"{change} {drop_in} && systemctl daemon-reload"
    drop_in.write_text("[Service]\nExecStartPre=sh \\\n  /opt/app/scripts/auto-update.sh\n")
    assert found(deployed, host)[1].mend.startswith("systemctl edit --full web.service")


def test_old_updaters_by_what_they_do(deployed: World, host: WellHost) -> None:
    path = deployed.settings.path
    crontab = Path(deployed.all_paths.crontab)
    crontab.parent.mkdir(parents=True, exist_ok=True)
    crontab.write_text(f"0 4 * * * root cd {path} && git pull\n5 5 * * * root tar c {path}\n")
    script = Path(deployed.all_paths.cron_scripts[0], "pull")
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\ngit -C {path} pull\n")

    line, file = found(deployed, host)

    assert line.what == (
        f"still runs git pull in {path} (cron line): 0 4 * * * root cd {path} && git pull"
    )
    assert line.mend == f"sed --in-place '1{{/git/s/^/# /}}' {crontab}"
    assert (file.about, file.mend) == (str(script), f"chmod a-x {script}")


def test_directories_that_are_no_longer_needed(deployed: World, host: WellHost) -> None:
    kept = Path(f"{deployed.settings.path}.before-autoupdate-20981201000000")
    kept.mkdir()
    damaged = Path(f"{deployed.paths.mirror}.damaged")
    damaged.mkdir()
    assert {item.mend for item in found(deployed, host)} == {
        f"rm --recursive {kept}", f"rm --recursive {damaged}",
    }  # fmt: skip


def test_a_former_name(deployed: World, host: WellHost) -> None:
    """It is a leftover when nothing needs it any more."""
    former = f"{os.path.dirname(deployed.paths.home)}/web"
    os.symlink(APP, former)
    (release,) = deployed.releases_on_disk()
    script = Path(deployed.paths.release(release), ".venv/bin/serve")
    script.write_text(f"#!{former}/releases/{release}/.venv/bin/python\n")
    case = Case(deployed.all_paths, deployed.settings, deployed.records, host, LATER)
    assert examine(case) == []
    assert notes(case) == [
        f"{former} is the former name of {APP}; it is needed by release {release}"
    ]
    script.unlink()
    (finding,) = examine(case)
    assert finding.about == former
    assert finding.mend == "autoupdatectl forget --yes web"
    assert finding.asks
    assert notes(case) == []


def test_words(deployed: World, host: WellHost) -> None:
    host.change(TIMER, UnitFileState="disabled")
    host.change("web.service", ExecStartPre="")
    host.clock = False
    items = [facts(item) for item in found(deployed, host)]
    told = {"app": APP, "findings": items, "notes": [], "as_root": False}
    compare("doctor", words(told), deployed.root)


def test_releases_on_a_mount_where_nothing_can_be_executed(deployed: World, host: WellHost) -> None:
    host.noexec_mount = "/srv/big disk"
    (finding,) = found(deployed, host)
    assert finding.about == "/srv/big disk"
    assert "is mounted noexec" in finding.what
    assert finding.mend.startswith("mount -o remount,exec '/srv/big disk' ")
