"""Services of every kind that systemd knows: what an update does with each, and what runs then."""

import json

import pytest

from tools.lib.hosts.demo_app import DemoApp
from tools.lib.hosts.upstream import Upstream

RUN = "autoupdate@ipfs-accelerate.service"
# Writes the version that it was started on to /run/kinds/NAME, then does what its kind does.
PROGRAM = """#!/usr/bin/python3
import os, socket, sys, time
name, path = sys.argv[1:]
version = open(f"{path}/VERSION").read().split()[0]
os.makedirs("/run/kinds", exist_ok=True)

def begin():
    open(f"/run/kinds/{name}", "a").write(f"{version} {os.getpid()}\\n")

def tell(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(text.encode(), os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1))

if name == "forking" and os.fork():
    sys.exit()
begin()
if name == "notify":
    tell("STATUS=warming up")
    time.sleep(2)
    tell(f"READY=1\\nSTATUS=serving version {version}")
if name == "socket":
    listening = socket.socket(fileno=3)
    while True:
        with listening.accept()[0] as peer:
            peer.sendall(version.encode())
if name == "remains":
    sys.exit()
time.sleep(3600)
"""
KINDS = {
    "notify": "Type=notify",
    "forking": "Type=forking",
    "socket": "",
    "timed": "",
    "once": "Type=oneshot",
    "remains": "Type=oneshot\nRemainAfterExit=yes",
    "idle": "",
}
ASK = "import socket; s = socket.create_connection(('127.0.0.1', {port}), 20); print(s.recv(9))"


@pytest.fixture
def kinds(deployed_app: DemoApp) -> DemoApp:
    """Return a host with a service of each kind, and version 1."""
    host, path = deployed_app.host, deployed_app.path
    host.write("/usr/local/bin/kind", PROGRAM)
    host.run("chmod", "755", "/usr/local/bin/kind")
    for name, lines in KINDS.items():
        start = f"/usr/local/bin/kind {name} {path}"
        text = f"[Service]\n{lines}\nWorkingDirectory={path}\nExecStart={start}\n"
        host.write(f"/etc/systemd/system/{name}.service", text)
    instance = f"[Service]\nWorkingDirectory={path}\nExecStart=/usr/local/bin/kind %i {path}\n"
    host.write("/etc/systemd/system/many@.service", instance)
    port = host.port("kinds")
    host.write("/etc/systemd/system/socket.socket", f"[Socket]\nListenStream=127.0.0.1:{port}\n")
    host.write("/etc/systemd/system/timed.timer", "[Timer]\nOnActiveSec=1\nAccuracySec=1\n")
    host.systemctl("daemon-reload")
    host.systemctl("mask", "masked.service")
    begun = ("notify", "forking", "remains", "many@a", "socket.socket", "timed.timer")
    host.systemctl("start", *begun)
    host.systemctl("start", "--no-block", "once")
    names = [*KINDS, "many@a", "many@b", "masked", "missing"]
    services = json.dumps([f"{name}.service" for name in names])
    deployed_app.configure_more(f'services = {services}\n[health]\nstart_timeout = "20s"\n')
    host.wait_active("timed.service", 20)
    host.wait_for(lambda: "once" in host.run("ls", "/run/kinds").stdout, 20, "the job runs")
    return deployed_app


def started(app: DemoApp) -> dict[str, list[str]]:
    """Return the versions that each kind was started on so far."""
    names = app.host.run("ls", "/run/kinds").stdout.split()
    texts = {name: app.host.run("cat", f"/run/kinds/{name}").stdout for name in names}
    return {name: [line.split()[0] for line in text.splitlines()] for name, text in texts.items()}


def test_every_kind(kinds: DemoApp, upstream: Upstream) -> None:
    host, port = kinds.host, kinds.host.port("kinds")
    ask = ("/usr/bin/python3", "-c", ASK.format(port=port))
    assert "1" in host.run(*ask).stdout, "the socket starts its service"
    commit = upstream.commit(version=2)
    host.systemctl("start", RUN, timeout=300)
    status = json.loads(host.run("autoupdatectl", "status", "--json").stdout)
    assert (status["state"], status["current"]["commit"]) == ("current", commit), status
    both, old = ["1", "2"], ["1"]
    assert started(kinds) == {
        "notify": both, "forking": both, "socket": both, "remains": both, "a": both,
        "timed": old, "once": old,
    }  # fmt: skip
    assert "2" in host.run(*ask).stdout
    assert status["services"]["notify.service"]["text"] == "serving version 2"
    assert "serving version 2" in host.run("autoupdatectl", "status").stdout
    told = " ".join(host.run("autoupdatectl", "config", "check").stdout.split())
    for said in (
        "once.service does something and ends", "timed.service is started by timed.timer",
        "masked.service is masked", "this host has no unit missing.service",
    ):  # fmt: skip
        assert said in told, told

    # What was left alone starts on the new release.
    host.systemctl("restart", "timed.service")
    host.systemctl("start", "idle.service", "many@b.service")
    wanted = {"timed": both, "idle": ["2"], "b": ["2"]}
    host.wait_for(lambda: started(kinds).items() >= wanted.items(), 20, "all run version 2")


def test_a_kind_that_never_is_ready_is_rolled_back(kinds: DemoApp, upstream: Upstream) -> None:
    host, first = kinds.host, upstream.published()
    never = PROGRAM.replace("READY=1", "READY={2 - int(version)}")
    host.write("/usr/local/bin/kind", never)
    host.run("chmod", "755", "/usr/local/bin/kind")
    upstream.commit(version=2)
    assert not host.systemctl("start", RUN, check=False, timeout=300).ok
    status = json.loads(host.run("autoupdatectl", "status", "--json").stdout)
    assert status["current"]["commit"] == first
    assert "notify.service" in status["quarantine"][0]["reason"]
    assert status["services"]["notify.service"]["text"] == "serving version 1"
