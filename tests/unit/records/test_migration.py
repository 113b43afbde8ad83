"""The state of an older version of the package, and how this version migrates it."""

import sqlite3
from pathlib import Path

import pytest

from autoupdate.records import database
from autoupdate.records.database import SCHEMA_VERSION, StateError
from autoupdate.records.records import Records
from autoupdate.reports.history import history
from autoupdate.reports.status import status
from tests.unit.effects import commit
from tests.unit.world import World

# Written by the version with schema 1, not manually.
VERSION_1 = (Path(__file__).parents[1] / "data/state-1.sql").read_text()


@pytest.fixture
def old(tmp_path: Path) -> str:
    """Return a file as the version with schema 1 left it."""
    file = tmp_path / "state.db"
    with sqlite3.connect(file) as connection:
        connection.executescript(VERSION_1)
    connection.close()
    return str(file)


def tables(file: str) -> list[str]:
    """Return the definitions of all tables and indexes in a file."""
    connection = sqlite3.connect(file)
    defined = [row[0] for row in connection.execute("SELECT sql FROM sqlite_master ORDER BY name")]
    connection.close()
    return defined


def test_nothing_is_lost(old: str) -> None:
    records = Records(old)
    assert [release.commit for release in records.releases()] == [commit(1), commit(2)]
    assert [item.commit for item in records.quarantined()] == [commit(3)]
    assert records.rows("SELECT count(*) FROM transactions") == [(3,)]
    assert records.rows("SELECT count(*) FROM steps") == [(13,)]
    assert records.rows("PRAGMA user_version") == [(SCHEMA_VERSION,)]
    records.close()


def test_tables_are_those_of_a_new_file(old: str, tmp_path: Path) -> None:
    Records(old).close()
    new = str(tmp_path / "new.db")
    Records(new).close()
    assert tables(old) == tables(new)


def test_a_reader_sees_it_before_the_first_run_and_writes_nothing(world: World) -> None:
    """Any user may call `status` between the upgrade and the next run."""
    file = Path(world.app.paths.state)
    file.parent.mkdir(parents=True, exist_ok=True)
    world.close()
    file.unlink(missing_ok=True)
    with sqlite3.connect(file) as connection:
        connection.executescript(VERSION_1)
    connection.close()
    before = file.read_bytes()

    facts = status(world.app.settings, world.app.paths, world.services)

    assert facts["quarantine"][0]["commit"] == commit(3)
    assert facts["hold"] is None
    assert history(world.app.paths, 10)[0]["result"] == "rolled-back"
    assert file.read_bytes() == before


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tables(old)
    broken = "CREATE TABLE half (done TEXT); CREATE TABLE half (done TEXT);"
    monkeypatch.setattr(database, "MIGRATIONS", (database.MIGRATIONS[0], broken))
    with pytest.raises(StateError, match="cannot be opened: table half already exists"):
        Records(old)
    assert tables(old) == before
