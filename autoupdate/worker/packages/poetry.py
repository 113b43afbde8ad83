"""The requirements of an app that Poetry manages but that is no package (`package-mode = false`).

They are in a notation of Poetry's own. poetry-core, its build back end, translates them.
"""

from collections.abc import Sequence

TOOL = "poetry-core>=1.9"
MARK = "requirement: "
# Arguments: the directory of pyproject.toml, and the extras to install.
SOURCE = """
import sys
from pathlib import Path
from poetry.core.factory import Factory

package = Factory().create_poetry(Path(sys.argv[1]), with_groups=False).package
for needed in package.requires:
    if not needed.is_optional() or set(needed.in_extras) & set(sys.argv[2:]):
        print("requirement: " + needed.to_pep_508(with_extras=False))
"""


def translate(python: str, directory: str, extras: Sequence[str]) -> list[str]:
    """Return the command that prints the requirements; poetry-core must be in PYTHONPATH."""
    return [python, "-P", "-c", SOURCE, directory, *extras]


def requirements(output: str) -> list[str]:
    """Return the requirements that the command printed (PEP 508)."""
    lines = [line for line in output.splitlines() if line.startswith(MARK)]
    return [line.removeprefix(MARK) for line in lines]
