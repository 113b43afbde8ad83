"""Secrets that a host is given for upstream are for upstream alone: all else is searched."""

import json
from pathlib import Path

import pytest

from tools.lib.hosts.commands import kill_group
from tools.lib.hosts.demo_app import DemoApp
from tools.lib.hosts.proxy import Proxy
from tools.lib.hosts.ssh_server import PROGRAM, SshServer
from tools.lib.hosts.upstream import Upstream

RUN = "autoupdate@ipfs-accelerate.service"
SECRETS = "/etc/autoupdate/secrets"
# Each is looked for by itself, so that a find names its place.
TOKEN, WRONG, IN_URL = "canary-token-5b1e", "canary-wrong-77aa", "canary-url-c0de"
IN_PROXY, IN_NOTIFY, IN_UNIT = "canary-proxy-9d2f", "canary-notify-41c3", "canary-unit-e8a0"

# What a build can see of all this.
SPY = f"""
import glob, os, sys
for name, value in os.environ.items():
    print("spied:", name, value)
for path in [*glob.glob("/run/autoupdate/*/access-*/*"), *glob.glob("{SECRETS}/*")]:
    try:
        print("spied:", open(path).read())
    except OSError as error:
        print("spied:", path, error.strerror)
sys.exit("spied: all")
"""
# Prints the words of every process that it sees until its input ends.
SAMPLER = """
import os, select, sys
seen = set()
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.001)[0]:
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                seen.add(file.read())
        except OSError:
            continue
for words in seen:
    print(words.replace(b"\\0", b" "))
"""
# Looks for words, given by way of the input, in the bytes of every file and in the journal.
SEARCH = """
import json, os, stat, subprocess, sys
words = [word.encode() for word in json.load(sys.stdin)]
places = ("/var/lib/autoupdate", "/var/cache/autoupdate", "/var/log", "/var/tmp", "/var/mail",
          "/var/spool", "/run", "/tmp", "/dev/shm", "/root")
looked = 0
for place in places:
    for directory, _, files in os.walk(place):
        for name in files:
            path = f"{directory}/{name}"
            try:
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    continue
                with open(path, "rb") as file:
                    content = file.read()
            except FileNotFoundError:
                continue
            looked += 1
            for word in words:
                if word in content:
                    print("found", word.decode(), "in", path)
journal = subprocess.run(["journalctl", "--all", "--output=export"], capture_output=True).stdout
for word in words:
    if word in journal:
        print("found", word.decode(), "in the journal")
print("looked", looked, len(journal))
"""


class Watched:
    """The application on a host, whose secrets are looked for."""

    def __init__(self, app: DemoApp, key: str) -> None:
        self.app = app
        self.host = app.host
        self.words = [TOKEN, WRONG, IN_URL, IN_PROXY, IN_NOTIFY, IN_UNIT, key]

    def update(self) -> str:
        """Do one run by its unit; return the words of all processes meanwhile."""
        sampler = self.host.popen("/usr/bin/python3", "-I", "-c", SAMPLER)
        try:
            assert sampler.stdout
            assert sampler.stdout.readline() == "ready\n"
            self.host.systemctl("start", RUN, check=False, timeout=300)
            seen, _ = sampler.communicate("", timeout=60)
        finally:
            kill_group(sampler.pid)
            sampler.wait()
        return seen

    def finds(self) -> list[str]:
        """Return where secrets were found."""
        program = ("/usr/bin/python3", "-I", "-c", SEARCH)
        said = self.host.run(*program, input=json.dumps(self.words), timeout=300).stdout
        *found, last = said.splitlines()
        _, files, journal = last.split()
        assert int(files) > 500, "the search looked at nothing"
        assert int(journal) > 10_000
        return found


def test_canaries(deployed_app: DemoApp, upstream: Upstream, tmp_path: Path) -> None:
    """In a token, a URL, a proxy's and a notification's, a unit's environment, and an SSH key."""
    if not Path(PROGRAM).exists():
        pytest.skip("sshd is not installed (openssh-server)")
    host = deployed_app.host
    with SshServer(tmp_path) as ssh, Proxy(f"robot:{IN_PROXY}") as proxy:
        secret = ssh.key.read_text()
        watched = Watched(deployed_app, secret.splitlines()[2])
        host.run("install", "-d", "-m", "700", SECRETS)
        give(deployed_app, "key", secret)
        give(deployed_app, "known_hosts", ssh.known_as(ssh.host_key))
        environment = f'[Service]\nEnvironment="FORGE_TOKEN={IN_UNIT}"\n'
        host.write(f"/etc/systemd/system/{RUN}.d/token.conf", environment)
        host.systemctl("daemon-reload")
        notify = f'[notify]\nurls = ["json://somebody:{IN_NOTIFY}@127.0.0.1:9/"]\n'
        with_token = f"""
            {notify}
            [upstream]
            url = "{upstream.url.replace("://", f"://robot:{IN_URL}@")}"
            token_file = "{SECRETS}/token"
            proxy = "{proxy.url(proxy.login)}"
        """
        deployed_app.configure_more(with_token)
        upstream.server.login = f"robot:{TOKEN}"
        seen = ""

        # Upstream refuses, and all that is said of it is logged.
        give(deployed_app, "token", WRONG)
        upstream.commit(version=2, files={"setup.py": SPY})
        seen += watched.update()
        assert deployed_app.status()["last_run"]["exit_code"] == 69
        assert f"robot:{WRONG}" in upstream.server.logins

        # A build that looks for it.
        give(deployed_app, "token", TOKEN)
        seen += watched.update()
        spied = [entry["MESSAGE"] for entry in host.journal_entries("autoupdate-build")
                 if "spied: " in entry["MESSAGE"]]  # fmt: skip
        assert len(spied) > 5
        assert any("Permission denied" in line or "spied: all" in line for line in spied)

        # All goes well, by either way.
        upstream.commit(version=3)
        seen += watched.update()
        assert deployed_app.versions() == dict.fromkeys(("serve", "mcp", "launcher"), 3)
        assert proxy.asked
        deployed_app.configure_more(f"""
            {notify}
            [upstream]
            url = "{ssh.url(upstream.bare)}"
            ssh_key = "{SECRETS}/key"
            known_hosts = "{SECRETS}/known_hosts"
        """)
        upstream.commit(version=4)
        seen += watched.update()
        assert deployed_app.versions() == dict.fromkeys(("serve", "mcp", "launcher"), 4)
        assert "Accepted publickey" in ssh.log()

    waiting = json.loads(host.run("autoupdatectl", "notify", "--json").stdout)
    assert waiting[0]["waiting"] > 1, "nothing was in the outbox to be looked at"
    assert "git-remote-http" in seen
    assert " fetch " in seen
    assert [word for word in watched.words if word in seen] == []
    assert watched.finds() == []
    # And that is no blind search.
    host.write("/var/lib/autoupdate/planted", f"x{TOKEN}")
    host.run("systemd-cat", "echo", IN_UNIT)
    host.run("journalctl", "--sync")
    found = watched.finds()
    assert f"found {TOKEN} in /var/lib/autoupdate/planted" in found
    assert f"found {IN_UNIT} in the journal" in found


def give(app: DemoApp, name: str, content: str) -> None:
    """Put a file where the administrator keeps secrets."""
    app.host.write(f"{SECRETS}/{name}", content, mode=0o600)
