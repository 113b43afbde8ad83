"""Where every byte of an old deployment is, before and after it was adopted."""

import json
from typing import Any

from tools.lib.hosts.demo_app import DemoApp
from tools.lib.hosts.host import Host
from tools.lib.hosts.old_deployment import CRON_LINE, CRONTAB, FILES, PATH
from tools.lib.hosts.package import FIND_MODULES

HOME = "/var/lib/autoupdate/ipfs-accelerate"
# Files that the services write while they run, and bytecode.
BUSY = ("state/launcher.json", "state/starts", "state/old-updates", "logs/", "state/certificate",
        "state/key.pem")  # fmt: skip

# A service may rename a file at this moment.
ACCOUNT = """
import json, sys
from autoupdate.adoption.manifest import manifest
for _ in range(20):
    try:
        print(json.dumps(manifest(sys.argv[1])))
        break
    except FileNotFoundError:
        continue
"""


def account(host: Host, directory: str) -> dict[str, Any]:
    """Return what is in a directory, without the files that are written all the time."""
    script = FIND_MODULES + ACCOUNT
    found = json.loads(host.run("/usr/bin/python3", "-I", "-c", script, directory).stdout)
    return {path: entry for path, entry in found.items() if not path.startswith(BUSY)
            and "__pycache__" not in path}  # fmt: skip


def assert_every_byte(host: Host, before: dict[str, Any]) -> None:
    """Check that every file is in the old directory or in the shared one."""
    kept = host.run("sh", "-c", f"echo {PATH}.before-autoupdate-*").stdout.split()
    assert len(kept) == 1
    old, shared = account(host, kept[0]), account(host, f"{HOME}/shared")
    assert len(before) > FILES
    for path, entry in before.items():
        place = shared if path.split("/")[0] in ("state", "logs") else old
        assert place.get(path) == entry, path
    assert not host.exists("/tmp/hooked")


def assert_as_before(app: DemoApp, before: dict[str, Any]) -> None:
    """Check that an adoption has changed nothing, and that the services run."""
    app.wait_up(60)
    now = account(app.host, PATH)
    assert now == before, sorted(path for path in now | before
                                 if now.get(path) != before.get(path))[:10]  # fmt: skip
    assert CRON_LINE in app.host.read(CRONTAB).splitlines()
    assert not app.host.exists(f"{HOME}/relocation.json")
    assert app.status()["state"] == "unmanaged"
    kept = app.host.run("sh", "-c", f"ls -d {PATH}.before*", check=False).stdout
    assert kept == ""
