"""Notifications as they are received: a real mail server, a real web server, up and down."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.cli import main
from autoupdate.config.load import load
from autoupdate.host.clock import Clock
from autoupdate.model.errors import Exit
from autoupdate.model.times import seconds, write
from autoupdate.notifications import by_apprise
from autoupdate.notifications.sender import FIRST_WAIT, Sender
from autoupdate.records.records import Records
from tests.integration.site import APP, Site
from tools.lib.hosts.git_server import Mode
from tools.lib.hosts.receivers import MailServer, WebServer

pytest.importorskip("apprise", reason="Debian's package apprise is not installed here")
pytest.importorskip("aiosmtpd", reason="Debian's package python3-aiosmtpd is not installed here")

TOKEN = "token-4711"


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """Return a mail server that is up."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def web() -> Iterator[WebServer]:
    """Return a web server that is up."""
    with WebServer() as server:
        yield server


def told_by(site: Site, mail: MailServer, web: WebServer) -> Site:
    """Make a host notify both servers of everything."""
    site.builds = False
    site.configure(
        notify__urls=[
            f"mailto://127.0.0.1:{mail.port}/?from=host@example.org&to=ops@example.org",
            f"json://127.0.0.1:{web.port}/{TOKEN}",
        ],
        notify__events=["updated", "failed", "recovered", "quarantined"],
    )
    return site


def send(site: Site, *, later: float = 0.0) -> bool:
    """Do what the sender's unit does, some seconds from now; return whether everything is sent."""

    class Later(Clock):
        def now(self) -> str:
            return write(seconds(super().now()) + later)

    records = Records(site.app_paths.state)
    try:
        settings = load(site.paths, APP)
        return Sender(settings, records, site.log, Later(), by_apprise.deliver).send_all()
    finally:
        records.close()


def events(titles: list[str]) -> list[str]:
    """Return the events in the titles of messages."""
    return [title.rpartition(": ")[2] for title in titles]


def test_servers_that_are_down_for_a_whole_cycle(
    deployed: Site, mail: MailServer, web: WebServer
) -> None:
    site = told_by(deployed, mail, web)
    mail.stop()
    web.status = 503
    assert site.updates_to(site.upstream.commit(2))
    assert not send(site)
    site.server.mode = Mode.NOT_FOUND
    assert site.run().exit_code == Exit.UNREACHABLE
    site.server.mode = Mode.GOOD
    assert site.updates_to(site.upstream.commit(3))
    assert not send(site)
    assert not mail.received
    assert not web.received
    mail.start()
    web.status = 200
    assert send(site, later=FIRST_WAIT + 5)
    expected = ["updated", "failed", "updated", "recovered"]
    assert events(mail.subjects()) == expected
    assert events([item["title"] for item in web.received]) == expected
    assert [item["type"] for item in web.received] == ["success", "failure", "success", "success"]
    assert send(site, later=2 * FIRST_WAIT)
    assert len(mail.received) == len(web.received) == len(expected)
    assert TOKEN not in Path(site.app_paths.state).read_text(errors="replace")
    assert not any(TOKEN in event.message for event in site.log.events)


def test_many_messages_are_sent_as_one(deployed: Site, mail: MailServer, web: WebServer) -> None:
    site = told_by(deployed, mail, web)
    for _ in range(4):
        site.server.mode = Mode.NOT_FOUND
        site.run()
        site.server.mode = Mode.GOOD
        site.run()
    assert send(site)
    (title,) = mail.subjects()
    assert "8 events, last: recovered" in title
    (item,) = web.received
    lines = item["message"].splitlines()
    assert [line.split()[1] for line in lines] == ["failed:", "recovered:"] * 4


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("nonsense://somewhere/secret-4711", "is not a URL that Apprise knows"),
        ("mailto://", "is not a URL that Apprise knows"),
        ("not a url", "is not a URL that Apprise knows"),
        ("json://127.0.0.1/secret-4711", ""),
    ],
)
def test_wrong_urls_are_found_without_using_them(url: str, complaint: str) -> None:
    assert by_apprise.fault(url) == complaint


def test_wrong_url_does_not_stop_updates(
    deployed: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """`config check` names it with file and key, without any secrets in it."""
    site = deployed
    site.builds = False
    site.configure(notify__urls=["nonsense://somewhere/secret-4711"])
    assert site.updates_to(site.upstream.commit(2))
    assert not send(site)
    (message,) = site.log.messages("not-delivered")
    assert "nonsense#1 did not accept a notification: is not a URL that Apprise knows" in message
    assert main.main(["config", "check", "--json", APP], site.paths) == Exit.USAGE
    said = capsys.readouterr().out
    assert f"{site.paths.etc}/apps/{APP}.toml: notify.urls: nonsense#1" in said
    assert "4711" not in said


def test_everybody_gets_a_test_message(
    deployed: Site, mail: MailServer, web: WebServer, capsys: pytest.CaptureFixture[str]
) -> None:
    site = told_by(deployed, mail, web)
    assert main.main(["notify", "--test", APP], site.paths) == Exit.DONE
    assert capsys.readouterr().out == "mailto#1       delivered\njson#1         delivered\n"
    assert events(mail.subjects()) == events([item["title"] for item in web.received]) == ["test"]
    web.status = 500
    assert main.main(["notify", "--test", APP], site.paths) == Exit.FAILED
    shown = capsys.readouterr().out
    assert "json#1         not delivered: " in shown
    assert TOKEN not in shown
