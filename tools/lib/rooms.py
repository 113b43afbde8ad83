"""The rooms of autoupdate/ in their order, and what their modules import, read from the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "autoupdate"
# From the top down: each imports only those below it. Whatever is imported counts, in functions
# and for types alone, too.
ROOMS = (
    "cli", "assemble", "service_start", "reports", "doctor", "adoption", "update", "gates",
    "notifications", "app", "worker", "upstream", "records", "host", "config", "model",
)  # fmt: skip
# Folders inside a room, from the top down; "." is what lies in the room itself.
INNER = {
    "cli": ("verbs", "render", "."),
    "update": (".", "rehearsal"),
    "host": ("rehearsal", "."),
    "worker": (".", "repository", "environment", "packages", "signatures"),
}


def module_of(file: Path) -> str:
    """Return the name of a module below the package, such as "update.fetch"."""
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file): ast.parse(file.read_text()) for file in sorted(PACKAGE.rglob("*.py"))}
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
