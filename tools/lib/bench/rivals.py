"""Other programs for the same work: plain Git, uv, GitPython, and the old procedure."""

from pathlib import Path

from tools.lib.bench.repository import BRANCH
from tools.lib.bench.site import PYTHON, call
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, run

OLD_PROCEDURE = Path(__file__).parent / "old_procedure.sh"
SPAWN = (
    "import subprocess, sys\n"
    'subprocess.run(["git", "ls-remote", "--", *sys.argv[1:]], check=True, capture_output=True)'
)
GITPYTHON = 'import git, sys\ngit.cmd.Git().ls_remote("--", *sys.argv[1:])'


def ls_remote(url: str) -> None:
    """Ask for one ref."""
    call("git", "ls-remote", "--", url, BRANCH)


def python_that_spawns(url: str) -> None:
    """Ask from Python, with nothing else."""
    call(PYTHON, "-I", "-c", SPAWN, url, BRANCH)


def gitpython(url: str) -> None:
    """Ask through GitPython."""
    call(PYTHON, "-I", "-c", GITPYTHON, url, BRANCH)


class PlainGit:
    """The minimum that a new release needs: four commands and a link."""

    def __init__(self, directory: Path, url: str) -> None:
        """Create the mirror with the current content."""
        self.directory, self.url = directory, url
        self.mirror = directory / "mirror.git"
        self.releases = 0
        directory.mkdir()
        run("git", "init", "--quiet", "--bare", self.mirror)
        self.update()

    @property
    def release(self) -> Path:
        """The newest release."""
        return self.directory / f"release-{self.releases}"

    def update(self) -> None:
        """Fetch, check out, switch."""
        self.releases += 1
        git = ("git", "-C", self.mirror)
        ls_remote(self.url)
        call(*git, "fetch", "--quiet", "--no-tags", "--", self.url, f"+{BRANCH}:{BRANCH}")
        call(*git, "worktree", "add", "--quiet", "--detach", self.release, BRANCH)
        link = self.directory / "current.new"
        link.symlink_to(self.release)
        link.rename(self.directory / "current")


class PlainUv:
    """uv alone, in the work tree of plain Git."""

    def __init__(self, program: Path, git: PlainGit, cache: Path) -> None:
        """Set the program and its cache."""
        self.program, self.git = program, git
        self.environment = CLEAN_ENVIRONMENT | {
            "UV_CACHE_DIR": str(cache), "UV_PYTHON_DOWNLOADS": "never",
        }  # fmt: skip

    def update(self) -> None:
        """Create a release with its own environment."""
        self.git.update()
        release = self.git.release
        venv = release / ".venv"
        self._uv("venv", "--python", PYTHON, venv)
        self._uv(
            "pip", "install", "--compile-bytecode", "--python", venv / "bin/python",
            "--requirement", release / "index.txt",
            "--requirement", release / "requirements.txt", "--editable", release,
        )  # fmt: skip

    def _uv(self, *words: str | Path) -> None:
        call(self.program, "--quiet", *words, environment=self.environment)


class OldProcedure:
    """The procedure that this package replaces: everything in place, every time."""

    def __init__(self, checkout: Path, url: str, index: str) -> None:
        """Clone, and run it for the first time."""
        self.checkout = checkout
        # With an index on a network it would be slower.
        self.environment = CLEAN_ENVIRONMENT | {
            "PIP_INDEX_URL": index, "PIP_CONFIG_FILE": "/dev/null", "HOME": str(checkout.parent),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }  # fmt: skip
        run("git", "clone", "--quiet", url, checkout)
        self.update()

    def update(self) -> None:
        """Run it again."""
        call(OLD_PROCEDURE, self.checkout, environment=self.environment)
