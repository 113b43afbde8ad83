"""A checkout as it was deployed by hand, in a world of made-up services, and the account of it."""

import os
from pathlib import Path

from autoupdate.adoption import relocation
from autoupdate.adoption.adopt import adopt
from autoupdate.adoption.manifest import Entry, manifest
from autoupdate.app import Outcome
from autoupdate.update.run import by_hand
from tests.unit.world import World, settings

PULL_LINE = "@hourly cd {path} && git pull"
CRON_SCRIPT = "#!/bin/sh\ngit -C {path} fetch\n"
CRON_LINE = "0 */6 * * * {path}/scripts/auto-update.sh >> log 2>&1"
UNIT = "[Service]\nExecStartPre=/bin/true\nExecStartPre={path}/scripts/auto-update.sh\n"


def old_directory(world: World) -> Path:
    """Deploy by hand: files of every kind, and what runs the old update script."""
    world.settings = settings(world.root, shared=["state", "data/models", "logs"])
    path = Path(world.settings.path)
    files = {
        ".git/HEAD": "ref: refs/heads/main\n",
        ".git/config": "[core]\n",
        ".git/hooks/post-checkout": "#!/bin/sh\nexit 1\n",
        ".git/objects/aa/bb": "object",
        ".venv/bin/python": "python",
        "VERSION": "0" * 39 + "1",
        "scripts/auto-update.sh": "#!/bin/sh\n",
        "state/jobs.json": "[1]",
        "state/inner/deep.bin": "\0\1",
        "data/models/weights": "w" * 1000,
        "data/other": "not shared",
        "untracked note": "mine",
    }
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    (path / "scripts/auto-update.sh").chmod(0o755)
    (path / "state").chmod(0o2750)
    (path / "state/jobs.json").chmod(0o600)
    (path / "link").symlink_to("VERSION")
    (path / "state/dangling").symlink_to("/nowhere")
    os.utime(path / "state/jobs.json", (1_000_000, 1_000_000))
    crontab = world.root / "var/spool/cron/crontabs/barberb"
    crontab.parent.mkdir(parents=True)
    crontab.write_text(
        f"MAILTO=x\n{CRON_LINE.format(path=path)}\n@daily other\n{PULL_LINE.format(path=path)}\n"
    )
    crontab.chmod(0o600)
    script = world.root / "etc/cron.daily/pull"
    script.parent.mkdir(parents=True)
    script.write_text(CRON_SCRIPT.format(path=path))
    script.chmod(0o755)
    units = world.root / "etc/systemd/system"
    (units / "multi-user.target.wants").mkdir(parents=True)
    (units / "multi-user.target.wants/at-boot.service").symlink_to("../at-boot.service")
    (units / "at-boot.service").write_text(
        f"[Service]\nType=oneshot\nWorkingDirectory={path}\nExecStart=/usr/bin/git pull\n"
    )
    (units / "timers.target.wants").mkdir(parents=True)
    (units / "timers.target.wants/pull.timer").symlink_to("../pull.timer")
    (units / "web.service").write_text(UNIT.format(path=path))
    (units / "pull.timer").write_text("[Timer]\nOnCalendar=daily\n")
    (units / "pull.service").write_text(f"[Service]\nExecStart={path}/scripts/auto-update.sh\n")
    for name, service in world.services.units.items():
        assert service.active == "active", name
        world.services.runs[name] = world.at_path()
    return path


def adopt_it(world: World) -> Outcome:
    """Adopt the directory, as autoupdatectl does."""
    app = world.app
    return by_hand(app, lambda: adopt(app, world.host_changes, world.settings.path))


def account(world: World) -> dict[str, Entry]:
    """Return every byte of the old directory and of the old update system.

    A crontab that is written again has a new time, by which cron(8) sees that it was.
    """
    return {
        f"{name}: {path}": entry if name == "app" else entry._replace(changed_at=0)
        for name, place in (
            ("app", world.settings.path),
            ("cron", f"{world.root}/var/spool/cron"),
            ("cron scripts", f"{world.root}/etc/cron.daily"),
            ("units", f"{world.root}/etc/systemd/system"),
        )
        for path, entry in manifest(place).items()
    }


def assert_as_before(world: World, before: dict[str, Entry]) -> None:
    """Check that an adoption has left no trace."""
    now = account(world)
    assert now == before, {name for name in now | before if now.get(name) != before.get(name)}
    assert not os.path.islink(world.settings.path)
    assert relocation.read(world.paths) is None
    assert not os.path.lexists(world.paths.current)
    assert world.units.off == set()
    assert_runs(world)


def assert_adopted(world: World, before: dict[str, Entry]) -> None:
    """Check that every byte is where an adoption puts it."""
    path = Path(world.settings.path)
    assert os.readlink(path) == world.paths.current
    kept = kept_directories(world)
    assert len(kept) == 1
    now = {f"app: {name}": entry for name, entry in manifest(str(kept[0])).items()}
    for name, entry in manifest(world.paths.shared).items():
        if name != ".":
            now.setdefault(f"app: {name}", entry)
    old = {name: entry for name, entry in before.items() if name.startswith("app: ")}
    assert {name: now.get(name) for name in old} == old
    shared = {name.removeprefix("app: ") for name in old if name.startswith("app: state")}
    assert shared <= set(manifest(world.paths.shared))
    assert not (kept[0] / "state").exists()
    crontab = world.root / "var/spool/cron/crontabs/barberb"
    lines = crontab.read_text().splitlines()
    line = CRON_LINE.format(path=path)
    off = "# disabled by autoupdatectl adopt: "
    pull = PULL_LINE.format(path=path)
    assert lines == ["MAILTO=x", f"{off}{line}", "@daily other", f"{off}{pull}"]
    assert os.listdir(f"{world.root}/etc/cron.daily") == ["pull.disabled-by-autoupdate"]
    assert crontab.stat().st_mode & 0o777 == 0o600
    drop_in = world.root / "etc/systemd/system/web.service.d/40-without-auto-update.conf"
    assert "ExecStartPre=\nExecStartPre=/bin/true\n" in drop_in.read_text()
    assert "ExecStartPre=/home" not in drop_in.read_text()
    assert world.units.off == {"pull.timer", "at-boot.service"}
    assert relocation.read(world.paths) is None
    assert os.path.exists(world.paths.adopted)
    world.assert_whole()
    assert_runs(world)


def assert_path_is_there(world: World) -> None:
    """Check that a service may start whose ReadWritePaths= name the path (systemd.exec(5)).

    Without it systemd cannot even ask the gate.
    """
    assert os.path.isdir(world.settings.path)


def assert_runs(world: World) -> None:
    """Check that every service runs what is at the path now."""
    assert world.records.unfinished() is None
    for name, service in world.services.units.items():
        assert service.active == "active", name
        assert world.services.runs[name] == world.at_path(), name


def kept_directories(world: World) -> list[Path]:
    """Return the old directories that are kept."""
    path = Path(world.settings.path)
    return sorted(path.parent.glob(f"{path.name}.before-autoupdate-*"))
