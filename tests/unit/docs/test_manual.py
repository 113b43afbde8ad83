"""The manual pages describe every verb, setting and unit that exists, and no other."""

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.cli.parser import parse, parser
from autoupdate.config import load
from autoupdate.config.settings import CREDENTIAL_SETTINGS, PROBE_SETTINGS, REQUIRED, SETTINGS
from autoupdate.model.errors import Exit
from autoupdate.model.paths import Paths
from docs.man.generate import pages
from docs.man.units import DESCRIBED, DIRECTIVES

TOP = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """Return the pages as people read them, terms still marked by .It."""
    return {name: "\n".join(map(plain, text.splitlines()))
            for name, text in pages(1_800_000_000).items()}  # fmt: skip


def plain(line: str) -> str:
    """Return a line of a page without what is there for the formatter only."""
    line = re.sub(r"\\&|\\f.", "", line).replace("\\-", "-").replace("\\e", "\\")
    return line.replace('"', "") if line.startswith(".It") else line


@pytest.fixture(scope="module")
def written() -> str:
    """Return the README and the pages, where commands are shown to people."""
    return (TOP / "README.md").read_text() + "".join(pages(0).values()).replace("\\-", "-")


@pytest.fixture(scope="module")
def units() -> dict[str, str]:
    """Return the units of the package by name."""
    found = [*(TOP / "units").glob("*.timer"), *(TOP / "units").glob("*.service")]
    return {path.name: path.read_text() for path in found}


@pytest.fixture(scope="module")
def told() -> set[str]:
    """Return the names of the variables that hooks get."""
    code = (TOP / "autoupdate/gates/hooks.py").read_text()
    return set(re.findall(r'"(AUTOUPDATE_[A-Z_]+)"', code))


def actions(of: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.Action]]:
    """Yield every argument of every verb with the verb's name."""
    for action in of._actions:
        yield name, action
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from actions(below, f"{name} {word}".strip())


def test_every_verb_and_option_is_explained(made: dict[str, str]) -> None:
    page = made["autoupdatectl.8"]
    for verb, action in actions(parser()):
        assert f".It Cm {verb}" in page or not verb
        for option in action.option_strings:
            assert re.search(rf"^\.It .*Fl {option[1:]}\b", page, re.MULTILINE) or option in (
                "-h",
                "--help",
            ), f"{verb} {option}"


def test_every_exit_code_is_explained(made: dict[str, str]) -> None:
    section = made["autoupdatectl.8"].partition(".Sh EXIT STATUS")[2].partition(".Sh ")[0]
    assert re.findall(r"^\.It (\d+)$", section, re.MULTILINE) == [str(int(code)) for code in Exit]


def test_everything_that_hooks_are_told_is_explained(made: dict[str, str], told: set[str]) -> None:
    section = made["autoupdatectl.8"].partition(".Sh HOOKS")[2].partition(".Sh ")[0]
    assert set(re.findall(r"AUTOUPDATE_[A-Z_]+", section)) == told


def test_every_setting_is_explained_with_its_default(made: dict[str, str]) -> None:
    page = made["autoupdate.toml.5"]
    parts = [part.partition("\n") for part in re.split(r"^\.S[hs] ", page, flags=re.MULTILINE)]
    tables = {title: text for title, _, text in parts}
    for setting in SETTINGS:
        table, _, key = setting.key.rpartition(".")
        title = f"The [{table}] table" if table else "Outside of any table"
        assert f".It Ic {key} No (" in tables[title], setting.key
        (term,) = re.findall(rf"^\.It Ic {key} No \((.+); (.+)\)$", tables[title], re.MULTILINE)
        assert term[1] == wanted(setting.default), setting.key
    for setting in PROBE_SETTINGS:
        assert f".It Ic {setting.key} No (" in tables["The [[health.probe]] tables"], setting.key
    for setting in CREDENTIAL_SETTINGS:
        assert f".It Ic {setting.key} No (" in tables["The [[build.credentials]] tables"]
    assert ".It Ic keep No (integer, at least 1; default: 3)" in page
    assert ".It Ic url No (URL; required for http)" in page


def wanted(default: object) -> str:
    """Return a default as the page shows it."""
    if default is REQUIRED:
        return "required"
    shown = json.dumps(default).replace('"', "\\(dq") if default != "" else "not set"
    return f"default: {shown}"


def test_every_unit_is_explained_with_its_times(
    made: dict[str, str], units: dict[str, str]
) -> None:
    page = made["autoupdate.timer.8"]
    assert set(DESCRIBED) == set(units), "docs/man/units.py describes each unit, and no other"
    names = re.findall(r"^\.Nm (\S+)", page, re.MULTILINE)
    assert set(names) == set(units), "the section NAME has each unit, and no other"
    for name, text in units.items():
        assert f".It Pa {name}\n{DESCRIBED[name].split()[0]}" in page
        for times in re.findall(r"^OnCalendar=.*$", text, re.MULTILINE):
            assert times in page


def test_every_line_of_the_drop_ins_is_explained(made: dict[str, str]) -> None:
    page = made["autoupdate.timer.8"]
    lines = {line for path in (TOP / "units").glob("*.service.d/*.conf")
             for line in path.read_text().splitlines() if re.match("[A-Za-z]+=", line)}  # fmt: skip
    assert {line.partition("=")[0] for line in lines} == set(DIRECTIVES)
    for line in lines:
        assert f".It Li {line}\n" in page


def test_comments_of_units_are_no_manual_text(made: dict[str, str]) -> None:
    """They are written for those who change the units."""
    page = " ".join(made["autoupdate.timer.8"].split())
    for path in (TOP / "units").rglob("*"):
        if path.suffix in (".service", ".timer", ".conf"):
            for comment in re.findall("^# (.{20,})$", path.read_text(), re.MULTILINE):
                assert comment not in page, path


def test_every_command_that_is_shown_is_understood(written: str) -> None:
    """In the README's table, in examples and in the text of the pages."""
    shown = re.findall(r"^(?:sudo )?(autoupdatectl [a-z].*)$", written, re.MULTILINE)
    shown += re.findall(r"`(autoupdatectl [^`]*)`", written)
    assert len(shown) > 5
    for line in shown:
        words = shlex.split(re.split(r"\s[#|>]", line)[0])[1:]
        parse(words)


def test_every_example_of_settings_is_accepted(made: dict[str, str], tmp_path: Path) -> None:
    """What the page shows can be put into a file as it stands."""
    page = made["autoupdate.toml.5"]
    examples = re.findall(r"^\.Bd .*\n((?:.*\n)*?)\.Ed$", page.partition(".Sh EXAMPLES")[2], re.M)
    assert len(examples) == 3
    paths = Paths(str(tmp_path))
    for number, example in enumerate(examples):
        file = Path(f"{paths.etc}/apps/app{number}.toml")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(example)
        assert load.load(paths, f"app{number}").upstream.url.startswith("https://example.org/")


def test_the_date_is_the_one_that_was_asked_for(made: dict[str, str]) -> None:
    assert all(text.startswith(".Dd January 15, 2027\n") for text in made.values())
