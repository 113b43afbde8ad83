"""A server that never stops sending: each exchange has a limit, and the message names it."""

import os
import time
from pathlib import Path

import pytest

from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from tests.integration.site import Site
from tools.lib.hosts.git_server import Mode

LIMIT = 5 << 20


def size(directory: str) -> int:
    """Return the bytes of all files below a directory."""
    return sum(path.stat().st_size for path in Path(directory).rglob("*") if path.is_file())


def test_pack_without_an_end(quick: Site) -> None:
    quick.configure(guard__max_fetch="5MiB", upstream__timeout="60s")
    quick.upstream.commit(version=2)
    quick.server.mode = Mode.ENDLESS_PACK
    before = size(quick.app_paths.mirror)
    begun = time.monotonic()
    outcome = quick.run()
    assert (outcome.result, outcome.exit_code) == (Result.UNREACHABLE, Exit.UNREACHABLE)
    assert "sends more than guard.max_fetch, 5 MiB" in outcome.reason
    assert outcome.advice == "if upstream is expected to have that much, raise guard.max_fetch"
    assert time.monotonic() - begun < 30
    # Nothing of it is left.
    assert size(quick.app_paths.mirror) - before < LIMIT / 10
    quick.server.mode = Mode.GOOD
    assert quick.run(force=True).result is Result.UPDATED


def test_messages_without_an_end(quick: Site) -> None:
    """Messages about progress are not part of the pack, and do not count for its limit."""
    quick.configure(upstream__timeout="60s")
    quick.upstream.commit(version=2)
    quick.server.mode = Mode.ENDLESS_CHATTER
    outcome = quick.run()
    assert outcome.exit_code == Exit.UNREACHABLE
    assert "upstream sends messages without an end" in outcome.reason
    quick.server.mode = Mode.GOOD
    assert quick.run(force=True).result is Result.UPDATED


def test_refs_without_an_end(quick: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory limit is lower here, so that the test is fast."""
    quick.configure(upstream__timeout="5min")
    quick.upstream.commit(version=2)
    quick.server.mode = Mode.ENDLESS_REFS
    monkeypatch.setattr("autoupdate.upstream.ls_remote.MOST_MEMORY", 100 << 20)
    outcome = quick.run()
    assert outcome.exit_code == Exit.UNREACHABLE, outcome
    assert quick.releases() == [quick.current]
    assert not [name for name in os.listdir(quick.app_paths.mirror) if "tmp" in name]
    assert "sends too many refs" in outcome.reason
