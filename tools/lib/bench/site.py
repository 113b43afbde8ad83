"""A host in a directory: the command as the package installs it, and upstreams."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoupdate.model.paths import AppPaths, Paths
from tools.lib.bench.index import Index
from tools.lib.bench.wheels import download_tools
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, Completed, run
from tools.lib.hosts.git_server import GitServer

PROJECT = Path(__file__).parents[3]
PYTHON = "/usr/bin/python3"
# The package creates a user for git and builds; here it is one that exists on every machine.
BUILDER = "nobody"
# What bin/autoupdatectl does, for a host below a directory.
LAUNCHER = """#!/usr/bin/python3 -I
import sys
sys.path.insert(0, {library!r})
from autoupdate.model.paths import Paths
from autoupdate.{module} import {function}
sys.exit({function}(sys.argv[1:], Paths({root!r})))
"""


class Bench:
    """One host below one directory; each upstream is a separate app."""

    def __init__(self, directory: Path) -> None:
        """Install the command, and serve upstreams."""
        self.directory = directory
        self.root = directory / "host"
        self.paths = Paths(str(self.root))
        served = directory / "served"
        served.mkdir()
        self.server = GitServer(served)
        self.server.start()
        self.library = directory / "library"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / "autoupdate", self.library / "autoupdate", ignore=ignored)
        user = self.library / "autoupdate/host/process.py"
        user.write_text(user.read_text().replace('"_autoupdate"', f'"{BUILDER}"'))
        # Like the installation of the package.
        run(PYTHON, "-m", "compileall", "-q", self.library)
        self.command = self._launcher("cli.entry", "main")
        self.gate = self._launcher("service_start.fast_path", "pass_gate")
        self.wheels = directory / "wheels"
        self.wheels.mkdir()
        download_tools(self.wheels, directory / "tools")
        self.index = Index(self.wheels)
        self.index.start()
        self.uv = directory / "tools/bin/uv"
        self.manifests = ["index.txt", "requirements.txt"]
        for place in ("etc/autoupdate/apps", "var/lib/autoupdate", "var/cache", "run", "srv"):
            (self.root / place).mkdir(parents=True)

    def _launcher(self, module: str, function: str) -> Path:
        file = self.directory / f"autoupdate-{function}"
        text = LAUNCHER.format(
            library=str(self.library), module=module, function=function, root=str(self.root)
        )
        file.write_text(text)
        file.chmod(0o755)
        return file

    def app(self, name: str) -> AppPaths:
        """Return the paths of an app."""
        return self.paths.app(name)

    def configure(self, name: str, url: str, **changes: Any) -> None:
        """Write the settings of an app; `__` in a key stands for a dot."""
        values: dict[str, Any] = {
            "path": f"{self.root}/srv/{name}",
            "upstream.url": url,
            "health.soak": "0s",
        }
        values |= {key.replace("__", "."): value for key, value in changes.items()}
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in values.items()]
        (self.root / f"etc/autoupdate/apps/{name}.toml").write_text("".join(lines))

    def ctl(self, *words: str, check: bool = True) -> Completed:
        """Run autoupdatectl."""
        return run(self.command, *words, check=check, timeout=600)

    def updates(self, name: str, command: Path | None = None) -> None:
        """Do one run, which must update."""
        told = json.loads(run(command or self.command, "run", "--json", name, timeout=600).stdout)
        if told["result"] != "updated":
            raise AssertionError(f"{name}: {told}")

    def finds_nothing(self, name: str) -> None:
        """Do one run, which must find nothing new."""
        told = self.ctl("run", name).stdout
        if "already up to date" not in told:
            raise AssertionError(f"{name}: {told}")

    def close(self) -> None:
        """Stop serving."""
        self.server.stop()
        self.index.stop()


def call(*words: str | Path, environment: Mapping[str, str] = CLEAN_ENVIRONMENT) -> None:
    """Run a command quietly, with as little overhead as possible."""
    done = subprocess.run(
        [str(word) for word in words],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{words}: {done.stderr.decode(errors='replace')}")
