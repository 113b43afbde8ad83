"""Whether restarted services come up and stay up, with a scripted service manager."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from autoupdate.config.sections import Health, Probe
from autoupdate.host.services import Service
from autoupdate.host.unit_times import Times
from autoupdate.update.health import Baseline, UnhealthyError, settle, soak

HEALTH = Health(first="", soak=10.0, start_timeout=20.0, max_wait=600.0, probe=())
UP = Service("a.service", "loaded", "active", "running", "success", 100, 0, "new", "app")
STARTING = UP._replace(active="activating", sub="start", main_pid=100)
OLD = UP._replace(invocation="old", main_pid=50)
BASELINES = {"a.service": Baseline("old", 0)}


class Host:
    """A clock, and a service whose state changes with it."""

    def __init__(self, look_at: Callable[[float], Service]) -> None:
        self.look_at = look_at
        self.seconds = 0.0
        self.looks = 0
        self.stopped_manually = False
        self.allows = Times(stop=15)

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

    def programs(self, names: Sequence[str]) -> tuple[str, ...]:
        """Not used here."""
        raise NotImplementedError

    def directives(self, names: Sequence[str]) -> list[dict[str, str]]:
        """Not used here."""
        raise NotImplementedError

    def times(self, names: Sequence[str]) -> dict[str, Times]:
        """Return what the unit allows."""
        return dict.fromkeys(names, self.allows)

    def restart(self, names: Sequence[str]) -> None:
        """Not used here."""
        raise NotImplementedError

    def stop(self, names: Sequence[str]) -> None:
        """Not used here."""
        raise NotImplementedError

    def last_words(self, names: Sequence[str], since: float) -> str:
        """Return nothing."""
        return ""

    def was_told_to_stop(self, service: Service) -> bool:
        """Return what the test sets."""
        return self.stopped_manually

    def watch_later(self, app: str) -> bool:
        """Not used here."""
        raise NotImplementedError


def passes(_: Probe) -> str:
    """Pass every probe."""
    return ""


def then(moment: float, **facts: Any) -> Host:
    """Return a host whose service is up, and changes at a moment."""
    return Host(lambda seconds: UP._replace(**facts) if seconds >= moment else UP)


def test_comes_up_after_a_while() -> None:
    host = Host(lambda seconds: OLD if seconds < 1 else STARTING if seconds < 3 else UP)
    assert settle(host, BASELINES, HEALTH, host) == [UP]
    assert 3 <= host.seconds < 4


def test_start_that_our_restart_interrupts() -> None:
    """Its own start was under way when the restart was ordered, and is killed by a signal."""
    overtaken = UP._replace(
        active="failed", sub="failed", result="signal", invocation="its own", has_job=True
    )
    host = Host(lambda seconds: overtaken if seconds < 1 else STARTING if seconds < 2 else UP)
    assert settle(host, BASELINES, HEALTH, host) == [UP]
    host = Host(lambda _: overtaken._replace(has_job=False))
    with pytest.raises(UnhealthyError, match=r"a\.service failed \(signal\)"):
        settle(host, BASELINES, HEALTH, host)


def test_manual_restart_of_a_service_that_exits_with_an_error() -> None:
    def look_at(seconds: float) -> Service:
        if seconds < 2:
            return UP
        if seconds < 3:
            return UP._replace(active="failed", sub="failed", result="exit-code", has_job=True)
        return UP._replace(invocation="newer", main_pid=200)

    host = Host(look_at)
    soak(host, [UP], HEALTH, host, passes)
    assert host.seconds >= 13, "it is watched for as long again"


def test_old_invocation_does_not_count_as_up() -> None:
    host = Host(lambda _: OLD)
    with pytest.raises(UnhealthyError, match=r"a\.service did not stop within 20 s"):
        settle(host, BASELINES, HEALTH, host)


def test_old_invocation_may_have_failed_before() -> None:
    failed = OLD._replace(active="failed", sub="failed")
    host = Host(lambda seconds: failed if seconds < 1 else UP)
    assert settle(host, BASELINES, HEALTH, host) == [UP]


STOPPING = OLD._replace(active="deactivating", sub="stop-sigterm", has_job=True)


def test_stop_has_its_own_time() -> None:
    """89 s to stop and 15 s to start: systemd's own limits allow both."""
    host = Host(lambda now: STOPPING if now < 89 else STARTING if now < 104 else UP)
    host.allows = Times(stop=90)
    assert settle(host, BASELINES, HEALTH, host) == [UP]
    host.allows, host.seconds = Times(stop=60), 0
    with pytest.raises(UnhealthyError, match="did not stop within 65 s"):
        settle(host, BASELINES, HEALTH, host)


def test_each_phase_of_a_stop_has_its_time() -> None:
    def look_at(now: float) -> Service:
        phase = STOPPING._replace(sub="stop") if now < 80 else STOPPING
        return phase if now < 160 else UP

    host = Host(look_at)
    host.allows = Times(stop=90)
    assert settle(host, BASELINES, HEALTH, host) == [UP]


@pytest.mark.parametrize(
    ("start", "up_at", "limit"),
    [(None, 15, 20), (300, 290, 300), (5, 15, 20), (math.inf, 590, 600)],
)
def test_start_has_the_time_of_its_unit(start: float | None, up_at: float, limit: float) -> None:
    host = Host(lambda now: STARTING if now < up_at else UP)
    host.allows = Times(stop=15, start=start)
    assert settle(host, BASELINES, HEALTH, host) == [UP]
    host = Host(lambda now: STARTING)
    host.allows = Times(stop=15, start=start)
    with pytest.raises(UnhealthyError, match=f"was not up {limit} s after its restart"):
        settle(host, BASELINES, HEALTH, host)


def test_service_whose_restart_waits_for_the_stop_of_another() -> None:
    """It is ordered after one that takes long to stop, and has no time of its own meanwhile."""

    def look(names: Sequence[str]) -> list[Service]:
        slow = STOPPING if host.seconds < 80 else UP
        queued = OLD._replace(name="b.service", has_job=True)
        other = UP._replace(name="b.service") if host.seconds > 82 else queued
        return [slow, other]

    host = Host(lambda _: UP)
    host.allows = Times(stop=80)
    host.look = look  # type: ignore[method-assign]
    both = {**BASELINES, "b.service": Baseline("old", 0)}
    assert len(settle(host, both, HEALTH, host)) == 2


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
        soak(host, [UP], HEALTH, host, passes)
    assert said in str(caught.value)
    assert 5 <= host.seconds < 6


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"main_pid": 101}, "process 100 ended and was replaced by 101"),
        ({"invocation": "another", "restarts": 1}, "crashed and was restarted"),
        ({"active": "inactive", "sub": "dead"}, r"went down (inactive/dead)"),
        ({"active": "deactivating", "sub": "stop-sigterm"}, "did not come up again"),
        ({"active": "activating", "sub": "start", "invocation": "another"}, "not come up again"),
    ],
)
def test_does_not_stay_up(facts: dict[str, Any], said: str) -> None:
    host = then(5, **facts)
    with pytest.raises(UnhealthyError) as caught:
        soak(host, [UP], HEALTH, host, passes)
    assert said in str(caught.value)
    assert str(caught.value).startswith("a.service")


def test_manual_restart_is_not_a_crash_and_starts_the_soak_again() -> None:
    def look_at(seconds: float) -> Service:
        if seconds < 5:
            return UP
        if seconds < 6:
            return UP._replace(active="deactivating", sub="stop-sigterm")
        if seconds < 6.5:
            return UP._replace(active="inactive", sub="dead", main_pid=0)
        return UP._replace(invocation="another", main_pid=101)

    host = Host(look_at)
    soak(host, [UP], HEALTH, host, passes)
    assert 16 <= host.seconds < 18
    probed = Probed(host, lambda now: "refused" if 5 <= now < 7 else "")
    host.seconds = 0
    soak(host, [UP], HEALTH._replace(probe=(PROBE._replace(retries=0),)), host, probed)


def test_crash_after_a_manual_restart_is_seen() -> None:
    again = UP._replace(invocation="another", main_pid=101)
    host = Host(lambda now: UP if now < 5 else again if now < 12 else again._replace(restarts=1))
    with pytest.raises(UnhealthyError, match="crashed"):
        soak(host, [UP], HEALTH, host, passes)


def test_service_that_somebody_stops_is_left_alone() -> None:
    host = then(5, active="inactive", sub="dead", main_pid=0)
    host.stopped_manually = True
    health = HEALTH._replace(probe=(PROBE._replace(retries=0),))
    soak(host, [UP], health, host, lambda _: "refused" if host.seconds >= 5 else "")
    assert host.seconds < 8


def test_stays_up_for_the_whole_soak() -> None:
    host = Host(lambda _: UP)
    soak(host, [UP], HEALTH, host, passes)
    assert host.seconds >= HEALTH.soak
    assert host.looks >= HEALTH.soak / 0.25


def test_crash_at_the_last_moment_is_seen() -> None:
    host = then(HEALTH.soak, active="failed", sub="failed")
    with pytest.raises(UnhealthyError):
        soak(host, [UP], HEALTH, host, passes)


def test_earlier_restarts_do_not_count() -> None:
    host = Host(lambda _: UP._replace(restarts=7))
    watched = settle(host, {"a.service": Baseline("old", 7)}, HEALTH, host)
    soak(host, watched, HEALTH, host, passes)


def test_soak_of_nothing_looks_once() -> None:
    host = Host(lambda _: UP)
    soak(host, [UP], HEALTH._replace(soak=0.0), host, passes)
    assert host.looks == 1


PROBE = Probe(
    type="http", service="a.service", url="http://127.0.0.1:9000/health", expect_status=200,
    expect_body="", verify_tls=True, address="", command=(), interval=2.0, timeout=5.0, retries=2,
    grace=4.0,
)  # fmt: skip


class Probed:
    """Answers to probes, by the time at which they are tried."""

    def __init__(self, host: Host, answer: Callable[[float], str]) -> None:
        self.host = host
        self.answer = answer
        self.tries: list[float] = []

    def __call__(self, probe: Probe) -> str:
        """Try one."""
        self.tries.append(self.host.seconds)
        return self.answer(self.host.seconds)


def soak_with(answer: Callable[[float], str], **changes: Any) -> Probed:
    """Watch a service that stays up, with one probe."""
    host = Host(lambda _: UP)
    probed = Probed(host, answer)
    health = HEALTH._replace(probe=(PROBE._replace(**changes),))
    soak(host, [UP], health, host, probed)
    return probed


def refused_with(answer: Callable[[float], str], **changes: Any) -> tuple[float, str]:
    """Return when a probe ended the probation, and the reason."""
    host = Host(lambda _: UP)
    probed = Probed(host, answer)
    health = HEALTH._replace(probe=(PROBE._replace(**changes),))
    with pytest.raises(UnhealthyError) as caught:
        soak(host, [UP], health, host, probed)
    return host.seconds, str(caught.value)


def test_probe_that_passes_is_tried_over_the_whole_soak() -> None:
    assert soak_with(lambda _: "").tries == [0, 2, 4, 6, 8, 10]


def test_probe_that_never_passes_is_named_with_what_it_saw() -> None:
    seconds, said = refused_with(lambda _: "status 500, not 200: broken")
    # Failures count from 4 s on, and two of them are allowed.
    assert seconds == 8
    assert said == ("probe http://127.0.0.1:9000/health of a.service: status 500, not 200: broken")


def test_failures_within_the_grace_do_not_count() -> None:
    assert len(soak_with(lambda now: "down" if now < 4 else "", retries=0).tries) == 6


def test_failures_after_the_first_success_count_at_once() -> None:
    seconds, _ = refused_with(lambda now: "down" if now else "", grace=60.0)
    assert seconds == 6


def test_a_success_starts_the_count_of_failures_again() -> None:
    soak_with(lambda now: "" if now in (0, 6, 12) else "down", grace=0.0)


def test_probe_that_passes_late_prolongs_the_soak() -> None:
    probed = soak_with(lambda now: "down" if now < 20 else "", grace=30.0)
    assert probed.tries[-1] == 20


def test_failures_at_the_end_of_the_soak_are_not_overlooked() -> None:
    seconds, _ = refused_with(lambda now: "" if now < 7 else "down")
    assert seconds == 12
    assert soak_with(lambda now: "down" if now in (8, 10) else "").tries[-1] == 12


def test_probe_that_never_passes_is_refused_after_the_grace() -> None:
    seconds, _ = refused_with(lambda _: "down", grace=30.0)
    assert seconds == 34


def test_probe_without_a_service_is_always_tried() -> None:
    assert soak_with(lambda _: "", service="").tries


def test_probe_of_a_service_that_is_not_watched_is_left_out() -> None:
    assert soak_with(lambda _: "down", service="stopped.service").tries == []


def test_slow_tries_do_not_pile_up() -> None:
    def slow(_: float) -> str:
        host.seconds += 5
        return ""

    host = Host(lambda _: UP)
    probed = Probed(host, slow)
    soak(host, [UP], HEALTH._replace(probe=(PROBE,)), host, probed)
    assert probed.tries == [0, 7]


def test_crash_is_reported_before_a_probe_that_fails_because_of_it() -> None:
    host = then(5, active="failed", sub="failed", result="exit-code")
    health = HEALTH._replace(probe=(PROBE._replace(retries=0),))
    with pytest.raises(UnhealthyError, match=r"a\.service failed"):
        soak(host, [UP], health, host, lambda _: "refused" if host.seconds >= 5 else "")
