"""Outages of servers that updates need, on a booted host; the whole matrix: tools/faults."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tools.lib.hosts.demo_app import SERVICES, DemoApp
from tools.lib.hosts.misbehaving import Trouble
from tools.lib.hosts.outage import DEPENDENCY, INDEX, UPSTREAM, Outage
from tools.lib.hosts.upstream import Upstream


@contextmanager
def refused(
    app: DemoApp, upstream: Upstream, what: str, trouble: Trouble, start: str
) -> Iterator[Outage]:
    """Restart a service in an outage: it is refused, and no commit is blamed."""
    with closing(Outage(app, upstream, what, trouble)) as outage:
        outage.begin(2, "uv", start)
        app.forget_freshness()
        done = app.host.systemctl("restart", SERVICES[0], check=False, timeout=300)
        assert not done.ok
        status = app.status()
        assert status["network_trouble"]["server"] == outage.bad.host
        assert status["quarantine"] == []
        yield outage


@pytest.mark.parametrize(
    ("what", "trouble"), [(INDEX, Trouble.PORTAL), (DEPENDENCY, Trouble.UNAVAILABLE)]
)
def test_service_is_back_after_the_outage(
    deployed_app: DemoApp, upstream: Upstream, what: str, trouble: Trouble
) -> None:
    """With `block`, it stays down for the outage only, and nobody has to start it."""
    with refused(deployed_app, upstream, what, trouble, "") as outage:
        shown = deployed_app.host.run("autoupdatectl", "status").stdout
        assert f"trouble with {outage.bad.host}, began" in shown
        commit = outage.end(3)
        # The longest wait between two attempts, and the build on a busy machine.
        deployed_app.wait_up(300)
        status = deployed_app.status()
        assert (status["current"]["commit"], status["network_trouble"]) == (commit, None)


def test_patience_ends_before_the_outage(deployed_app: DemoApp, upstream: Upstream) -> None:
    good, patience = upstream.head(), 'patience = "10s"'
    with refused(deployed_app, upstream, UPSTREAM, Trouble.UNAVAILABLE, patience):
        deployed_app.wait_up(120)
        status = deployed_app.status()
        assert status["current"]["commit"] == good
        assert status["network_trouble"]
        assert "longer than start.patience (10 s)" in deployed_app.host.journal(SERVICES[0])
