"""Every file that the documentation names exists."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
PAGES = [*sorted(TOP.glob("*.md")), *sorted((TOP / "docs").glob("*.md"))]
FOLDERS = "autoupdate|bin|debian|docs|tests|tools|units"
# Written when there is something to say in them.
MADE = {"debian/NEWS"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    named = re.findall(rf"(?<![\w/.-])((?:{FOLDERS})/[\w@./-]*\w)", page.read_text())
    missing = {name for name in named if not (TOP / name).exists()} - MADE
    assert not missing
