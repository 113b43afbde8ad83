"""Rehearsed services are watched until they are up, and for some time after that."""

from collections.abc import Callable

from autoupdate.config.sections import Probe
from autoupdate.host.rehearsal.watch import SHORT_OF_MEMORY, Fault, watch
from autoupdate.host.services import Service

UP = Service("web", "loaded", "active", "running", "success", 7, 0, "a" * 32, "app")
STARTING = UP._replace(active="activating", sub="start")
QUEUED = UP._replace(active="inactive", sub="dead", main_pid=0, invocation="")
DEAD = UP._replace(active="failed", sub="failed", result="exit-code", main_pid=0)
PROBE = Probe("tcp", "web", "", 200, "", True, "127.0.0.1:1", (), 1.0, 1.0, 1, 2.0)


class Clock:
    """Time that passes while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Return the time slept."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def watched(
    state: Callable[[float], Service],
    seen: Callable[[float], str] = lambda _: "",
    probes: tuple[Probe, ...] = (),
) -> tuple[Fault | None, float]:
    clock = Clock()
    found = watch(
        lambda: [state(clock.now)], {"web": 5.0}, 10.0, probes, lambda _: seen(clock.now), clock
    )
    return found, clock.now


def test_one_that_runs_is_watched_for_its_time_after_its_start() -> None:
    fault, took = watched(lambda now: QUEUED if now < 1 else STARTING if now < 3 else UP)
    assert (fault, took) == (None, 13.0)


def test_one_that_dies_is_found_at_once() -> None:
    fault, took = watched(lambda now: UP if now < 4 else DEAD)
    assert (fault, took) == (Fault("web", "failed (exit-code)"), 4.0)
    fault, _ = watched(lambda now: STARTING if now < 1 else DEAD._replace(result="oom-kill"))
    assert fault is not None
    assert fault.doubt == SHORT_OF_MEMORY


def test_one_that_ends_well_has_ended() -> None:
    fault, _ = watched(lambda now: UP if now < 4 else UP._replace(active="inactive", sub="dead"))
    assert fault == Fault("web", "ended (inactive/dead)")
    fault, _ = watched(lambda now: UP._replace(main_pid=int(7 + now // 5)))
    assert fault == Fault("web", "did not stay up: process 7 ended")


def test_one_that_is_never_up() -> None:
    fault, took = watched(lambda _: STARTING._replace(sub="start-pre"))
    assert fault == Fault("web", "was not up 5 s after its start (activating/start-pre)")
    assert took == 5.25


def test_one_whose_condition_says_no() -> None:
    no = UP._replace(active="inactive", sub="dead", result="exec-condition")
    fault, _ = watched(lambda _: no)
    assert fault is not None
    assert "ExecCondition=" in fault.doubt


def test_probes() -> None:
    assert watched(lambda _: UP, lambda now: "" if now >= 1 else "refused", (PROBE,))[0] is None
    fault, took = watched(lambda _: UP, lambda now: "status 500" if now >= 5 else "", (PROBE,))
    assert fault is not None
    assert (fault.what, fault.service) == ("failed: status 500", "web")
    assert took == 6.0
