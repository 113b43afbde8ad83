"""Which module may use which: no cycles, one place for processes, one for paths."""

import ast
from copy import deepcopy
from fnmatch import fnmatch
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "autoupdate"
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
}
# By their names below the package: "update", "verbs.run".
MODULES = {name: ast.parse(path.read_text()) for name, path in FILES.items()}
PACKAGES = ("autoupdate", "autoupdate.render", "autoupdate.verbs")

# From the top down: a module may use its own layer and those below. "*" is every other module.
LAYERS = {
    "commands: what a person or systemd starts": "cli confirm gate shortcut verbs.*",
    "runs: one from its lock to its end": "session adopt release_path plan renewal",
    "steps: what a run is made of": "update rollback recover change_over probation",
    "parts: gates, decisions, and what steps share": "*",
    "host: one thing of the host each": "agenda asking database duplicate git_environment"
    " hook_files in_use installer keys known limits linked_copy log manifest orphans packages"
    " probes public publish root_only run runtime services sinks snapshot store systemctl"
    " unit_files uv",
    "words: types, texts and rules without a host": "changes checkout confinement errors events"
    " findings moments parser paths render.* settings signed sizes smoke state track values"
    " verdict windows words",
}
# What reads upstream's files stands beside all that: it runs in a process of its own.
WORKER = frozenset({
    "commands", "comparison", "editable", "environment", "forecast", "inspection", "old_checkout",
    "openpgp", "plain_checkout", "rehearse", "signature", "source", "ssh_signature", "submodules",
    "trace", "worker",
})  # fmt: skip
# The talk between the two, which both know.
BETWEEN = frozenset({"workshop"})


def imports(tree: ast.AST) -> set[str]:
    """Return what a module imports, anywhere in it; `from autoupdate import x` as autoupdate.x."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            if node.module in PACKAGES:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def loads(name: str) -> set[str]:
    """Return the modules of the package that one loads when it is imported itself."""
    top = ast.Module([node for node in MODULES[name].body if not is_for_types(node)], [])
    # What functions import is looked at by other tests.
    top = deepcopy(top)
    for node in ast.walk(top):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = []
    used = {found.removeprefix("autoupdate.") for found in imports(top) if "autoupdate." in found}
    return used & set(MODULES)


def is_for_types(node: ast.stmt) -> bool:
    """Tell whether a statement is an `if TYPE_CHECKING`."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def users_of(module: str) -> set[str]:
    """Return which modules import another one."""
    return {
        name
        for name, tree in MODULES.items()
        if any(found == module or found.startswith(f"{module}.") for found in imports(tree))
    }


def called(tree: ast.AST) -> set[str]:
    """Return the names of all functions that a module calls, as they are written."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def uses(name: str) -> set[str]:
    """Return the modules of the package that one uses, wherever in it; types alone do not count."""
    body = [node for node in MODULES[name].body if not is_for_types(node)]
    found = {item.removeprefix("autoupdate.") for item in imports(ast.Module(body, []))}
    return found & set(MODULES) - {name}


def height(name: str) -> int:
    """Return how high a module stands; 0 is the lowest layer."""
    layers = [words.split() for words in LAYERS.values()]
    for place, names in enumerate(reversed(layers)):
        if any(fnmatch(name, pattern) for pattern in names if pattern != "*"):
            return place
    return [*reversed(layers)].index(["*"])


@pytest.mark.parametrize("name", sorted(set(MODULES) - WORKER - {"__init__"}))
def test_a_module_uses_its_own_layer_and_those_below(name: str) -> None:
    above = {used for used in uses(name) if height(used) > height(name)}
    layer = [*reversed(LAYERS)][height(name)]
    assert not above, f"{name} is in layer {layer!r} and uses {sorted(above)} from above"


def test_every_name_in_the_table_is_a_module() -> None:
    named = {name for words in LAYERS.values() for name in words.split() if "*" not in name}
    assert (named | WORKER | BETWEEN) <= set(MODULES)


def test_the_worker_is_beside_the_layers() -> None:
    """Nothing else uses its modules, and of the others it uses the two lowest layers only."""
    for name in sorted(set(MODULES) - WORKER):
        assert not uses(name) & WORKER, f"{name} would read upstream's files in its own process"
    for name in sorted(WORKER):
        others = uses(name) - WORKER - BETWEEN
        assert all(height(used) <= 1 for used in others), f"{name} uses {sorted(others)}"


def test_no_import_cycles() -> None:
    graph = {name: loads(name) for name in MODULES}
    while graph:
        free = {name for name, used in graph.items() if not used & set(graph)}
        assert free, f"a cycle among {sorted(graph)}"
        graph = {name: used for name, used in graph.items() if name not in free}


def test_processes_are_started_in_one_place() -> None:
    assert users_of("subprocess") <= {"run", "commands", "worker_link"}
    for name, tree in MODULES.items():
        # The shortcut cannot afford the module subprocess: it forks by itself.
        if name not in ("run", "asking"):
            starts = {
                call
                for call in called(tree)
                if call.startswith(("subprocess.", "os.exec", "os.spawn", "os.posix_spawn"))
                or call in ("os.system", "os.popen", "os.fork")
            }
            assert not starts, f"{name} starts processes"


def test_shortcut_loads_next_to_nothing() -> None:
    """What a start of a service waits for when nothing has changed; see docs/performance.md."""
    reached, pending = set(), {"shortcut"}
    while pending:
        name = pending.pop()
        reached.add(name)
        pending |= loads(name) - reached
    assert reached == {"shortcut", "asking", "known", "paths"}
    allowed = {"fcntl", "os", "select", "sys", "time", "autoupdate"}
    for name in [*reached, "sinks"]:
        tree = ast.Module([node for node in MODULES[name].body if not is_for_types(node)], [])
        found = {module for module in imports(tree) if not module.startswith("autoupdate.")}
        # The usual ways are behind functions, and journald's module is as small as it gets.
        assert found - {"systemd._journal"} <= allowed, name


def test_what_touches_upstream_is_used_by_the_worker_alone() -> None:
    assert users_of("autoupdate.worker.repository.mirror") <= {"worker", "old_checkout", "plain_checkout"}
    assert users_of("autoupdate.worker.environment.environment") == {"worker", "forecast", "plain_checkout"}
    assert users_of("autoupdate.worker.repository.forecast") == users_of("autoupdate.worker.repository.comparison") == {"worker"}
    assert users_of("autoupdate.worker.repository.old_checkout") == {"worker"}
    assert users_of("autoupdate.worker.repository.plain_checkout") == {"worker"}
    assert users_of("git") <= {"source", "submodules", "worker", "old_checkout", "plain_checkout"}


def test_paths_of_the_package_stand_in_one_module() -> None:
    for name, tree in MODULES.items():
        if name == "paths":
            continue
        texts = {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree)
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)}  # fmt: skip
        stray = {
            text
            for text in texts - docs
            if text.startswith(("/var/lib/autoupdate", "/var/cache/autoupdate", "/run/autoupdate"))
        }
        assert not stray, f"{name} knows {stray}"


RENDERING = [name for name in MODULES if name.startswith("render.")]


@pytest.mark.parametrize("pure", ["state", "settings", "events", "errors", "paths", *RENDERING])
def test_modules_without_effects(pure: str) -> None:
    effects = {"os", "sys", "subprocess", "shutil", "socket", "sqlite3", "time"}
    assert not imports(MODULES[pure]) & effects


def test_no_module_is_long() -> None:
    for path in FILES.values():
        assert len(path.read_text().splitlines()) <= 400, f"{path.name} holds two things"
