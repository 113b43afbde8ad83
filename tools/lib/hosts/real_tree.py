"""A repository with the tree of the real application: 14,364 files, links, submodules.

Sizes, suffixes and depths are those of one commit; names are made up. What runs is a small package
in it, with requirements as loose as the real ones.
"""

import gzip
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, run
from tools.lib.hosts.git_server import GitServer

TREE = Path(__file__).parent / "real-tree.tsv.gz"
NAME = "real_tree"
IDENTITY = {
    "GIT_AUTHOR_NAME": "Upstream Author", "GIT_AUTHOR_EMAIL": "author@upstream.example",
    "GIT_COMMITTER_NAME": "Upstream Author", "GIT_COMMITTER_EMAIL": "author@upstream.example",
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip
# A commit that submodules are at; none of them is fetched.
ELSEWHERE = "1" * 40
LINE = "# what a line of the real application would say, or nearly so\n"
REQUIREMENTS = (
    "aiohttp>=3.8", "attrs", "beautifulsoup4", "blinker", "certifi", "charset-normalizer",
    "click>=8", "colorama", "filelock", "flask>=2", "idna", "iniconfig", "itsdangerous", "jinja2",
    "markdown", "markupsafe", "networkx", "packaging", "platformdirs", "pluggy", "psutil",
    "pydantic>=2", "pygments", "python-dateutil", "pyyaml>=6", "requests>=2.28", "six", "tqdm",
    "typing-extensions", "urllib3>=1.26",
)  # fmt: skip
SCRIPTS = 12
NOTHING_MORE: Mapping[str, str | None] = {}
SETUP = """
from pathlib import Path

from setuptools import find_packages, setup

wanted = Path(__file__).with_name("requirements.txt").read_text().splitlines()
setup(
    name="real-tree",
    version="0.0.45",
    packages=find_packages(include=["app", "app.*"]),
    install_requires=[line for line in wanted if line and not line.startswith("#")],
    entry_points={{"console_scripts": [{scripts}]}},
)
"""


class RealTree:
    """The work tree, and the bare repository on the server."""

    def __init__(
        self,
        directory: Path,
        server: GitServer,
        requirements: Sequence[str] = REQUIREMENTS,
        files: Mapping[str, str | None] = NOTHING_MORE,
    ) -> None:
        self.work, self.bare = directory / NAME, server.directory / f"{NAME}.git"
        self.url = server.url(NAME)
        self.environment = {**CLEAN_ENVIRONMENT, **IDENTITY}
        self.requirements = list(requirements)
        self.work.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        run("git", "init", "--quiet", "--bare", "--initial-branch=main", self.bare,
            environment=self.environment)  # fmt: skip
        self.git("remote", "add", "origin", str(self.bare))
        self._lay_out()
        self.commit("Version 1", files)

    def git(self, *words: str) -> str:
        """Run git in the work tree."""
        done = run("git", *words, cwd=self.work, environment=self.environment, timeout=300)
        return done.stdout.strip()

    def commit(self, message: str, files: Mapping[str, str | None]) -> str:
        """Write or delete files, commit and push; return the commit."""
        for path, text in {**self._package(), **files}.items():
            place = self.work / path
            if text is None:
                place.unlink()
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text)
        self.git("add", "--all", "--force")
        for path in self.submodules:
            self.git("update-index", "--add", "--cacheinfo", f"160000,{ELSEWHERE},{path}")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.git("push", "--quiet", "origin", "main")
        return self.git("rev-parse", "HEAD")

    def _package(self) -> dict[str, str]:
        scripts = ", ".join(f'"real-{n}=app.cli{n}:main"' for n in range(SCRIPTS))
        modules = {f"app/cli{n}.py": "def main():\n    pass\n" for n in range(SCRIPTS - 1)}
        # One of them needs what nothing installs, as in the real one.
        modules[f"app/cli{SCRIPTS - 1}.py"] = "import no_such_module\n\ndef main():\n    pass\n"
        return {
            "setup.py": SETUP.format(scripts=scripts),
            "pyproject.toml": "[tool.black]\nline-length = 100\n",
            "requirements.txt": "\n".join(self.requirements) + "\n",
            "app/__init__.py": "",
            **modules,
        }

    def _lay_out(self) -> None:
        self.submodules: list[str] = []
        for line in gzip.decompress(TREE.read_bytes()).decode().splitlines():
            kind, size, path = line.split("\t")
            place = self.work / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if kind == "submodule":
                self.submodules.append(path)
            elif kind == "link-in":
                place.symlink_to(os.path.relpath(self.work / "setup.py", place.parent))
            elif kind == "link-out":
                place.symlink_to(f"/home/author/{'x' * max(1, int(size) - 13)}")
            else:
                text = LINE * (int(size) // len(LINE) + 1)
                place.write_text(text[: int(size)])
                place.chmod(0o755 if kind == "exec" else 0o644)
        modules = [f'[submodule "{path}"]\n\tpath = {path}\n\turl = ../{path}.git\n'
                   for path in self.submodules]  # fmt: skip
        (self.work / ".gitmodules").write_text("".join(modules))
