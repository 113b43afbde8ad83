"""The upstream of the demo application: versions and broken commits on request."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from tools.lib.hosts.broken import Broken, breakage
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, run
from tools.lib.hosts.git_server import GitServer

REPOSITORY = Path(__file__).parents[1] / "app" / "repository"

# Independent of the user who runs the tests, so that equal commits have equal names.
_IDENTITY = {
    "GIT_AUTHOR_NAME": "Upstream Author",
    "GIT_AUTHOR_EMAIL": "author@upstream.example",
    "GIT_COMMITTER_NAME": "Upstream Committer",
    "GIT_COMMITTER_EMAIL": "committer@upstream.example",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
}
# Created here, because setuptools would pack their targets instead.
_LINKS = {
    "README": "README.md",
    "docs/data": "../ipfs_accelerate_py/data",
    "docs/index.md": "../README.md",
}
_FIRST_COMMIT_AT = 1_750_000_000
_BETWEEN_COMMITS = 60


class Upstream:
    """A working tree with the application, and the bare repository on the server."""

    def __init__(
        self, directory: Path, server: GitServer, name: str = "ipfs_accelerate_py"
    ) -> None:
        """Make both repositories and commit version 1."""
        self.server = server
        self.name = name
        self.work = directory / name
        self.bare = server.directory / f"{name}.git"
        self.branch = "main"
        self._count = 0
        # Tests that sign commits add variables such as GNUPGHOME.
        self.environment = {**CLEAN_ENVIRONMENT, **_IDENTITY}
        self.work.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        run("git", "init", "--quiet", "--bare", "--initial-branch=main", self.bare,
            environment=self.environment)  # fmt: skip
        # As on public hosts: partial clones, and fetching a commit by its hash.
        for key in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
            self._bare_git("config", key, "true")
        self._bare_git("config", "receive.denyDeleteCurrent", "ignore")
        self.git("remote", "add", "origin", str(self.bare))
        self.commit(version=1)

    @property
    def url(self) -> str:
        """The address that hosts fetch from."""
        return self.server.url(self.name)

    def commit(
        self,
        version: int,
        *,
        broken: Broken | None = None,
        seconds: float = 5,
        requirements: tuple[str, ...] | None = None,
        files: Mapping[str, str | None] | None = None,
        message: str = "",
        at: float | None = None,
        push: bool = True,
        options: tuple[str, ...] = (),
    ) -> str:
        """Commit a version of the application and push it; return the commit.

        The tree is created again each time, so that a breakage does not affect later commits.
        `seconds` belongs to `Broken.CRASH_LATER`. `files` are written last; None deletes one.
        `at` is the date; by default each commit is a minute younger than the previous one.
        `options` are given to `git commit`, e.g. `--gpg-sign`.
        """
        self._lay_out(version, broken, seconds, requirements, files or {})
        self.git("add", "--all", "--force")
        text = message or (f"Version {version}" + (f": {broken.value}" if broken else ""))
        moment = at if at is not None else _FIRST_COMMIT_AT + _BETWEEN_COMMITS * self._count
        self._count += 1
        date = f"{int(moment)} +0000"
        self.git(
            "commit", "--quiet", "--allow-empty", f"--message={text}", *options,
            date=date,
        )  # fmt: skip
        if push:
            self.push()
        return self.head()

    def push(self, *options: str) -> None:
        """Push the branch, so that hosts can see what was committed."""
        self.git("push", "--quiet", *options, "origin", f"HEAD:refs/heads/{self.branch}")

    def head(self) -> str:
        """Return the last commit."""
        return self.git("rev-parse", "HEAD")

    def published(self) -> str:
        """Return the commit that hosts see on the branch."""
        return self._bare_git("rev-parse", f"refs/heads/{self.branch}")

    def rewind(self, commit: str) -> None:
        """Publish an older commit by force, as a rewrite of history does."""
        self.git("reset", "--quiet", "--hard", commit)
        self.push("--force")

    def tag(self, name: str, commit: str = "HEAD", *options: str) -> None:
        """Tag a commit and publish the tag; `options` are given to `git tag`."""
        date = f"{_FIRST_COMMIT_AT + _BETWEEN_COMMITS * self._count} +0000"
        self.git("tag", "--force", *options, name, commit, date=date)
        self.git("push", "--quiet", "--force", "origin", f"refs/tags/{name}")

    def git(self, *arguments: str, date: str = "") -> str:
        """Run Git in the working tree; return what it printed."""
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date} if date else {}
        environment = {**self.environment, **dates}
        return run("git", *arguments, cwd=self.work, environment=environment).stdout.strip()

    def _bare_git(self, *arguments: str) -> str:
        done = run("git", *arguments, cwd=self.bare, environment=self.environment)
        return done.stdout.strip()

    def _lay_out(
        self,
        version: int,
        broken: Broken | None,
        seconds: float,
        requirements: tuple[str, ...] | None,
        files: Mapping[str, str | None],
    ) -> None:
        for old in self.work.iterdir():
            if old.name != ".git":
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*_cache")
        shutil.copytree(REPOSITORY, self.work, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        for link, target in _LINKS.items():
            (self.work / link).parent.mkdir(exist_ok=True)
            (self.work / link).symlink_to(target)
        healthy = broken is not Broken.UNHEALTHY
        self._write("VERSION", f"{version}\n")
        self._write("ipfs_accelerate_py/version.py", f"VERSION = {version}\nHEALTHY = {healthy}\n")
        self._write("ipfs_accelerate_py/late.py", f"LATE_VERSION = {version}\n")
        if requirements is not None:
            self._write("requirements.txt", "".join(f"{line}\n" for line in requirements))
        for path, text in (breakage(broken, seconds) if broken else {}).items():
            self._write(path, text + (self.work / path).read_text())
        for path, new in files.items():
            if new is None:
                (self.work / path).unlink()
            else:
                self._write(path, new)

    def _write(self, path: str, text: str) -> None:
        target = self.work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o644)
