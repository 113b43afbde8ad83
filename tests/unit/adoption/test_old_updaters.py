"""Finding the old updaters, by the name of their script and by what they do."""

import os
from pathlib import Path

import pytest

from autoupdate.adoption.old_updaters import CRON, CRON_SCRIPT, SERVICE, START, TASK, TIMER, find
from autoupdate.model.paths import Paths

APP = "/home/barberb/ipfs_accelerate_py"
SCRIPT = f"{APP}/scripts/auto-update.sh"


def write(root: Path, path: str, text: str) -> None:
    """Write a file below the root."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def found(root: Path, path: str = APP) -> list[tuple[str, str, int, str]]:
    """Return what is found, files relative to the root."""
    return [
        (item.kind, item.file.removeprefix(f"{root}/"), item.line, item.unit)
        for item in find(Paths(str(root)), path, ("web.service",))
    ]


def test_a_host_without_cron_or_units(tmp_path: Path) -> None:
    assert found(tmp_path) == []


@pytest.mark.parametrize("file", ["etc/crontab", "etc/cron.d/x", "var/spool/cron/crontabs/barberb"])
def test_cron_lines_of_every_kind(tmp_path: Path, file: str) -> None:
    write(tmp_path, file, f"# {SCRIPT}\nMAILTO=root\n0 */6 * * * {SCRIPT} >> log 2>&1\n@daily x\n")
    assert found(tmp_path) == [(CRON, file, 3, "")]


def test_a_crontab_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/crontab").write_bytes(b"# caf\xe9\n@daily " + SCRIPT.encode() + b"\n")
    assert found(tmp_path) == [(CRON, "etc/crontab", 2, "")]


def test_only_an_enabled_timer_counts(tmp_path: Path) -> None:
    units = "etc/systemd/system"
    write(tmp_path, f"{units}/pull.service", f"[Service]\nExecStart=/bin/sh \\\n  {SCRIPT}\n")
    write(tmp_path, f"{units}/old.timer", "[Timer]\nOnCalendar=daily\nUnit=pull.service\n")
    assert found(tmp_path) == []
    write(tmp_path, f"{units}/timers.target.wants/old.timer", "")
    assert found(tmp_path) == [(TIMER, f"{units}/pull.service", 2, "old.timer")]


def test_exec_start_pre_lines_that_are_in_effect(tmp_path: Path) -> None:
    unit = "etc/systemd/system/web.service"
    write(tmp_path, unit, f"[Service]\nExecStartPre=/bin/true\nExecStartPre={SCRIPT}\n")
    assert found(tmp_path) == [(START, unit, 3, "web.service")]
    write(tmp_path, f"{unit}.d/40-reset.conf", "[Service]\nExecStartPre=\nExecStartPre=/bin/true\n")
    assert found(tmp_path) == []
    write(tmp_path, f"{unit}.d/60-again.conf", f"[Service]\nExecStartPre=-{SCRIPT}\n")
    assert found(tmp_path) == [(START, f"{unit}.d/60-again.conf", 2, "web.service")]


def test_the_old_script_of_another_checkout(tmp_path: Path) -> None:
    write(tmp_path, "etc/crontab", f"@daily root {SCRIPT}\n")
    assert found(tmp_path, "/srv/ipfs_accelerate_py"), "perhaps through a link"
    assert found(tmp_path, "/home/barberb/ipfs_accelerate") == []


CRONTAB = f"""\
MAILTO=root
APP={APP}
# 0 4 * * * cd {APP} && git pull
*/5 * * * * cd $APP && git pull -q
@reboot flock -n /tmp/l bash -lc 'cd {APP}; git fetch; git reset --hard'
0 3 * * * rsync -a {APP}/ /backup/$(date +\\%F)/
0 4 * * 1-5 git -C /srv/other pull
30 4 * * * /usr/local/bin/deploy
0 5 * * * mail -s "git pull" root%cd {APP} && git pull
"""


def test_lines_of_crontabs_by_what_they_do(tmp_path: Path) -> None:
    write(tmp_path, "usr/local/bin/deploy", f"#!/bin/sh\nset -e\nD={APP}\ncd $D\ngit pull\n")
    write(tmp_path, "var/spool/cron/crontabs/barberb", CRONTAB)
    system = "".join(
        f"{' '.join(words[:fields])} barberb {words[fields]}\n"
        for line in CRONTAB.splitlines()
        if (fields := 1 if line.startswith("@") else 5)
        and len(words := line.split(None, fields)) > fields
        and not line.startswith("#")
    )
    write(tmp_path, "etc/cron.d/app", f"APP={APP}\n{system}")
    items = find(Paths(str(tmp_path)), APP, ())
    assert [(item.file.rpartition("/")[2], item.line) for item in items] == [
        ("app", 2), ("app", 3), ("app", 6), ("barberb", 4), ("barberb", 5), ("barberb", 8),
    ]  # fmt: skip
    assert items[-1].why == f"runs /usr/local/bin/deploy, whose line 5 runs git pull in {APP}"


def test_a_home_that_is_not_in_the_line(tmp_path: Path) -> None:
    write(tmp_path, "var/spool/cron/crontabs/no-such-user", "@daily cd app && git pull\n")
    assert len(found(tmp_path, "/home/no-such-user/app")) == 1
    write(tmp_path, "var/spool/cron/crontabs/no-such-user", "HOME=/srv\n@daily cd app; git pull\n")
    assert len(found(tmp_path, "/srv/app")) == 1
    assert found(tmp_path, "/home/no-such-user/app") == []


def test_cron_scripts(tmp_path: Path) -> None:
    write(tmp_path, "etc/cron.daily/pull", f"#!/bin/sh\ncd {APP}\ngit pull\n")
    write(tmp_path, "etc/cron.daily/pull.disabled", f"#!/bin/sh\ncd {APP}\ngit pull\n")
    write(tmp_path, "etc/cron.weekly/backup", f"#!/bin/sh\ntar cf /b {APP}\n")
    os.mkfifo(tmp_path / "etc/cron.weekly/pipe")
    assert found(tmp_path) == [(CRON_SCRIPT, "etc/cron.daily/pull", 0, "")]


def test_units_by_what_they_do(tmp_path: Path) -> None:
    units, wants = "etc/systemd/system", "etc/systemd/system/multi-user.target.wants"
    pull = f"[Service]\nWorkingDirectory={APP}\nExecStart=/usr/bin/git pull\n"
    for name in ("pull.service", "loop.service", "web.service"):
        write(tmp_path, f"{units}/{name}", pull)
    write(tmp_path, f"{units}/pull.timer", "[Timer]\nOnCalendar=daily\n")
    write(tmp_path, f"{units}/restart.timer", "[Timer]\nOnCalendar=daily\n")
    restart = "[Service]\nExecStart=/bin/systemctl restart web\n"
    for name in ("restart.service", "watchdog.service"):
        write(tmp_path, f"{units}/{name}", restart)
    write(tmp_path, f"{units}/server.service",
          f"[Service]\nWorkingDirectory={APP}\nExecStart={APP}/.venv/bin/python -m x\n"
          )  # fmt: skip
    write(tmp_path, f"{units}/boot.service",
          "[Service]\nType=oneshot\nUser=no-such-user\nEnvironment=D=%h/ipfs_accelerate_py\n"
          "ExecStart=/bin/sh -c 'cd $D && git pull'\n")  # fmt: skip
    write(tmp_path, f"{units}/install.service",
          f"[Service]\nWorkingDirectory=-{APP}\n"
          "ExecStartPre=-.venv/bin/pip install -r requirements.txt\nExecStart=true\n")  # fmt: skip
    assert found(tmp_path) == [(START, f"{units}/install.service", 3, "install.service")]
    for name in ("loop", "web", "watchdog", "server", "boot"):
        write(tmp_path, f"{wants}/{name}.service", "")
    for name in ("pull", "restart"):
        write(tmp_path, f"{units}/timers.target.wants/{name}.timer", "")
    assert found(tmp_path)[:-1] == [
        (TIMER, f"{units}/pull.service", 3, "pull.timer"),
        (TIMER, f"{units}/restart.service", 2, "restart.timer"),
        (SERVICE, f"{units}/loop.service", 3, "loop.service"),
    ], "not the app's own, not what watches it"
    assert (TASK, f"{units}/boot.service", 5, "boot.service") in found(
        tmp_path, "/home/no-such-user/ipfs_accelerate_py"
    )
