"""Services of a new release are tried in a sandbox: what is bad there costs production nothing."""

import json
import time

import pytest

from tools.lib.faults.bad import Prober
from tools.lib.hosts.broken import Broken
from tools.lib.hosts.demo_app import SERVICES, DemoApp
from tools.lib.hosts.upstream import Upstream

RUN = "autoupdate@ipfs-accelerate.service"
HOME = "/var/lib/autoupdate/ipfs-accelerate"
# What is wrong, and a word of the reason.
BAD = [
    (Broken.IMPORT_ERROR, "a_module_that_is_missing"),
    (Broken.CRASH, "serve is broken"),
    (Broken.CRASH_LATER, "ipfs-accelerate.service failed (exit-code)"),
    (Broken.HANG_IN_START, "start-pre"),
    (Broken.UNHEALTHY, "status 500"),
]


@pytest.fixture
def app(deployed_app: DemoApp) -> DemoApp:
    """The application at version 1, whose updates are rehearsed."""
    deployed_app.watch_strictly()
    deployed_app.rehearse("6s")
    return deployed_app


def left(app: DemoApp) -> str:
    """Return what a rehearsal has left on the host: units, directories, processes."""
    host = app.host
    units = host.run("systemctl", "list-units", "--all", "--plain", "--no-legend",
                     "autoupdate-rehearse-*").stdout  # fmt: skip
    files = host.run(
        "sh",
        "-c",
        "ls -d /run/systemd/system/autoupdate-rehearse-* "
        f"{HOME}/rehearsal /tmp/*autoupdate-rehearse* 2>/dev/null || true",
    ).stdout
    return units + files


def invocations(app: DemoApp) -> dict[str, str]:
    """Return what changes with each start of a service."""
    return {name: app.host.show(name, "InvocationID")["InvocationID"] for name in SERVICES}


@pytest.mark.parametrize(("broken", "reason"), BAD, ids=[broken.name for broken, _ in BAD])
def test_bad_commit(app: DemoApp, upstream: Upstream, broken: Broken, reason: str) -> None:
    host, good, before = app.host, upstream.head(), invocations(app)
    if broken is Broken.CRASH_LATER:
        # Five seconds after it has loaded, which takes time on a busy machine.
        app.rehearse("12s")
    bad = upstream.commit(version=3, broken=broken, seconds=5)
    with Prober(app, 1) as prober:
        done = host.systemctl("start", RUN, check=False, timeout=300)
    status = app.status()
    assert done.returncode == 1, host.journal("autoupdate")
    assert prober.away == 0
    assert invocations(app) == before
    assert status["current"]["commit"] == good
    assert [item["commit"] for item in status["quarantine"]] == [bad]
    assert reason in status["quarantine"][0]["reason"], status["quarantine"]
    assert left(app) == ""

    better = upstream.commit(version=4)
    host.systemctl("start", RUN, timeout=300)
    assert app.status()["current"]["commit"] == better
    assert set(app.versions().values()) == {4}
    assert left(app) == ""


@pytest.mark.only_release("bookworm")
def test_without_rehearsals_production_pays(deployed_app: DemoApp, upstream: Upstream) -> None:
    deployed_app.watch_strictly()
    upstream.commit(version=3, broken=Broken.CRASH)
    with Prober(deployed_app, 1) as prober:
        deployed_app.host.systemctl("start", RUN, check=False, timeout=300)
        deployed_app.wait_up()
    assert prober.away > 0.1
    assert "crashed" in deployed_app.status()["quarantine"][0]["reason"]


def sums(app: DemoApp) -> str:
    """Return a sum of each shared file, except that which production writes each second."""
    find = "find state -type f ! -name 'launcher.json*' -exec sha256sum {} +"
    return app.host.run("sh", "-c", f"cd {HOME}/shared; {find}").stdout


# Tries to reach what belongs to production, and says what it could do.
GREEDY = """
import os, signal, socket, subprocess
from pathlib import Path

def tried(what, action):
    try:
        action()
    except OSError as error:
        print(f"GREEDY {what}: {error.strerror}", flush=True)
    else:
        print(f"GREEDY {what}: DONE", flush=True)

def kill_production():
    pid = int(Path("/opt/ipfs_accelerate_py/state/production.number").read_text())
    os.kill(pid, signal.SIGKILL)

if os.environ.get("AUTOUPDATE_REHEARSAL"):
    tried("write to the host", lambda: Path("/var/tmp/../lib/greedy").write_text("x"))
    tried("write to the log", lambda: Path("/var/log/greedy/app.log").open("a").write("x"))
    tried("write to the release", lambda: Path("VERSION").write_text("x"))
    tried("write to shared", lambda: Path("state/greedy").write_text("x"))
    tried("empty shared", lambda: Path("state/precious").unlink())
    tried("kill production", kill_production)
    tried("connect", lambda: socket.create_connection(("192.0.2.1", 80), 1))
    bus = socket.socket(socket.AF_UNIX)
    tried("system bus", lambda: bus.connect("/run/dbus/system_bus_socket"))
    other = socket.socket(socket.AF_UNIX)
    tried("a socket of the host", lambda: other.connect("/srv/host.sock"))
    abstract = socket.socket(socket.AF_UNIX)
    tried("an abstract socket", lambda: abstract.connect("\\0host-abstract"))
    packets = sum(int(line.split()[9]) for line in Path("/proc/net/dev").read_text()
                  .splitlines()[2:] if not line.strip().startswith("lo:"))
    interfaces = [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text()
                  .splitlines()[2:]]
    print(f"GREEDY interfaces {interfaces}, packets {packets}", flush=True)

"""
LISTEN = """
import socket, time
one = socket.socket(socket.AF_UNIX); one.bind("/srv/host.sock"); one.listen()
two = socket.socket(socket.AF_UNIX); two.bind("\\0host-abstract"); two.listen()
import os; os.chmod("/srv/host.sock", 0o777)
time.sleep(3600)
"""


def test_production_is_out_of_reach(app: DemoApp, upstream: Upstream) -> None:
    host, web = app.host, SERVICES[0]
    log = "/var/log/greedy/app.log"
    host.run("install", "-d", "-o", "accelerate", "/var/log/greedy")
    drop_in = f"[Service]\nStandardOutput=append:{log}\nReadWritePaths=/var/log/greedy\n"
    host.write(f"/etc/systemd/system/{web}.d/log.conf", drop_in)
    host.write("/etc/systemd/system/listen.service",
               "[Service]\nExecStart=/usr/bin/python3 /srv/listen.py\n")  # fmt: skip
    host.write("/srv/listen.py", LISTEN)
    host.systemctl("daemon-reload")
    host.systemctl("start", "listen.service")
    host.systemctl("restart", web, timeout=300)
    app.wait_up()
    pid = host.show(web, "MainPID")["MainPID"]
    number = f"{app.path}/state/production.number"
    host.run("sh", "-c", f"echo {pid} >{number}; echo gold >{app.path}/state/precious",
             user="accelerate")  # fmt: skip
    text = (upstream.work / "ipfs_accelerate_py/serve.py").read_text()
    files = {"ipfs_accelerate_py/serve.py": GREEDY + text}
    before = sums(app)
    upstream.commit(version=2, files=files, broken=Broken.CRASH_MCP)
    with Prober(app, 1) as prober:
        host.systemctl("start", RUN, check=False, timeout=300)
    said = host.journal("autoupdate-rehearse")
    found = {line.partition("GREEDY ")[2] for line in said.splitlines() if "GREEDY" in line}
    assert prober.away == 0
    done = {line for line in found if "DONE" in line}
    assert done == {"write to shared: DONE", "empty shared: DONE"}, found
    assert "interfaces ['lo'], packets 0" in found
    assert "kill production: Operation not permitted" in found
    assert sums(app) == before
    assert "GREEDY" not in host.run("cat", log).stdout
    assert host.show(web, "MainPID")["MainPID"] == pid
    assert left(app) == ""


def test_what_cannot_be_rehearsed_stops_no_update(app: DemoApp, upstream: Upstream) -> None:
    """A service that needs the network at its start fails with the deployed release, too."""
    host, worker = app.host, SERVICES[2]
    needs = "import socket; socket.create_connection((\\'127.0.0.1\\', {port}), 2)"
    host.write(f"/etc/systemd/system/{worker}.d/peer.conf",
               "[Service]\nExecStartPre=/usr/bin/python3 -c '"
               + needs.replace("\\'", '"').format(port=host.port("peer")) + "'\n")  # fmt: skip
    host.write("/srv/peer.py", f"import socket, time\ns = socket.create_server(('127.0.0.1',"
               f" {host.port('peer')}))\ntime.sleep(3600)\n")  # fmt: skip
    host.write("/etc/systemd/system/peer.service",
               "[Service]\nExecStart=/usr/bin/python3 /srv/peer.py\n")  # fmt: skip
    host.systemctl("daemon-reload")
    host.systemctl("start", "peer.service")
    host.systemctl("restart", worker, timeout=300)
    commit = upstream.commit(version=2)
    host.systemctl("start", RUN, timeout=300)
    assert app.status()["current"]["commit"] == commit
    assert app.status()["quarantine"] == []
    said = host.journal("autoupdate")
    assert f"{worker} is not rehearsed from now on" in said
    assert "Connection refused" in said
    upstream.commit(version=3)
    plan = " ".join(host.run("autoupdatectl", "plan", check=False).stdout.split())
    assert f"{worker} is left out" in plan
    bad = upstream.commit(version=4, broken=Broken.CRASH)
    assert not host.systemctl("start", RUN, check=False, timeout=300).ok
    assert [item["commit"] for item in app.status()["quarantine"]] == [bad]


@pytest.mark.parametrize("how", ["kill -9", "SIGTERM"])
def test_a_run_that_is_killed(app: DemoApp, upstream: Upstream, how: str) -> None:
    host, before = app.host, invocations(app)
    app.rehearse("20s")
    upstream.commit(version=2)
    host.systemctl("start", "--no-block", RUN)
    units = ("systemctl", "list-units", "--plain", "--no-legend", "--state=active",
             "autoupdate-rehearse-ipfs-accelerate-*")  # fmt: skip
    host.wait_for(lambda: host.run(*units).stdout.count("\n") == 3, 60, "all are rehearsed")
    signal = "KILL" if how == "kill -9" else "TERM"
    host.systemctl("kill", f"--signal={signal}", "--kill-whom=main", RUN)
    host.wait_for(lambda: host.show(RUN, "ActiveState")["ActiveState"] in ("failed", "inactive"),
                  30, "the run ends")  # fmt: skip
    assert invocations(app) == before
    if how == "kill -9":
        assert left(app)
        assert "is left of a rehearsal" in host.run("autoupdatectl", "doctor", check=False).stdout
    else:
        assert left(app) == ""
    app.rehearse("1s")
    host.systemctl("start", RUN, timeout=300)
    assert set(app.versions().values()) == {2}
    assert left(app) == ""


@pytest.mark.parametrize("by", ["hand", "gate"])
def test_other_ways_to_start_a_run(app: DemoApp, upstream: Upstream, by: str) -> None:
    host, good = app.host, upstream.head()
    bad = upstream.commit(version=3, broken=Broken.CRASH)
    if by == "hand":
        with Prober(app, 1) as prober:
            assert host.run("autoupdatectl", "run", check=False, timeout=300).returncode == 1
        assert prober.away == 0
    else:
        app.forget_freshness()
        host.systemctl("restart", SERVICES[1], timeout=300)
        app.wait_up()
    status = app.status()
    assert status["current"]["commit"] == good
    assert [item["commit"] for item in status["quarantine"]] == [bad]
    assert set(app.versions().values()) == {1}
    upstream.commit(version=4)
    began = time.monotonic()
    if by == "hand":
        host.run("autoupdatectl", "run", timeout=300)
    else:
        app.forget_freshness()
        host.systemctl("restart", SERVICES[1], timeout=300)
    took = time.monotonic() - began
    app.wait_state("current", 120)
    app.wait_up()
    assert set(app.versions().values()) == {4}
    assert took < 60
    assert left(app) == ""


KINDS = {
    "notify": ("Type=notify\nNotifyAccess=all", "systemd-notify --ready; exec sleep 3600"),
    "forking": ("Type=forking\nPIDFile=/run/forking.pid", "sleep 3600 & echo $! >/run/forking.pid"),
    "remains": ("Type=oneshot\nRemainAfterExit=yes", "true"),
    "once": ("Type=oneshot", "true"),
    "strict": ("ProtectSystem=strict\nStateDirectory=strict\nRuntimeDirectory=strict\n"
               "User=accelerate",
               "echo x >$STATE_DIRECTORY/x && echo y >$RUNTIME_DIRECTORY/y && exec sleep 3600"),
    "pre": ("ExecStartPre=+/bin/mkdir -p /run/pre\nEnvironmentFile=@PATH@/state/env",
            "test -d /run/pre && test $FROM = file && exec sleep 3600"),
    "many@a": ("", "test @I@ = a && exec sleep 3600"),
    "bus": ("Type=dbus\nBusName=org.example.Bus", "exec sleep 3600"),
    "socket": ("", "exec sleep 3600"),
}  # fmt: skip


def test_kinds_of_units(app: DemoApp, upstream: Upstream) -> None:
    host, path = app.host, app.path
    host.run("sh", "-c", f"echo FROM=file >{path}/state/env", user="accelerate")
    for name, (lines, command) in KINDS.items():
        unit, command = name.replace("@a", "@"), command.replace("@I@", "%i").replace("$", "$$")
        host.write(f"/etc/systemd/system/{unit}.service",
                   f"[Service]\n{lines.replace('@PATH@', path)}\nWorkingDirectory={path}\n"
                   f"ExecStart=/bin/sh -c '{command}'\n")  # fmt: skip
    host.write("/etc/systemd/system/socket.socket",
               f"[Socket]\nListenStream=127.0.0.1:{host.port('socket')}\n")  # fmt: skip
    host.systemctl("daemon-reload")
    begun = [name for name in KINDS if name not in ("bus", "once", "socket")]
    host.systemctl("start", *begun, "socket.socket")
    names = [f"{name}.service" for name in KINDS]
    app.configure_more(f"""
services = {json.dumps(names)}
[health]
start_timeout = "20s"
probe = []
[rehearse]
services = {json.dumps(names)}
time = "2s"
""", "70-kinds")  # fmt: skip
    commit = upstream.commit(version=2)
    host.systemctl("start", RUN, timeout=300)
    said = " ".join(host.journal("autoupdate").split())
    assert app.status()["current"]["commit"] == commit
    first = said.partition("rehearsal of commit")[2].partition("release ")[0]
    assert "Type=dbus" in first
    assert "socket.socket" in first
    started = first.partition(": started in a sandbox")[0]
    rehearsed = [f"{name}.service" for name in KINDS if name not in ("bus", "socket")]
    assert all(name in started for name in rehearsed), first
    assert "is not rehearsed" not in said, host.journal("autoupdate-rehearse") + said
    assert host.run("ls", "/var/lib/strict").stdout == "x\n"
