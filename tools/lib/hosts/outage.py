"""An outage of one server that updates need: it begins, and in the end the server works again."""

import functools
import tempfile
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tools.lib.hosts.commands import run
from tools.lib.hosts.demo_app import DemoApp
from tools.lib.hosts.misbehaving import Misbehaving, Trouble
from tools.lib.hosts.upstream import Upstream

INDEX, DEPENDENCY, UPSTREAM = "index", "git dependency", "upstream"
# The file of requirements that needs the server.
NEEDS = "outage.txt"
SETTINGS = """
[upstream]
timeout = "{timeout}"
url = "{url}"
[build]
installer = "{installer}"
requirements = ["requirements.txt", "outage.txt"]
[start]
"""
# Long enough for Git on a busy machine; as short as can be for a server that never answers.
USUAL, SHORT = "60s", "4s"
# pip would wait for minutes.
PIP = "timeout = 2\nretries = 0\n"


class Outage:
    """One server in trouble; `with Outage(…) as outage`, then `outage.end()`."""

    def __init__(self, app: DemoApp, upstream: Upstream, what: str, trouble: Trouble) -> None:
        self.app = app
        self.upstream = upstream
        self.what = what
        # The same trouble may come again, with another installer.
        self.directory = Path(tempfile.mkdtemp(prefix="outage-", dir=upstream.work.parent))
        self.directory.chmod(0o755)
        self.bad = Misbehaving(trouble, self.directory, {})
        self._good: ThreadingHTTPServer | None = None

    def begin(self, version: int, installer: str, start: str) -> str:
        """Publish a version that needs the server; `start` are settings. Returns the commit."""
        host = self.app.host
        if not host.run("grep", "-q", "^retries", "/etc/pip.conf", check=False).ok:
            known = host.run("cat", "/etc/pip.conf", check=False).stdout.rstrip()
            host.write("/etc/pip.conf", f"{known or '[global]'}\n{PIP}")
        url = f"{self.bad.url}/app.git" if self.what == UPSTREAM else self.upstream.url
        timeout = SHORT if (self.what, self.bad.trouble) == (UPSTREAM, Trouble.HANG) else USUAL
        self.settings = SETTINGS.format(url=url, installer=installer, timeout=timeout) + start
        self.app.configure_more(self.settings, "60-outage")
        self.bad.__enter__()
        return self.commit(version, needs=self.what != UPSTREAM)

    def commit(self, version: int, *, needs: bool) -> str:
        """Publish a version."""
        text = {
            INDEX: f"--extra-index-url {self.bad.url}/simple\nautoupdate-thing==1.0\n",
            DEPENDENCY: f"autoupdate-thing @ git+{self.bad.url}/thing.git\n",
        }.get(self.what, "")
        return self.upstream.commit(version, files={NEEDS: text if needs else ""})

    def end(self, version: int) -> str:
        """Make the server work again; return the commit that can be deployed then."""
        self.bad.__exit__(None, None, None)
        if self.what == UPSTREAM:
            settings = self.settings.replace(f"{self.bad.url}/app.git", self.upstream.url)
            self.app.configure_more(settings.replace(SHORT, USUAL), "60-outage")
        elif self.bad.url.startswith("https:"):
            # No server of that name, or with such a certificate, can be had here.
            return self.commit(version, needs=False)
        else:
            self._serve()
        return self.upstream.head()

    def close(self) -> None:
        """Stop all servers."""
        self.bad.__exit__(None, None, None)
        if self._good:
            self._good.shutdown()
            self._good.server_close()

    def _serve(self) -> None:
        served = self.directory / "served"
        package(served / "simple/autoupdate-thing")
        repository(served / "thing.git", self.directory / "thing")
        handler = functools.partial(_Quiet, directory=str(served))
        self._good = ThreadingHTTPServer(("127.0.0.1", self.bad.port), handler)
        threading.Thread(target=self._good.serve_forever, args=(0.02,), daemon=True).start()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Keep the output of tests quiet."""


def package(place: Path) -> None:
    """Make a package without content, as an index has it."""
    place.mkdir(parents=True)
    info = "autoupdate_thing-1.0.dist-info"
    with zipfile.ZipFile(place / "autoupdate_thing-1.0-py3-none-any.whl", "w") as file:
        about = "Metadata-Version: 2.1\nName: autoupdate-thing\nVersion: 1.0\n"
        file.writestr(f"{info}/METADATA", about)
        wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        file.writestr(f"{info}/WHEEL", wheel)
        file.writestr(f"{info}/RECORD", "")


def repository(bare: Path, work: Path) -> None:
    """Make a Git repository of a package, for clients of plain files over HTTP."""
    git_package(bare, work, "autoupdate-thing", "1.0")
    run("git", "-C", bare, "update-server-info")


def git_package(bare: Path, work: Path, name: str, version: str) -> None:
    """Make a Git repository of a package without content."""
    work.mkdir(parents=True)
    project = f'[project]\nname = "{name}"\nversion = "{version}"\n'
    (work / "pyproject.toml").write_text(f"{project}[tool.setuptools]\npy-modules = []\n")
    author = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    run("git", "-C", work, "init", "--quiet", "--initial-branch=main")
    run("git", "-C", work, "add", ".")
    run("git", "-C", work, *author, "commit", "--quiet", "--message=1")
    run("git", "clone", "--quiet", "--bare", work, bare)
