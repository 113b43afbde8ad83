"""The test hosts themselves: a failure here says nothing about the package."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.lib.hosts import cgroups
from tools.lib.hosts.cache import cache_directory, running_directory
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, CommandFailedError
from tools.lib.hosts.demo_app import SERVICES, USER, DemoApp
from tools.lib.hosts.git_server import GitServer, Mode
from tools.lib.hosts.host import Host
from tools.lib.hosts.layers import Image
from tools.lib.hosts.package import PROJECT
from tools.lib.hosts.tree import package_dependencies
from tools.lib.hosts.upstream import Upstream


def test_host_boots_to_running(bare_host: Host, release: str) -> None:
    assert bare_host.failed_units() == []
    assert bare_host.systemctl("is-system-running").stdout == "running\n"
    assert f"VERSION_CODENAME={release}\n" in bare_host.read("/etc/os-release")
    # The unified hierarchy, which both releases of Debian have.
    assert bare_host.run("stat", "-fc", "%T", "/sys/fs/cgroup").stdout == "cgroup2fs\n"


def test_files_and_journal_survive_reboot_and_power_cut(bare_host: Host) -> None:
    bare_host.write("/var/lib/kept/file", "kept\n", mode=0o600)
    bare_host.run("logger", "--tag=harness", "before")
    bare_host.wait_for(lambda: bare_host.journal("harness"))
    for power_cut in (False, True):
        bare_host.reboot(power_cut=power_cut)
        assert bare_host.read("/var/lib/kept/file") == "kept\n"
        entries = bare_host.journal_entries("harness")
        assert [entry["MESSAGE"] for entry in entries] == ["before"]


def test_hosts_are_private_and_leave_nothing(tree: Image) -> None:
    with Host(tree) as one, Host(tree) as other:
        one.write("/etc/mine", "mine")
        assert not other.exists("/etc/mine")
        assert one.read("/etc/machine-id") != other.read("/etc/machine-id")
        assert one.port("web") == one.port("web") != other.port("web")
    for host in (one, other):
        assert left_behind(host.name) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_test_process_leaves_nothing(
    tree: Image, release: str, number: signal.Signals
) -> None:
    script = (
        "import sys, time; from tools.lib.hosts.host import Host; "
        "from tools.lib.hosts.package import bare_image; "
        "host = Host(bare_image(sys.argv[1])).boot(); "
        "print(host.name, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        (sys.executable, "-c", script, release),
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env={**CLEAN_ENVIRONMENT, "AUTOUPDATE_TEST_CACHE": str(cache_directory())},
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert left_behind(name) != []
        os.kill(process.pid, number)
    deadline = time.monotonic() + 10
    while left_behind(name) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left_behind(name) == []


def left_behind(name: str) -> list[str]:
    """Return what the machine has of a host: processes, files, mounts."""
    places = [*cgroups.directories(name), running_directory() / name]
    places += [Path("/run/systemd/nspawn/propagate") / name]
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    return [str(place) for place in places if place.exists()] + [
        line for line in mounts if name in line
    ]


def alive(host: Host) -> list[str]:
    """Return the names of the processes of a host; what is dead waits for its parent (ps(1), Z)."""
    lines = host.run("ps", "-e", "-o", "stat=,comm=").stdout.splitlines()
    return [name for state, name in map(str.split, lines) if not state.startswith("Z")]


def test_commands_report_what_happened(bare_host: Host) -> None:
    done = bare_host.run("sh", "-c", "cat; echo said >&2; exit 3", check=False, input="given")
    assert (done.stdout, done.stderr, done.returncode) == ("given", "said\n", 3)
    with pytest.raises(CommandFailedError, match="said"):
        bare_host.run("sh", "-c", "echo said; exit 1")
    with pytest.raises(CommandFailedError, match="not done after"):
        bare_host.run("sleep", "600", timeout=0.2)
    bare_host.wait_for(lambda: "sleep" not in alive(bare_host), what="the process is killed")
    assert bare_host.run("id", "-un", user="nobody").stdout == "nobody\n"
    # Nothing of the environment that the tests run in reaches a host.
    assert set(bare_host.run("env").stdout.split()) == {
        f"{name}={value}" for name, value in CLEAN_ENVIRONMENT.items()
    }


def test_copies_a_directory_with_its_links(bare_host: Host, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/file").write_bytes(bytes(range(256)))
    (tmp_path / "link").symlink_to("deep/file")
    bare_host.copy_in(tmp_path, "/srv/copied")
    assert bare_host.run("stat", "-c", "%s", "/srv/copied/deep/file").stdout == "256\n"
    assert bare_host.run("readlink", "/srv/copied/link").stdout == "deep/file\n"


def test_server_speaks_protocol_2_to_the_host(
    bare_host: Host, git_server: GitServer, upstream: Upstream
) -> None:
    bare_host.run("git", "clone", "--quiet", upstream.url, "/srv/clone")
    assert bare_host.run("git", "-C", "/srv/clone", "rev-parse", "HEAD").stdout.strip() == (
        upstream.head()
    )
    assert len(git_server.checks()) == len(git_server.fetches()) == 1
    assert {request.protocol for request in git_server.requests} == {"version=2"}


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        (Mode.NOT_FOUND, "not found"),
        (Mode.UNAUTHORIZED, "could not read Username"),
        (Mode.SERVER_ERROR, "error: 500"),
        (Mode.GARBAGE, "not valid: is this a git repository"),
        (Mode.RESET, "reset by peer"),
        (Mode.HALF_PACK, "early EOF"),
    ],
)
def test_server_misbehaves(
    git_server: GitServer, upstream: Upstream, tmp_path: Path, mode: Mode, says: str
) -> None:
    git_server.mode = mode
    failed = clone(upstream.url, tmp_path / "clone")
    assert failed.returncode != 0
    assert says in failed.stderr
    git_server.mode = Mode.GOOD
    assert clone(upstream.url, tmp_path / "clone").returncode == 0


def test_server_hangs_and_stops(git_server: GitServer, upstream: Upstream, tmp_path: Path) -> None:
    git_server.mode = Mode.HANG
    with pytest.raises(subprocess.TimeoutExpired):
        clone(upstream.url, tmp_path / "clone", timeout=0.5)
    git_server.stop()
    assert "Failed to connect" in clone(upstream.url, tmp_path / "refused").stderr
    git_server.mode = Mode.GOOD
    git_server.start()
    assert clone(upstream.url, tmp_path / "served").returncode == 0


def clone(url: str, target: Path, timeout: float = 30) -> "subprocess.CompletedProcess[str]":
    environment = {**CLEAN_ENVIRONMENT, "GIT_TERMINAL_PROMPT": "0"}
    command = ("git", "clone", url, str(target))
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


def test_equal_commits_have_equal_names(upstream: Upstream, tmp_path: Path) -> None:
    directory = tmp_path / "other"
    directory.mkdir()
    other = Upstream(tmp_path / "work", GitServer(directory))
    assert other.head() == upstream.head()
    assert other.commit(version=2) == upstream.commit(version=2) == upstream.published()
    tracked = upstream.git("ls-files", "-s").splitlines()
    assert len([line for line in tracked if line.startswith("120000")]) == 3
    assert upstream.git("status", "--porcelain", "--ignored") == ""


def test_app_runs_when_deployed_by_hand(bare_host: Host, upstream: Upstream) -> None:
    app = DemoApp(bare_host)
    app.install_services()
    app.deploy_by_hand(upstream.url)
    app.start()
    app.wait_up()
    assert app.versions() == {"serve": 1, "mcp": 1, "launcher": 1}
    health = app.health("mcp")
    assert health["commit"] == upstream.head()
    assert health["directory"] == app.path
    assert bare_host.show(SERVICES[0], "User", "ProtectSystem") == {
        "User": USER,
        "ProtectSystem": "strict",
    }
    # An update in place, as the old system did it: an old process imports new code.
    upstream.commit(version=2)
    bare_host.run("git", "-C", app.path, "pull", "--quiet", "--autostash", user=USER)
    assert (app.health()["version"], app.late()) == (1, 2)


def test_dependencies_are_read_from_the_control_file(tmp_path: Path) -> None:
    control = tmp_path / "control"
    control.write_text(
        "Source: a\nBuild-Depends: no\n\nPackage: a\n"
        "Depends: git (>= 1:2), one | two,\n         python3-git, ${misc:Depends}\n"
        "Recommends: logrotate\nDescription: no\n"
    )
    assert package_dependencies(control) == ["git", "one", "python3-git", "logrotate"]
