"""The control of a failed build: real pip and uv fetch again what a deployed release is made of."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoupdate.config.sections import Build
from autoupdate.config.settings import SETTINGS
from autoupdate.model.control import Control
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from autoupdate.worker import commands
from autoupdate.worker import control as worker_control
from autoupdate.worker.environment.control import control, sample
from autoupdate.worker.environment.environment import EnvironmentBuilder
from tests.integration.indexes import Good
from tests.integration.site import Site
from tools.lib.hosts.commands import run
from tools.lib.hosts.misbehaving import Misbehaving, Trouble

PYTHON = "/usr/bin/python3"
DEFAULTS: dict[str, Any] = {
    setting.key.removeprefix("build."): setting.default
    for setting in SETTINGS
    if setting.key.startswith("build.")
}
TROUBLES = (
    Trouble.REFUSED, Trouble.NO_NAME, Trouble.HANG, Trouble.UNAUTHORIZED, Trouble.UNAVAILABLE,
    Trouble.PORTAL, Trouble.TRUNCATED,
)  # fmt: skip


class Deployed:
    """A release with packages, and the directory of the environments."""

    def __init__(self, directory: Path, good: Good) -> None:
        self.directory = directory
        self.good = good
        self.release = directory / "release"
        (directory / "environments").mkdir(parents=True)
        self.release.mkdir()
        venv = self.release / ".venv"
        run(PYTHON, "-I", "-m", "venv", venv)
        run(venv / "bin/python", "-P", "-m", "pip", "install", "--quiet", "--index-url",
            f"{good.url}/simple", "thing==1.0", f"{good.directory}/local")  # fmt: skip
        self.failed = directory / "failed"
        self.failed.mkdir()
        (self.failed / ".venv").symlink_to(venv)

    def control(
        self, index: str, said: str, installer: str = "pip", new: str = "", deployed: bool = True
    ) -> Control:
        """Make the control with the index of the deployed release and that of the `new` one."""
        for place, url in ((self.release, index), (self.failed, new or index)):
            (place / "requirements.txt").write_text(f"--index-url {url}\nthing\n")
        settings = Build(**{**DEFAULTS, "installer": installer})
        with commands.scratch_directory() as scratch, commands.Build(lambda: (scratch,)) as build:
            environments = str(self.directory / "environments")
            builder = EnvironmentBuilder(environments, settings, build.command)
            release = str(self.release) if deployed else ""
            return control(release, str(self.failed), said, builder, build.command, scratch)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Good]:
    """Return an index that works, and a package that is in no index."""
    made = Good(tmp_path_factory.mktemp("index"))
    made.file(
        "local/pyproject.toml",
        '[build-system]\nrequires = []\nbuild-backend = "make"\nbackend-path = ["."]\n',
    )
    made.file("local/make.py", BACK_END)
    with made:
        yield made


BACK_END = """
import zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "local-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as file:
        about = "Metadata-Version: 2.1\\nName: local\\nVersion: 1.0\\n"
        file.writestr("local-1.0.dist-info/METADATA", about)
        wheel = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        file.writestr("local-1.0.dist-info/WHEEL", wheel)
        file.writestr("local-1.0.dist-info/RECORD", "")
    return name
"""


pytestmark = pytest.mark.usefixtures("as_in_a_worker")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, good: Good) -> Deployed:
    """Return a deployed release."""
    return Deployed(tmp_path_factory.mktemp("app"), good)


@pytest.mark.parametrize("installer", ["pip", "auto"])
def test_host_that_can_still_do_it(release: Deployed, good: Good, installer: str) -> None:
    done = release.control(f"{good.url}/simple", "no such requirement", installer)
    assert done == (("thing==1.0",), "", ""), "what is from a directory is not tried"


@pytest.mark.parametrize("trouble", TROUBLES)
def test_host_that_cannot_any_more(release: Deployed, tmp_path: Path, trouble: Trouble) -> None:
    with Misbehaving(trouble, tmp_path, {}) as server:
        done = release.control(f"{server.url}/simple", "setup.py failed")
    assert done.server == server.host
    assert done.fault.startswith(f"thing==1.0 cannot be fetched: {server.host}")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_index_that_only_the_new_commit_names(
    release: Deployed, good: Good, tmp_path: Path, trouble: Trouble
) -> None:
    """pip hides the words of a build's own dependencies; it is asked for something else."""
    works = f"{good.url}/simple"
    with Misbehaving(trouble, tmp_path, {}) as server:
        new = f"{server.url}/simple"
        said = "installing build dependencies did not run successfully"
        done = release.control(works, said, new=new)
        first = release.control(works, said, new=new, deployed=False)
    for made in (done, first):
        assert made.server == server.host
        assert made.fault.startswith(f"an index cannot be asked: {server.host}")
    done = release.control(works, said, new=f"{good.url}/nothing")
    assert not done.fault, "a project that the index does not have says nothing about its server"
    assert done.tried == (f"{good.url}/nothing", "thing==1.0")
    login = good.url.replace("://", "://user:secret-4711@")
    done = release.control(works, said, new=f"{login}/simple")
    assert "secret-4711" not in str(done)


def test_index_that_has_lost_everything(release: Deployed, good: Good) -> None:
    """It answers 404, as a mirror does that was set up anew: the commit cannot help it."""
    done = release.control(f"{good.url}/nothing", "No matching distribution found for new")
    assert "thing==1.0 cannot be fetched" in done.fault


def test_servers_that_the_error_names(release: Deployed, good: Good, tmp_path: Path) -> None:
    with Misbehaving(Trouble.UNAVAILABLE, tmp_path, {}) as server:
        help_page = f"see {server.url}/docs/errors"
        assert not release.control(f"{good.url}/simple", help_page).fault
        said = f"404: {good.url}/none.whl; fatal: git+{server.url}/x.git not found; {help_page}"
        done = release.control(f"{good.url}/simple", said)
    assert done.tried == (f"{good.url}/none.whl", f"git+{server.url}/x.git")
    assert done.server == server.host


def test_sample_has_what_the_error_names_then_what_is_small(tmp_path: Path) -> None:
    for name, size in {"Big_One": 900, "small": 10, "tiny": 1, "middle": 50}.items():
        info = tmp_path / f"lib/python3/site-packages/{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "RECORD").write_text(f"{name}.py,sha256=x,{size}\n{name}-1.0.dist-info/RECORD,,\n")
    found = sample(str(tmp_path), "no matching distribution found for big-one>=2")
    assert [package.name for package in found] == ["big-one", "tiny", "small"]


def test_whole_run(
    deployed: Site, good: Good, uv_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build fails by itself, but the index is out as well; then only the build fails."""
    deployed.foretells = False
    needs = {"deps.txt": f"--extra-index-url {good.url}/simple\nthing==1.0\n"}
    deployed.use_uv(uv_directory, build__requirements=["deps.txt"])
    deployed.upstream.commit(version=2, files=needs)
    outcome = deployed.run()
    assert outcome.result is Result.UPDATED, outcome.reason
    # It asks for nothing of that index, so no words tell that this is out.
    broken = {"setup.py": "raise SystemExit('a file of mine is missing')\n", "deps.txt": "\n"}
    bad = deployed.upstream.commit(version=3, files=broken)
    good.stop()
    outcome = deployed.run()
    good.start()
    assert (outcome.result, outcome.exit_code) == (Result.UNREACHABLE, Exit.UNREACHABLE)
    host = good.url.removeprefix("http://")
    for words in ("the control failed", f"thing==1.0 cannot be fetched: {host}"):
        assert words in outcome.reason
    outcome = deployed.run(force=True)
    assert (outcome.result, outcome.commit) == (Result.FAILED, bad)
    (told,) = [text for text in deployed.log.messages("step") if "control" in text]
    assert "thing==1.0" in told
    assert "so the commit is blamed" in told
    # A build that is late, because its index drips.
    monkeypatch.setattr(worker_control, "MOST_TIME", 3.0)
    deployed.configure(build__installer="uv", build__requirements=["deps.txt"], build__timeout="5s")
    more = {"deps.txt": needs["deps.txt"] + "pre\n"}
    deployed.upstream.commit(version=4, files=more)
    good.drip()
    outcome = deployed.run()
    assert outcome.result is Result.UNREACHABLE
    assert "the build did not end within 5 s; the commit is not blamed" in outcome.reason
    assert "the control did not end within 3 s" in outcome.reason
