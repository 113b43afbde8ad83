"""build: the virtual environment of a release.

The dependencies are installed once for each key into `environments/KEY`; a release's own `.venv`
is a copy of that by hard links (linked_copy.py), in which the app itself is then installed. So a
commit that changes no dependency downloads and unpacks nothing, and still each release has a
directory of its own. Runs in the worker, as the builds' user.
"""

import glob
import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

from autoupdate.config.settings import Build
from autoupdate.host.links import sync_directory
from autoupdate.model.errors import DependenciesFailedError, HostFaultError, UpdateFailedError
from autoupdate.worker.environment import editable, package, poetry, trace, uv
from autoupdate.worker.environment.installer import Installer, fault, summary
from autoupdate.worker.environment.linked_copy import BUILD_TOOLS, COMPLETE, INSTALL
from autoupdate.worker.environment.requirements import has_hashes, index_options, with_included
from autoupdate.worker.environment.uv import Command

# With more modules than this, several processes compile faster than one.
MANY_FILES = 200
# The file that lists the packages of an environment.
VERSIONS = "installed-versions.txt"
# The directory of the tracer (trace.py) during a build.
TRACER = "tracer"


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
        requirements = with_included(release, self.build.requirements)
        return requirements + [
            path for path in package.manifests(self.build) if os.path.isfile(f"{release}/{path}")
        ]

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
            interpreter, self.build.installer, package.find(release, self.build).way,
            self.build.directory, repr(self.build.extras), repr(self.build.extra_requirements),
            repr(self.build.requirements),
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
        app = package.find(release, self.build)
        if app.is_installed:
            extras = f"[{','.join(self.build.extras)}]" if self.build.extras else ""
            arguments += ["--editable", f"{app.directory}{extras}"]
            tools = [*package.build_requirements(app.directory), "wheel"]
            self._install_tools(release, template, [*index, *tools])
        else:
            arguments += package.declared(app.directory, self.build.extras)
            if package.has_poetry_dependencies(app.directory):
                self._install_tools(release, template, [*index, poetry.TOOL])
                arguments += self._asked_of_poetry(release, app.directory, template)
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
        if app.is_editable:
            editable.keep(f"{template}/{INSTALL}", template, release, found)
        with open(f"{template}/{COMPLETE}", "x", encoding="utf-8") as mark:
            os.fsync(mark.fileno())
        sync_directory(template)

    def _install_tools(self, release: str, template: str, tools: Sequence[str]) -> None:
        """Install what builds the app. Few of these files are loaded, so they are not compiled."""
        words = ["--target", f"{template}/{BUILD_TOOLS}", *tools]
        command = self.installer.install(template, words, compiled=False)
        self._do(command, release, DependenciesFailedError)

    def _asked_of_poetry(self, release: str, directory: str, template: str) -> list[str]:
        words = poetry.translate(f"{template}/bin/python", directory, self.build.extras)
        additions = {"PYTHONPATH": f"{template}/{BUILD_TOOLS}"}
        output = self._do(words, release, DependenciesFailedError, additions)
        return poetry.requirements(output)

    def _install_traced(
        self, release: str, template: str, arguments: Sequence[str]
    ) -> editable.Trace | None:
        """Install the remaining requirements and the app; return what its build back end read."""
        log = f"{template}/trace"
        additions = {"PYTHONPATH": self._tracer(template), trace.VARIABLE: log}
        command = self.installer.install(template, arguments)
        self._do(command, release, DependenciesFailedError, additions)
        return self._traced(template, log, release)

    def _traced(self, venv: str, log: str, release: str) -> editable.Trace | None:
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
        app = package.find(release, self.build)
        if not app.is_installed:
            return
        memory = f"{template}/{INSTALL}"
        if app.is_editable and editable.take_over(memory, release):
            return
        target = ["--editable", app.directory] if app.is_editable else [app.directory]
        if self.installer.name == "uv" and not app.is_editable:
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
        if app.is_editable:
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
    ) -> str:
        status, output = self.command(command, release, {**self._additions(), **additions})
        if status:
            files = self._requirements_in(release)
            indexes = uv.indexes(map(index_options, files), self._additions())
            raise fault(status, output, error, indexes)
        return output

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


def forget_locks(*places: str) -> None:
    """Remove the lock files of uv, to which every user could write."""
    for place in places:
        with suppress(FileNotFoundError):
            os.unlink(f"{place}/.lock")


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
