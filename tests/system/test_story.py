"""The operator's day on one host, told by what the commands print: golden/story/ has the texts."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.lib.hosts.broken import Broken
from tools.lib.hosts.demo_app import USER, DemoApp
from tools.lib.hosts.golden import Golden
from tools.lib.hosts.old_deployment import CRONTAB, PATH, many_files
from tools.lib.hosts.receivers import MailServer, WebServer
from tools.lib.hosts.upstream import Upstream

EVENTS = ["updated", "failed", "rolled-back", "quarantined", "recovered"]


class Story:
    """Types commands on a host, and compares what they print."""

    def __init__(self, app: DemoApp, golden: Golden) -> None:
        self.app, self.host, self.golden = app, app.host, golden
        self.number = 0

    def tell(self, step: str, *commands: str, end: str = "") -> None:
        """Do one step: each command with its output and, where it is none, its exit code."""
        self.number += 1
        lines = []
        for command in commands:
            done = self.host.run(*command.split(), check=False, timeout=300)
            lines += [f"$ {command}", done.stdout.rstrip("\n"), done.stderr.rstrip("\n")]
            if done.returncode:
                lines.append(f"[exit code {done.returncode}]")
        text = "\n".join(line for line in [*lines, end.rstrip("\n")] if line) + "\n"
        self.golden.compare(f"{self.number:02}-{step}", text)


def test_story(story: Story, upstream: Upstream, mail: MailServer, web: WebServer) -> None:
    app, golden = story.app, story.golden
    golden.commit(upstream.head(), "commit 1")
    run, status = "autoupdatectl run", "autoupdatectl status"

    story.tell("found", status, "autoupdatectl doctor", f"autoupdatectl adopt --look {PATH}")
    story.tell("adopted", f"autoupdatectl adopt {PATH}", status, f"cat {CRONTAB}")
    app.wait_up()
    second = golden.commit(upstream.commit(version=2, files=many_files()), "commit 2")
    story.tell("updated", "autoupdatectl plan", run, status)
    golden.commit(upstream.commit(version=3, files=many_files()), "commit 3")
    story.tell("held", "autoupdatectl hold --reason audit", run, status, "autoupdatectl unhold")
    story.tell("pinned", f"autoupdatectl pin {second[:12]}", run, status, "autoupdatectl unpin")
    golden.names[closed_window().removesuffix(" UTC")] = "<a weekday> 03:00-04:00"
    app.configure_more(f"[windows]\nallowed = [{json.dumps(closed_window())}]\n", "60-window")
    story.tell("window-closed", "autoupdatectl plan", run, status)
    app.configure_more('[windows]\nallowed = ["Mon..Sun 00:00-24:00 UTC"]\n', "60-window")
    story.tell("window-open", run, status)
    golden.commit(upstream.commit(version=4, files=many_files(), broken=Broken.CRASH), "commit 4")
    story.tell("bad-commit", run, status, "autoupdatectl quarantine")
    story.host.wait_for(lambda: "quarantined" in by_webhook(web), 60, "the web server was told")
    story.host.wait_for(lambda: "quarantined" in by_mail(mail), 60, "mail has come")
    story.tell("told", "autoupdatectl history", end=by_mail(mail) + by_webhook(web))
    story.tell("rolled-back-by-hand", "autoupdatectl rollback", status)
    story.tell(
        "given-back",
        "autoupdatectl release-path",
        status,
        f"runuser -u {USER} -- git -C {PATH} log --oneline -1",
    )
    app.wait_up()
    assert set(app.versions().values()) == {2}
    assert golden.unused() == set()


def closed_window() -> str:
    """Return a window that does not open for days."""
    day = time.strftime("%a", time.gmtime(time.time() + 3 * 24 * 3600))
    return f"{day} 03:00-04:00 UTC"


def by_mail(mail: MailServer) -> str:
    """Return the mails, in the order in which they came."""
    texts = []
    for message in mail.received:
        body = message.get_body(("plain", "html"))
        content = body.get_content().strip() if body else ""
        texts.append(f"--- mail: {message['Subject']}\n{content}\n")
    return "".join(texts)


def by_webhook(web: WebServer) -> str:
    """Return what was posted, in the order in which it came."""
    return "".join(
        f"--- webhook: {posted['title']}\n{posted['message'].strip()}\n" for posted in web.received
    )


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """A mail server on the loopback that all hosts share with the machine."""
    pytest.importorskip("aiosmtpd", reason="python3-aiosmtpd is not installed on this machine")
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server there."""
    server = WebServer()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def story(telling_app: DemoApp, mail: MailServer, web: WebServer) -> Story:
    """The application as the old system deployed it, on a host that tells two servers."""
    app, host = telling_app, telling_app.host
    urls = [f"mailto://127.0.0.1:{mail.port}/?from=host@example.org&to=ops@example.org",
            f"json://127.0.0.1:{web.port}/hook"]  # fmt: skip
    app.configure_more(f"[notify]\nurls = {json.dumps(urls)}\nevents = {json.dumps(EVENTS)}\n")
    golden = Golden(Path(__file__).parent / "golden" / "story")
    golden.names[host.run("uname", "--nodename").stdout.strip()] = "<host>"
    return Story(app, golden)
