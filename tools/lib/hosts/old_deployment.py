"""The application as the old system deployed it, after some time of use: for adoptions."""

import textwrap

from tools.lib.hosts.demo_app import SERVICES, USER, DemoApp
from tools.lib.hosts.host import Host
from tools.lib.hosts.upstream import Upstream

PATH = "/opt/ipfs_accelerate_py"
CRONTAB = f"/var/spool/cron/crontabs/{USER}"
CRON_LINE = f"0 */6 * * * {PATH}/scripts/auto-update.sh >> {PATH}/logs/auto-update-cron.log 2>&1"
OLD_SCRIPT = f"#!/bin/sh\necho ran >>{PATH}/state/old-updates\n"
EDITED = ("README.md", "setup.py", "data/0001.txt")
UNTRACKED = 20
FILES = 5000
# Twenty untracked files; runtime data with unusual modes, times and links; hooks for git.
USE = f"""
    cd {PATH}
    for file in {" ".join(EDITED)}; do echo mine >>$file; done
    mkdir -m 700 mine state/jobs
    for number in $(seq {UNTRACKED - 1}); do head -c 1000 /dev/urandom >mine/$number; done
    ln -s /etc/hostname mine/link
    for number in $(seq 50); do head -c 5000 /dev/urandom >state/jobs/$number; done
    chmod 600 state/jobs/7; touch -d 2001-01-01 state/jobs/8; ln -s 7 state/jobs/newest
    echo 'touch /tmp/hooked' >.git/hooks/post-checkout; chmod +x .git/hooks/post-checkout
    git config core.fsmonitor 'touch /tmp/hooked; false'
"""


def many_files() -> dict[str, str | None]:
    """Return more files, so that the checkout is large."""
    numbers = range(FILES)
    files: dict[str, str | None] = {f"data/{n:04}.txt": f"{n}\n" * 20 for n in numbers}
    return {**files, "scripts/auto-update.sh": OLD_SCRIPT}


def deploy(host: Host, upstream: Upstream) -> None:
    """Deploy by hand, edit files, and add a cron line; the services are not started."""
    app = DemoApp(host, PATH)
    app.install_services()
    app.deploy_by_hand(upstream.url)
    host.run("sh", "-euc", textwrap.dedent(USE), user=USER)
    host.write(CRONTAB, f"# of {USER}\n{CRON_LINE}\n@daily true\n", mode=0o600)
    host.run("chown", USER, CRONTAB)
    host.write(
        f"/etc/systemd/system/{SERVICES[0]}.d/10-old-update.conf",
        f"[Service]\nExecStartPre=/bin/sh {PATH}/scripts/auto-update.sh\n",
    )


def start(host: Host, upstream: Upstream) -> DemoApp:
    """Start the deployed services, on a new host."""
    app = DemoApp(host, PATH)
    # The image has the ports of another host, also in the URL of upstream.
    app.install_services()
    app.configure(upstream.url, shared=["state", "logs"])
    host.run("git", "-C", PATH, "remote", "set-url", "origin", upstream.url, user=USER)
    app.start()
    app.wait_up()
    return app
