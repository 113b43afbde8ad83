"""autoupdatectl rebuild"""

import signal
from argparse import Namespace
from typing import Any

import pytest

from autoupdate.app import Outcome
from autoupdate.cli.verbs import rebuild
from autoupdate.model.errors import Exit
from autoupdate.model.paths import Paths
from autoupdate.model.steps import Result


def test_a_rebuild_outlives_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise services run a release that nobody watches."""
    seen: list[Any] = []

    def work(*_: object, **__: object) -> Outcome:
        seen.extend(signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM))
        return Outcome(Result.UPDATED, Exit.DONE, "")

    monkeypatch.setattr(rebuild, "prepare", lambda *_: None)
    monkeypatch.setattr(rebuild, "by_hand", work)
    chosen = Namespace(no_wait=False, upgrade=False, force=False, json=False)
    assert rebuild.rebuild(Paths(), "web", chosen) == Exit.DONE
    assert seen[0] is signal.SIG_IGN
    assert callable(seen[1])
