"""The time zone of the host, for tests of texts that have times."""

import time
from collections.abc import Callable, Iterator

import pytest

SetZone = Callable[[str], None]


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetZone]:
    """Set the host's time zone to UTC; return what sets another one (TZ in environ(7))."""

    def put(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    put("UTC0")
    yield put
    monkeypatch.undo()
    time.tzset()
