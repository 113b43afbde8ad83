"""The rooms of the package and their order: each may import only those below it."""

import ast

import pytest

from tools.lib.map import MAP, drawn
from tools.lib.rooms import INNER, MODULES, PACKAGE, ROOMS, imports, inner, room

MOST_FILES = 20
MOST_LINES = 400


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


def test_the_map_shows_the_code_as_it_is() -> None:
    assert MAP.read_text() == drawn(), "docs/map.svg is old: tools/map draws it again"
