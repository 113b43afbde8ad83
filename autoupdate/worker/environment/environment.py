"""build: the virtual environment of a release.

The dependencies are installed once for each key into `environments/KEY`; a release's own `.venv`
is a copy of that by hard links (linked_copy.py), in which the app itself is then installed. So a
commit that changes no dependency downloads and unpacks nothing, and still each release has a
directory of its own. Runs in the worker, as the builds' user.
"""

import glob
import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

from autoupdate.config.settings import SETTINGS, Build
from autoupdate.host.links import sync_directory
from autoupdate.model.errors import DependenciesFailedError, HostFaultError, UpdateFailedError
from autoupdate.worker.environment import editable, trace, uv
from autoupdate.worker.environment.installer import Installer, fault, summary
from autoupdate.worker.environment.linked_copy import BUILD_TOOLS, COMPLETE, INSTALL
from autoupdate.worker.environment.uv import Command

MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg")
# With more modules than this, several processes compile faster than one.
MANY_FILES = 200
# The file that lists the packages of an environment.
VERSIONS = "installed-versions.txt"
# The directory of the tracer (trace.py) during a build.
TRACER = "tracer"
DEFAULT_REQUIREMENTS = next(
    tuple(setting.default) for setting in SETTINGS if setting.key == "build.requirements"
)

INDEX_OPTIONS = {
    "-i": "--index-url", "--index-url": "--index-url", "--extra-index-url": "--extra-index-url",
    "-f": "--find-links", "--find-links": "--find-links", "--trusted-host": "--trusted-host",
}  # fmt: skip


class Environment(NamedTuple):
    """The environment of a release: key, interpreter, and whether it exists already."""

    key: str
    interpreter: str
    reused: bool


class EnvironmentBuilder:
    """Builds the `.venv` of releases from one app's settings."""

    def __init__(self, environments: str, build: Build, command: Command) -> None:
        self.environments = environments
        self.build = build
        self.command = command
        self._installer: Installer | None = None

    @property
    def installer(self) -> Installer:
        """The package installer, chosen by `build.installer` when it is first needed."""
        if self._installer is None:
            self._installer = self._choose()
        return self._installer

    def _choose(self) -> Installer:
        wanted = self.build.installer
        if wanted == "pip":
            return Installer("pip", "")
        python = self.build.python
        program = uv.find(self.environments) or uv.fetch(
            self.environments, python, self.command, needed=wanted == "uv"
        )
        return Installer("uv", program) if program else Installer("pip", "")

    def plan(self, release: str) -> Environment:
        """Return which environment a release needs, and whether it exists already."""
        interpreter = self._interpreter()
        key = self._key(release, self._manifests(release), interpreter)
        return Environment(key, interpreter, is_complete(f"{self.environments}/{key}"))

    def prepare(self, release: str) -> str:
        """Install the dependencies of a release, unless an environment has them; return its key.

        Raises DependenciesFailedError, UpdateFailedError, HostFaultError, UnreachableError.
        """
        planned = self.plan(release)
        if not planned.reused:
            self._install_dependencies(
                release, f"{self.environments}/{planned.key}", planned.interpreter
            )
        # The repository may have something of that name.
        remove(f"{release}/.venv")
        return planned.key

    def finish(self, release: str, key: str) -> None:
        """Install the app in the `.venv` of a release, a copy of the environment of that key.

        Raises UpdateFailedError, HostFaultError, UnreachableError.
        """
        template = f"{self.environments}/{key}"
        adapt(f"{release}/.venv", template)
        self._install_app(release, template)
        self._compile(f"{release}/.venv/bin/python", release)
        os.chmod(f"{release}/.venv", 0o755)  # noqa: S103 - services run from it

    def _manifests(self, release: str) -> list[str]:
        """Return the files of a release that define its dependencies."""
        requirements = []
        for path in self.build.requirements:
            if os.path.isfile(f"{release}/{path}"):
                requirements.append(path)
            elif self.build.requirements != DEFAULT_REQUIREMENTS:
                raise UpdateFailedError(
                    f"the commit has no {path}", "correct build.requirements, or the repository"
                )
        pending = list(requirements)
        while pending:
            path = pending.pop()
            for included in included_files(f"{release}/{path}"):
                other = os.path.normpath(f"{os.path.dirname(path)}/{included}").lstrip("/")
                inside = not other.startswith("..") and os.path.isfile(f"{release}/{other}")
                if inside and other not in requirements:
                    requirements.append(other)
                    pending.append(other)
        return requirements + [path for path in MANIFESTS if os.path.isfile(f"{release}/{path}")]

    def _interpreter(self) -> str:
        """Return the interpreter's real path and version."""
        python = self.build.python
        if not os.access(python, os.X_OK):
            # Not the commit's fault.
            raise HostFaultError(
                f"build.python: {python} is not an executable file", "apt install python3"
            )
        status, output = self.command([python, "-I", "-VV"], "/", {})
        if status:
            raise UpdateFailedError(f"{python} does not run: {summary(output)}")
        return f"{os.path.realpath(python)} {output.strip()}"

    def _key(self, release: str, manifests: Sequence[str], interpreter: str) -> str:
        digest = hashlib.sha256()
        facts = [
            interpreter, self.build.installer, str(self.build.editable), repr(self.build.extras),
            repr(self.build.extra_requirements), repr(self.build.requirements),
        ]  # fmt: skip
        for path in manifests:
            with open(f"{release}/{path}", "rb") as stream:
                facts += [path, hashlib.sha256(stream.read()).hexdigest()]
        for fact in facts:
            digest.update(fact.encode() + b"\0")
        return digest.hexdigest()[:24]

    def _install_dependencies(self, release: str, template: str, interpreter: str) -> None:
        shutil.rmtree(template, ignore_errors=True)
        # Made before anything runs: a build may write to its own environment, and to no other.
        os.makedirs(template)
        self._do(
            self.installer.create(self.build.python, template), release, DependenciesFailedError
        )
        if update := self.installer.update_itself(template):
            self._do(update, release, DependenciesFailedError)
        arguments = []
        index: list[str] = []
        for file in self._requirements_in(release):
            arguments += ["--requirement", file]
            index += index_options(file)
        if any(map(has_hashes, self._requirements_in(release))):
            # In hash-checking mode everything needs a hash, and a directory cannot have one
            # (pip-install(1)).
            self._do(self.installer.install(template, arguments), release, DependenciesFailedError)
            arguments = []
        arguments += self.build.extra_requirements
        if is_installable(release):
            extras = f"[{','.join(self.build.extras)}]" if self.build.extras else ""
            arguments += ["--editable", f"{release}{extras}"]
            target = ["--target", f"{template}/{BUILD_TOOLS}", *index]
            tools = [*target, *build_requirements(release), "wheel"]
            # Few of their files are ever loaded, so they are not compiled.
            command = self.installer.install(template, tools, compiled=False)
            self._do(command, release, DependenciesFailedError)
        found = self._install_traced(release, template, arguments) if arguments else None
        if last := self.installer.complete(template, interpreter):
            self._do(last, release, DependenciesFailedError)
        if not self.installer.program:
            self._compile(f"{template}/bin/python", f"{template}/lib")
        forget_locks(template, f"{template}/{BUILD_TOOLS}")
        # A package may have installed files with these names; they must be ours.
        for name in (VERSIONS, INSTALL, COMPLETE):
            remove(f"{template}/{name}")
        write_versions(template)
        if self.build.editable and is_installable(release):
            editable.keep(f"{template}/{INSTALL}", template, release, found)
        with open(f"{template}/{COMPLETE}", "x", encoding="utf-8") as mark:
            os.fsync(mark.fileno())
        sync_directory(template)

    def _install_traced(
        self, release: str, template: str, arguments: Sequence[str]
    ) -> "editable.Trace | None":
        """Install the remaining requirements and the app; return what its build back end read."""
        log = f"{template}/trace"
        additions = {"PYTHONPATH": self._tracer(template), trace.VARIABLE: log}
        command = self.installer.install(template, arguments)
        self._do(command, release, DependenciesFailedError, additions)
        return self._traced(template, log, release)

    def _traced(self, venv: str, log: str, release: str) -> "editable.Trace | None":
        """Return the trace, and remove it and the tracer."""
        found = editable.read_trace(log, release)
        # The build may have removed them.
        for place in (f"{venv}/{TRACER}", log):
            remove(place)
        return found

    def _requirements_in(self, release: str) -> list[str]:
        files = [f"{release}/{path}" for path in self.build.requirements]
        return [file for file in files if os.path.isfile(file)]

    def _install_app(self, release: str, template: str) -> None:
        if not is_installable(release):
            return
        memory = f"{template}/{INSTALL}"
        if self.build.editable and editable.take_over(memory, release):
            return
        target = ["--editable", release] if self.build.editable else [release]
        if self.installer.name == "uv" and not self.build.editable:
            target = ["--reinstall", *target]
        venv = f"{release}/.venv"
        command = self.installer.install(venv, ["--no-deps", *target], compiled=False)
        # The build tools were installed with the dependencies: nothing is downloaded here.
        offline = [*command, "--no-build-isolation"]
        log = f"{venv}/trace"
        paths = os.pathsep.join((self._tracer(venv), f"{template}/{BUILD_TOOLS}"))
        additions = {"PYTHONPATH": paths, trace.VARIABLE: log}
        status, _ = self.command(offline, release, {**self._additions(), **additions})
        if status:
            # A build back end may need more than pyproject.toml lists (PEP 517).
            self._do(command, release, UpdateFailedError)
        found = self._traced(venv, log, release)
        forget_locks(venv)
        if self.build.editable:
            editable.keep(memory, venv, release, None if status else found)

    def _tracer(self, venv: str) -> str:
        directory = f"{venv}/{TRACER}"
        os.makedirs(directory, exist_ok=True)
        with open(f"{directory}/{trace.FILE}", "w", encoding="utf-8") as file:
            file.write(trace.SOURCE)
        return directory

    def _compile(self, python: str, directory: str) -> None:
        """Compile the modules in a directory. Errors are ignored: upstream may not use the file."""
        # The release's environment was compiled before it was copied.
        names = sorted(set(os.listdir(directory)) - {".venv", ".git"})
        places = [place for name in names if is_code(place := f"{directory}/{name}")]
        if places:
            # For a few files, several processes take longer than one.
            together = ["-j0"] if has_many_files(places) else []
            # -S: installed packages are not needed, and finding them takes longer than compiling.
            words = [python, "-I", "-S", "-m", "compileall", "-q", *together, *places]
            self.command(words, "/", {})

    def _do(
        self,
        command: Sequence[str],
        release: str,
        error: type[UpdateFailedError],
        additions: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        status, output = self.command(command, release, {**self._additions(), **additions})
        if status:
            files = self._requirements_in(release)
            indexes = uv.indexes(map(index_options, files), self._additions())
            raise fault(status, output, error, indexes)

    def _additions(self) -> dict[str, str]:
        return uv.settings() if self.installer.program else {}


def is_complete(environment: str) -> bool:
    """Return whether all dependencies were installed in an environment."""
    return os.path.exists(f"{environment}/{COMPLETE}")


def is_code(place: str) -> bool:
    """Return whether there may be something to compile."""
    return (os.path.isdir(place) and not os.path.islink(place)) or place.endswith(".py")


def has_many_files(places: Sequence[str]) -> bool:
    """Return whether several processes compile these files faster than one."""
    files = 0
    for place in places:
        for _, _, names in os.walk(place):
            files += sum(name.endswith(".py") for name in names)
            if files > MANY_FILES:
                return True
    return False


def is_installable(release: str) -> bool:
    """Return whether the app can be installed as a package."""
    return any(os.path.isfile(f"{release}/{name}") for name in ("pyproject.toml", "setup.py"))


def forget_locks(*places: str) -> None:
    """Remove the lock files of uv, to which every user could write."""
    for place in places:
        with suppress(FileNotFoundError):
            os.unlink(f"{place}/.lock")


def has_hashes(file: str) -> bool:
    """Return whether a requirements file has hashes of packages (pip-install(1), --hash)."""
    with open(file, encoding="utf-8", errors="replace") as stream:
        return re.search(r"(^|\s)--(hash=|require-hashes)", stream.read()) is not None


def build_requirements(release: str) -> list[str]:
    """Return what the app's build back end needs (PEP 518)."""
    import tomllib

    try:
        with open(f"{release}/pyproject.toml", "rb") as stream:
            requires = tomllib.load(stream)["build-system"]["requires"]
    except (OSError, KeyError, TypeError, ValueError):
        return ["setuptools"]
    if not isinstance(requires, list):
        # The installer reports the error. A string must not be read as a list of letters.
        return ["setuptools"]
    return [str(requirement) for requirement in requires] or ["setuptools"]


def included_files(path: str) -> list[str]:
    """Return the files that a requirements file includes by -r or -c."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        text = stream.read()
    return re.findall(r"^\s*(?:-[rc]|--requirement|--constraint)[\s=]*(\S+)", text, re.MULTILINE)


def index_options(path: str) -> list[str]:
    """Return the options of a requirements file that say where to look for packages."""
    options = []
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            name, _, value = line.strip().replace("=", " ", 1).partition(" ")
            if name == "--no-index":
                options.append(name)
            elif name in INDEX_OPTIONS and value.strip():
                options += [INDEX_OPTIONS[name], value.strip()]
    return options


def write_versions(environment: str) -> None:
    """List the packages of an environment, in a requirements file with exact versions."""
    pattern = f"{glob.escape(environment)}/lib/*/site-packages/*.dist-info"
    names = [os.path.basename(path).removesuffix(".dist-info") for path in glob.glob(pattern)]
    lines = sorted("{}=={}\n".format(*name.rsplit("-", 1)) for name in names if "-" in name)
    with open(f"{environment}/{VERSIONS}", "x", encoding="utf-8") as file:
        file.writelines(lines)


def adapt(copy: str, template: str) -> None:
    """Replace the path of the copied environment in the scripts and pyvenv.cfg of the copy."""
    for file in [f"{copy}/pyvenv.cfg", *glob.glob(f"{glob.escape(copy)}/bin/*")]:
        if os.path.islink(file) or not os.path.isfile(file):
            continue
        with open(file, "rb") as stream:
            content = stream.read()
        if template.encode() in content:
            mode = os.stat(file).st_mode
            # Unlinked first: writing in place would reach the template and its other copies.
            os.unlink(file)
            with open(file, "wb") as written:
                written.write(content.replace(template.encode(), copy.encode()))
                os.fchmod(written.fileno(), mode & 0o777)


def remove(place: str) -> None:
    """Remove a file, a link or a directory, if it exists."""
    if os.path.isdir(place) and not os.path.islink(place):
        shutil.rmtree(place)
    elif os.path.lexists(place):
        os.unlink(place)
