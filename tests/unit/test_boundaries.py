"""What may be done in one place alone: start processes, touch upstream's files, know our paths."""

import ast
from collections.abc import Iterator

import pytest

from tools.lib.rooms import MODULES, imports, room

# Only what a library offers for a process of one's own, or for the host's files.
EFFECTS = {"os", "sys", "subprocess", "shutil", "socket", "sqlite3", "pathlib", "resource"}
STARTS = (
    "subprocess.",
    "os.exec",
    "os.spawn",
    "os.posix_spawn",
    "os.system",
    "os.popen",
    "os.fork",
    "pty.",
)
# The worker's own code, which runs as the builds' user.
UNPRIVILEGED = (
    "worker.repository",
    "worker.environment",
    "worker.packages",
    "worker.signatures",
    "worker.server",
    "worker.commands",
    "worker.writable",
)
# Of that, what is data or done by the run itself, as root, while nothing of upstream's runs.
NO_CODE_OF_UPSTREAM = {
    "worker.packages.installer", "worker.packages.pip_settings", "worker.environment.linked_copy",
}  # fmt: skip
FAST_PATH = {
    "service_start.fast_path", "service_start.fast_path_facts", "upstream.ls_refs", "model.paths",
}  # fmt: skip


def packages(tree: ast.AST) -> Iterator[str]:
    """Yield the names of all modules that a module imports, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def when_loaded(tree: ast.Module) -> ast.Module:
    """Return a module without what only types need and without the insides of functions."""
    body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        and not isinstance(node, ast.FunctionDef)
    ]
    return ast.Module(body, [])


def called(tree: ast.AST) -> Iterator[str]:
    """Yield the names of all functions that a module calls, as they are written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_processes_are_started_in_one_place() -> None:
    users = {name for name, tree in MODULES.items() if "subprocess" in packages(tree)}
    assert users == {"host.process", "worker.commands", "worker.link"}
    # The fast path cannot afford the module subprocess: it forks by itself. A program in a
    # terminal of its own is started by the module pty.
    for name in set(MODULES) - {"host.process", "upstream.ls_refs", "cli.own_terminal"}:
        starts = {call for call in called(MODULES[name]) if call.startswith(STARTS)}
        if name in users:
            starts -= {"subprocess.Popen"}
        assert not starts, f"{name} starts processes"


def test_the_run_reads_nothing_that_upstream_wrote() -> None:
    """Root and the code for upstream's files meet only in the worker's process."""
    for name, tree in MODULES.items():
        if name.startswith((*UNPRIVILEGED, "worker.__main__")):
            continue
        used = {other for other in imports(tree) if other.startswith(UNPRIVILEGED)}
        used -= {*NO_CODE_OF_UPSTREAM, "worker.environment", "worker.packages"}
        assert not used, f"{name} would read upstream's files in its own process: {sorted(used)}"
        assert "git" not in packages(tree), f"{name} would use GitPython as root"


def test_the_fast_path_loads_next_to_nothing() -> None:
    """What a start of a service waits for when nothing has changed; see docs/performance.md."""
    reached, pending = set(), {"service_start.fast_path"}
    while pending:
        name = pending.pop()
        reached.add(name)
        found = {other for other in imports(when_loaded(MODULES[name])) if "." in other}
        pending |= found - reached
    assert reached == FAST_PATH
    allowed = {"fcntl", "os", "select", "sys", "time"}
    # Last of all, it logs.
    for name in [*reached, "host.log_sinks", "cli.entry"]:
        loaded = packages(when_loaded(MODULES[name]))
        others = {module for module in loaded if not module.startswith("autoupdate")}
        # journald's module is as small as it gets.
        assert others - {"systemd._journal"} <= allowed, name


def test_our_paths_stand_in_one_module() -> None:
    ours = ("/var/lib/autoupdate", "/var/cache/autoupdate", "/run/autoupdate")
    for name in set(MODULES) - {"model.paths"}:
        tree = MODULES[name]
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        docs = {
            ast.get_docstring(node, clean=False)
            for node in ast.walk(tree)
            if isinstance(node, documented)
        }
        texts = {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        stray = {text for text in texts - docs if text.startswith(ours)}
        assert not stray, f"{name} knows {stray}"


@pytest.mark.parametrize("pure", ["model", "cli.render"])
def test_rooms_without_effects(pure: str) -> None:
    for name, tree in MODULES.items():
        if name.startswith(f"{pure}."):
            assert not set(packages(tree)) & EFFECTS, name


def test_rooms_are_named_as_the_boundaries_name_them() -> None:
    """A boundary that names what is not there would hold nothing."""
    assert {"model", "cli"} <= {room(name) for name in MODULES}
    assert set(MODULES) >= (NO_CODE_OF_UPSTREAM | FAST_PATH)
    for prefix in UNPRIVILEGED:
        assert any(name.startswith(prefix) for name in MODULES), prefix
