"""The demo application on a host: its user, its three services, the administrator's settings."""

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tools.lib.hosts.host import Host
from tools.lib.hosts.inside import Inside

UNITS = Path(__file__).parents[1] / "app" / "units"
SERVICES = (
    "ipfs-accelerate.service",
    "ipfs-accelerate-mcp.service",
    "containerized-runner-launcher.service",
)
USER = "accelerate"
CONFIGURATION = "/etc/autoupdate/apps/ipfs-accelerate.toml"

# Values in the unit files that are replaced for each host.
_PATH_IN_UNITS = "/opt/ipfs_accelerate_py"
_PORTS_IN_UNITS = {"serve": "PORT=9000", "mcp": "MCP_PORT=9001"}


class Application:
    """Controls the application on one machine."""

    def __init__(self, host: Inside, path: str = _PATH_IN_UNITS) -> None:
        """Name the place where the services look for the application."""
        self.host = host
        self.path = path

    def install_services(self) -> None:
        """Create the services' user and their units, as an administrator would; start nothing."""
        if not self.host.run("id", USER, check=False).ok:
            self.host.run("useradd", "--system", "--create-home", "--shell=/bin/sh", USER)
        for service in SERVICES:
            text = (UNITS / service).read_text().replace(_PATH_IN_UNITS, self.path)
            for name, setting in _PORTS_IN_UNITS.items():
                variable = setting.partition("=")[0]
                text = text.replace(f"_{setting}\n", f"_{variable}={self.host.port(name)}\n")
            self.host.write(f"/etc/systemd/system/{service}", text)
        self.host.systemctl("daemon-reload")

    def configure(self, url: str, soak: str = "2s", **top_level: object) -> None:
        """Write the administrator's file; `keep=2` and the like add top-level keys."""
        keys = {"path": self.path, **top_level}
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in keys.items()]
        lines += ["[upstream]\n", f'url = "{url}"\n', "[health]\n", f'soak = "{soak}"\n']
        # What the real application needs besides its requirements, the demo does not.
        lines += ["[build]\n", "extra_requirements = []\n"]
        # It would make each update longer; tests of rehearsals turn it on.
        lines += ["[rehearse]\n", 'services = "off"\n']
        self.host.write(CONFIGURATION, "".join(lines))

    def configure_more(self, toml: str, name: str = "50-test") -> None:
        """Write a file that is read after the administrator's file and overrides it."""
        self.host.write(f"{CONFIGURATION}.d/{name}.toml", toml)

    def rehearse(self, time: str = "6s") -> None:
        """Rehearse services before each switch, for a short time."""
        self.configure_more(f'[rehearse]\nservices = "auto"\ntime = "{time}"\n', "60-rehearse")

    def watch_strictly(self, build_timeout: str = "5min") -> None:
        """Watch long enough to see a crash after some seconds; probe both web services."""
        web, mcp = self.host.port("serve"), self.host.port("mcp")
        self.configure_more(f"""
            [build]
            timeout = "{build_timeout}"
            [health]
            soak = "4s"
            start_timeout = "10s"
            [[health.probe]]
            type = "http"
            url = "http://127.0.0.1:{web}/health"
            service = "ipfs-accelerate.service"
            expect_body = '"version"'
            interval = "0.5s"
            grace = "3s"
            [[health.probe]]
            type = "http"
            url = "https://127.0.0.1:{mcp}/health"
            service = "ipfs-accelerate-mcp.service"
            verify_tls = false
            interval = "0.5s"
            grace = "3s"
            [[health.probe]]
            type = "command"
            command = ["{{python}}", "-c", "import ipfs_accelerate_py.about"]
            service = "containerized-runner-launcher.service"
        """)

    def deploy_by_hand(self, url: str) -> None:
        """Deploy like the old system: clone, create a virtual environment, install in place."""
        host, python = self.host, f"{self.path}/.venv/bin/python3"
        host.run("install", "-d", "-o", USER, "-g", USER, self.path)
        host.run("git", "clone", "--quiet", url, self.path, user=USER)
        host.run("/usr/bin/python3", "-m", "venv", f"{self.path}/.venv", user=USER)
        host.run(
            python, "-m", "pip", "install", "--quiet", "-r", "requirements.txt", "-e", ".[mcp]",
            user=USER, cwd=self.path, timeout=300,
        )  # fmt: skip

    def start(self) -> None:
        """Start the three services at once, as a boot does."""
        self.host.systemctl("start", *SERVICES, timeout=300)

    def wait_up(self, timeout: float = 30) -> None:
        """Wait until all three services answer."""
        for service in SERVICES:
            self.host.wait_active(service, timeout)
        self.host.wait_for(lambda: self._answers("serve"), timeout, "the HTTP service answers")
        self.host.wait_for(lambda: self._answers("mcp"), timeout, "the HTTPS service answers")
        self.host.wait_for(self.worker, timeout, "the worker has written")

    def health(self, name: str = "serve") -> dict[str, Any]:
        """Return what a web service says of itself: version, commit, directory, pid."""
        return self.get(name, "/health")

    def versions(self) -> dict[str, int]:
        """Return the version that each of the three services runs now."""
        running = {"serve": self.health("serve"), "mcp": self.health("mcp")}
        running["launcher"] = self.worker()
        return {name: facts["version"] for name, facts in running.items()}

    def late(self, name: str = "serve") -> int:
        """Make a service import a module that it has not imported yet; return its version."""
        version = self.get(name, "/late")["version"]
        if not isinstance(version, int):
            raise TypeError(f"/late says {version!r}")
        return version

    def worker(self) -> dict[str, Any]:
        """Return what the current process of the worker wrote last."""
        unit = SERVICES[2]
        text = self.host.run("cat", f"{self.path}/state/launcher.json", check=False).stdout
        facts: dict[str, Any] = json.loads(text) if text else {}
        return facts if str(facts.get("pid")) == self.host.show(unit, "MainPID")["MainPID"] else {}

    def get(self, name: str, page: str, timeout: float = 10) -> dict[str, Any]:
        """Return a page of a web service; a status other than 200 raises HTTPError."""
        scheme = "https" if name == "mcp" else "http"
        url = f"{scheme}://127.0.0.1:{self.host.port(name)}{page}"
        # The service has a self-signed certificate; the loopback needs no proxy.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        trusting = urllib.request.HTTPSHandler(context=context)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), trusting)
        with opener.open(url, timeout=timeout) as answer:
            facts: dict[str, Any] = json.load(answer)
        return facts

    def _answers(self, name: str) -> bool:
        try:
            self.health(name)
        except urllib.error.HTTPError:
            raise
        except OSError:
            return False
        return True

    def status(self) -> dict[str, Any]:
        """Return `autoupdatectl status --json`, run as an unprivileged user."""
        answer = self.host.run("autoupdatectl", "status", "--json", "ipfs-accelerate", user=USER)
        facts: dict[str, Any] = json.loads(answer.stdout)
        return facts

    def wait_state(self, state: str, timeout: float = 60) -> None:
        """Wait until status says so."""
        self.host.wait_for(lambda: self.status()["state"] == state, timeout, f"state {state}")

    def forget_freshness(self) -> None:
        """Make the next start of a service ask upstream, even if the last check is fresh."""
        self.host.run("rm", "--force", "/run/autoupdate/ipfs-accelerate/fresh")


class DemoApp(Application):
    """Controls the application on one booted host."""

    host: Host

    def __init__(self, host: Host, path: str = _PATH_IN_UNITS) -> None:
        """Name the place where the services look for the application."""
        super().__init__(host, path)
