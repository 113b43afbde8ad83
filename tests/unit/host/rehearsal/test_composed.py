"""The units of a rehearsal: what is kept of a service's own unit, and what is held back."""

import os
from pathlib import Path

import pytest

from autoupdate.host.process import Identity
from autoupdate.host.rehearsal import composed
from autoupdate.host.rehearsal.obstacles import obstacle
from autoupdate.host.rehearsal.scratch import Scratch
from autoupdate.host.rehearsal.units import Unit, unescaped
from autoupdate.host.unit_files import directives
from autoupdate.model.paths import AppPaths

GATE = "/usr/lib/autoupdate/pre-start"


def unit(tmp_path: Path, text: str, name: str = "web.service", **properties: str) -> Unit:
    file = tmp_path / "unit"
    file.write_text(text)
    known = {"LoadState": "loaded", "Type": "simple", "FragmentPath": str(file), **properties}
    return Unit(name, known, tuple(directives(str(file))))


@pytest.fixture
def plan(tmp_path: Path) -> composed.Plan:
    paths = AppPaths(f"{tmp_path}/home", f"{tmp_path}/run")
    for release in ("old", "new"):
        (tmp_path / "home/releases" / release).mkdir(parents=True)
    (tmp_path / "home/shared/state").mkdir(parents=True)
    (tmp_path / "home/current").symlink_to("releases/old")
    (tmp_path / "app").symlink_to("home/current")
    (tmp_path / "home/releases/old/state").symlink_to("../../shared/state")
    names = {"web.service": "r-web.service", "db.service": "r-db.service"}
    return composed.Plan(
        "app", Scratch(paths, "new"), "holder.service", names, ["/srv/a b.sock"], 1 << 30, 20.0,
        lambda name: Identity(name, os.getuid(), os.getgid()),
    )  # fmt: skip


def lines(plan: composed.Plan, of: Unit) -> list[str]:
    return composed.service(plan, of, 90.0).splitlines()


def test_what_is_kept_and_what_is_not(plan: composed.Plan, tmp_path: Path) -> None:
    made = lines(plan, unit(tmp_path, f"""
[Unit]
After=network.target db.service
BindsTo=db.service
OnFailure=page.service
ConditionPathExists=/nowhere
[Service]
User=app
WorkingDirectory={tmp_path}/app
ExecCondition=-+{GATE} app --if-python-changed
ExecStartPre=+{GATE} app
ExecStartPre=+-/bin/mkdir %t/%n
ExecStart=/bin/serve --name %i
ExecStop=/bin/kill everything
Restart=always
StandardOutput=append:/var/log/web.log
ReadWritePaths=/srv/data
BindPaths=/srv/data:/data
EnvironmentFile=-{tmp_path}/app/.env
EnvironmentFile={tmp_path}/app/state/env
TimeoutStartSec=45min
[Install]
WantedBy=multi-user.target
"""))  # fmt: skip
    text = "\n".join(made)
    assert made[0] == composed.marker("app")
    for kept in (
        "User=app", f"WorkingDirectory={tmp_path}/app", "ExecStart=/bin/serve --name ",
        "ExecStartPre=!-/bin/mkdir %t/web.service", "BindReadOnlyPaths=/srv/data:/data",
        f"EnvironmentFile=-{tmp_path}/home/releases/new/.env",
        f"EnvironmentFile={tmp_path}/home/rehearsal/shared/state/env",
        "JoinsNamespaceOf=holder.service", "After=holder.service r-db.service",
        "PrivateNetwork=yes", "PrivateDevices=yes", "Restart=no", "StandardOutput=journal",
        'InaccessiblePaths="-/srv/a b.sock"', f"MemoryMax={1 << 30}", "TimeoutStartSec=91s",
        f"BindPaths={tmp_path}/home/rehearsal/shared:{tmp_path}/home/shared",
    ):  # fmt: skip
        assert kept in made, kept
    for gone in (GATE, "OnFailure", "BindsTo", "Condition", "ExecStop", "append:", "always",
                 "ReadWritePaths", "WantedBy", "45min"):  # fmt: skip
        assert gone not in text, gone


def test_directories_that_systemd_would_make_are_thrown_away(
    plan: composed.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only root may give a directory away.
    monkeypatch.setattr(os, "chown", lambda *_: None)
    of = unit(tmp_path, "[Service]\nStateDirectory=x\nDeviceAllow=/dev/dri rw\n", User="app",
              RuntimeDirectory="x y:z", RuntimeDirectoryMode="0750")  # fmt: skip
    made = lines(plan, of)
    assert oct(os.stat(f"{plan.scratch.run}/x").st_mode) == "0o40750"
    assert 'Environment="RUNTIME_DIRECTORY=/run/x:/run/y"' in made
    assert "StateDirectory=x" not in made
    assert "PrivateDevices=yes" not in made
    dynamic = lines(plan, unit(tmp_path, "[Service]\n", DynamicUser="yes", StateDirectory="x"))
    assert f"BindPaths={plan.scratch.above('/var/lib')}:/var/lib/private" in dynamic
    assert oct(os.stat(f"{plan.scratch.above('/var/lib')}/x").st_mode) == "0o41777"


def test_a_job_that_ends_stays_known(plan: composed.Plan, tmp_path: Path) -> None:
    made = lines(plan, unit(tmp_path, "[Service]\nExecStart=/bin/true\n", Type="oneshot"))
    assert {"Type=oneshot", "RemainAfterExit=yes"} <= set(made)


def test_names_of_templates(plan: composed.Plan, tmp_path: Path) -> None:
    text = "[Service]\nExecStart=/bin/serve %i %I %p %% %h\nWorkingDirectory=/srv/%i\n"
    made = lines(plan, unit(tmp_path, text, "many@a\\x2db-c.service"))
    assert "ExecStart=/bin/serve a\\\\x2db-c a-b/c many %% %h" in made
    assert "WorkingDirectory=/srv/a\\x2db-c" in made
    assert unescaped("a-b\\x20c") == "a/b c"


@pytest.mark.parametrize(
    ("text", "properties", "said"),
    [
        ("", {}, ""),
        ("", {"LoadState": "masked"}, "masked"),
        ("", {"LoadState": "not-found"}, "no such unit"),
        ("", {"TriggeredBy": "a.timer a.socket"}, "a.socket"),
        ("", {"TriggeredBy": "a.timer"}, ""),
        ("", {"Type": "dbus"}, "Type=dbus"),
        ("RootDirectory=/srv/root", {}, "RootDirectory="),
        ("PAMName=login", {}, "PAMName="),
        ("StandardInput=tty", {}, "StandardInput=tty"),
    ],
)
def test_obstacles(tmp_path: Path, text: str, properties: dict[str, str], said: str) -> None:
    found = obstacle(unit(tmp_path, f"[Service]\n{text}\n", **properties))
    assert said in found
    assert bool(said) == bool(found)


def test_nothing_in_a_value_is_a_specifier() -> None:
    assert composed.quoted("/srv/100%") == "/srv/100%%"
    assert composed.pair("/a", "/c d") == '"/a:/c d"'
