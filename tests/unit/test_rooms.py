"""The rooms of the package and their order: each may import only those below it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "autoupdate"
# From the top down. Whatever is imported counts: in functions, and for types alone, too.
ROOMS = (
    "cli", "assemble", "service_start", "reports", "adoption", "update", "gates", "notifications",
    "app", "worker", "upstream", "records", "host", "config", "model",
)  # fmt: skip
# Folders inside a room, from the top down; "." is what lies in the room itself.
INNER = {
    "cli": ("verbs", "render", "."),
    "worker": (".", "repository", "environment", "signatures"),
}
MOST_FILES = 20
MOST_LINES = 400


def module_of(file: Path) -> str:
    """Return the name of a module below the package, such as "update.fetch"."""
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file): ast.parse(file.read_text()) for file in PACKAGE.rglob("*.py")}
del MODULES["__init__"]


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield what a module imports of the package, anywhere in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.startswith("autoupdate.") and name[len("autoupdate.") :] in MODULES:
                yield name.removeprefix("autoupdate.")


def room(module: str) -> str:
    """Return the room of a module; one that stands alone is a room of its own."""
    return module.partition(".")[0]


def inner(module: str) -> str:
    """Return the folder inside a room that a module is in."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in INNER.get(parts[0], ()) else "."


def test_every_module_is_in_a_room() -> None:
    assert {room(module) for module in MODULES} == set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_imports_only_those_below(name: str) -> None:
    allowed = ROOMS[ROOMS.index(name) :]
    for module, tree in MODULES.items():
        if room(module) == name:
            above = {used for used in imports(tree) if room(used) not in allowed}
            assert not above, f"{module} imports {sorted(above)} from above"


@pytest.mark.parametrize("name", INNER)
def test_folders_in_a_room_import_only_those_below(name: str) -> None:
    order = INNER[name]
    for module, tree in MODULES.items():
        if room(module) == name:
            own = order.index(inner(module))
            used = {other for other in imports(tree) if room(other) == name}
            above = {other for other in used if order.index(inner(other)) < own}
            assert not above, f"{module} imports {sorted(above)} from above"


def test_no_circle_of_modules() -> None:
    left = {module: set(imports(tree)) - {module} for module, tree in MODULES.items()}
    while left:
        free = {module for module, used in left.items() if not used & set(left)}
        assert free, f"a circle among {sorted(left)}"
        left = {module: used for module, used in left.items() if module not in free}


def test_no_folder_is_a_drawer_and_no_module_holds_two_things() -> None:
    for folder in {file.parent for file in PACKAGE.rglob("*.py")}:
        assert len(list(folder.glob("*.py"))) <= MOST_FILES, folder
    for file in PACKAGE.rglob("*.py"):
        assert len(file.read_text().splitlines()) <= MOST_LINES, file


def test_a_folder_says_what_it_is_for() -> None:
    for file in PACKAGE.rglob("__init__.py"):
        tree = ast.parse(file.read_text())
        assert ast.get_docstring(tree), file
        assert len(tree.body) == 1, f"{file} holds code"
