"""Whether restarted services came up and stayed up, seen on a scripted service manager."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from autoupdate.health import Baseline, UnhealthyError, settle, soak
from autoupdate.services import Service
from autoupdate.settings import Health

HEALTH = Health(soak=10.0, start_timeout=20.0, probe=())
UP = Service("a.service", "loaded", "active", "running", "success", 100, 0, "new", "app")
STARTING = UP._replace(active="activating", sub="start", main_pid=100)
OLD = UP._replace(invocation="old", main_pid=50)
BASELINES = {"a.service": Baseline("old", 0)}


class Host:
    """A clock, and a service whose looks change with it."""

    def __init__(self, look_at: Callable[[float], Service]) -> None:
        self.look_at = look_at
        self.seconds = 0.0
        self.looks = 0

    def monotonic(self) -> float:
        """Return the time."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds

    def look(self, names: Sequence[str]) -> list[Service]:
        """Return the service as it is now."""
        self.looks += 1
        return [self.look_at(self.seconds)._replace(name=name) for name in names]

    def restart(self, names: Sequence[str]) -> None:
        """Not used here."""
        raise NotImplementedError

    def watch_later(self, app: str) -> None:
        """Not used here."""
        raise NotImplementedError


def then(moment: float, **facts: Any) -> Host:
    """Return a host whose service is up, and changes at some moment."""
    return Host(lambda seconds: UP._replace(**facts) if seconds >= moment else UP)


def test_comes_up_after_a_while() -> None:
    host = Host(lambda seconds: OLD if seconds < 1 else STARTING if seconds < 3 else UP)
    assert settle(host, BASELINES, HEALTH, host) == [UP]
    assert 3 <= host.seconds < 4


def test_old_invocation_does_not_count_as_up() -> None:
    host = Host(lambda _: OLD)
    with pytest.raises(UnhealthyError, match=r"a\.service was not up 20 s after its restart"):
        settle(host, BASELINES, HEALTH, host)


def test_old_invocation_may_have_failed_before() -> None:
    failed = OLD._replace(active="failed", sub="failed")
    host = Host(lambda seconds: failed if seconds < 1 else UP)
    assert settle(host, BASELINES, HEALTH, host) == [UP]


def test_never_comes_up() -> None:
    host = Host(lambda _: STARTING)
    with pytest.raises(UnhealthyError, match=r"20 s after its restart \(activating/start\)"):
        settle(host, BASELINES, HEALTH, host)
    assert 20 <= host.seconds < 21


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"active": "failed", "sub": "failed", "result": "exit-code"}, "failed (exit-code)"),
        ({"active": "failed", "sub": "failed", "result": "oom-kill"}, "failed (oom-kill)"),
        ({"active": "activating", "sub": "auto-restart"}, "crashed and was restarted"),
        ({"active": "activating", "sub": "auto-restart-queued"}, "crashed and was restarted"),
        ({"restarts": 1}, "crashed and was restarted"),
        ({"restarts": 1, "result": "signal"}, "restarted by systemd (signal)"),
    ],
)
def test_crash_while_starting_and_while_watched(facts: dict[str, Any], said: str) -> None:
    host = then(0, **facts)
    with pytest.raises(UnhealthyError) as caught:
        settle(host, BASELINES, HEALTH, host)
    assert said in str(caught.value)
    host = then(5, **facts)
    with pytest.raises(UnhealthyError) as caught:
        soak(host, [UP], HEALTH, host)
    assert said in str(caught.value)
    assert 5 <= host.seconds < 6


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"invocation": "another", "main_pid": 101}, "process 100 ended and was replaced by 101"),
        ({"invocation": "another"}, "did not stay up"),
        ({"main_pid": 101}, "did not stay up"),
        ({"active": "inactive", "sub": "dead"}, r"went down (inactive/dead)"),
        ({"active": "deactivating", "sub": "stop-sigterm"}, "went down"),
    ],
)
def test_does_not_stay_up(facts: dict[str, Any], said: str) -> None:
    host = then(5, **facts)
    with pytest.raises(UnhealthyError) as caught:
        soak(host, [UP], HEALTH, host)
    assert said in str(caught.value)
    assert str(caught.value).startswith("a.service")


def test_stays_up_for_the_whole_soak() -> None:
    host = Host(lambda _: UP)
    soak(host, [UP], HEALTH, host)
    assert host.seconds >= HEALTH.soak
    assert host.looks >= HEALTH.soak / 0.25


def test_crash_at_the_last_moment_is_seen() -> None:
    host = then(HEALTH.soak, active="failed", sub="failed")
    with pytest.raises(UnhealthyError):
        soak(host, [UP], HEALTH, host)


def test_restarts_before_ours_are_no_fault() -> None:
    host = Host(lambda _: UP._replace(restarts=7))
    watched = settle(host, {"a.service": Baseline("old", 7)}, HEALTH, host)
    soak(host, watched, HEALTH, host)


def test_soak_of_nothing_looks_once() -> None:
    host = Host(lambda _: UP)
    soak(host, [UP], HEALTH._replace(soak=0.0), host)
    assert host.looks == 1
