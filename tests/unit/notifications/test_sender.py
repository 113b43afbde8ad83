"""Notifications: one message for each event, in order, without secrets."""

from collections.abc import Callable
from pathlib import Path

import pytest

from autoupdate.config.settings import TOLD
from autoupdate.model.errors import NoCandidateError, UnreachableError
from autoupdate.model.steps import Result
from autoupdate.notifications.by_apprise import redact
from autoupdate.notifications.sender import FIRST_WAIT, MOST_SINGLE, Sender
from autoupdate.records import outbox
from tests.unit.effects import Killed, commit
from tests.unit.world import World, settings

PASSWORD = "sesame-open"
MAIL = f"mailto://robot:{PASSWORD}@mail.example/?to=ops@mail.example"
HOOK = "json://127.0.0.1:8000/token-4711"
DAY = 86400


class Mailbox:
    """Takes messages as Apprise would pass them on, while it is up."""

    def __init__(self) -> None:
        self.up = True
        self.after: Callable[[], None] = lambda: None
        self.messages: list[tuple[str, str, str]] = []

    def deliver(self, url: str, title: str, text: str, look: str) -> str:
        """Take one message."""
        if not self.up:
            return "connection refused"
        self.messages.append((url, title, text))
        self.after()
        return ""

    def events(self, url: str) -> list[str]:
        """Return the events that a URL was notified of, in order."""
        return [title.rpartition(": ")[2] for target, title, _ in self.messages if target == url]


@pytest.fixture
def told(tmp_path: Path) -> World:
    """Return an app that notifies two URLs of every event."""
    return World(tmp_path, notify__urls=[MAIL, HOOK], notify__events=list(TOLD))


def send(world: World, mailbox: Mailbox) -> bool:
    """Empty the outbox."""
    return Sender(world.settings, world.records, world.log, world.clock, mailbox.deliver).send_all()


def written(world: World) -> list[str]:
    """Return the events in the outbox for the first URL, in order."""
    query = "SELECT event FROM outbox WHERE target = 'mailto#1' ORDER BY id"
    return [row[0] for row in world.records.rows(query)]


def test_a_cycle_of_events(told: World) -> None:
    told.deploy(1)
    told.deploy(2)
    told.services.bad = {commit(3)}
    told.deploy(3)
    told.run()
    told.services.bad = set()
    told.deploy(4)
    mailbox = Mailbox()
    assert send(told, mailbox)
    events = ["updated", "updated", "rolled-back", "quarantined", "updated", "recovered"]
    # These are too many for one message each; the one message about all of them lists each.
    assert len(events) > MOST_SINGLE
    (_, title, text), (other, _, _) = mailbox.messages
    assert "6 events, last: recovered" in title
    assert [line.split()[1].rstrip(":") for line in text.splitlines()] == events
    assert other == HOOK
    assert send(told, mailbox)
    assert len(mailbox.messages) == 2


def test_run_without_news_is_not_reported(told: World) -> None:
    told.deploy(1)
    send(told, Mailbox())
    sendings = told.transient_units.sendings
    told.run()
    assert written(told) == ["updated"]
    assert told.transient_units.sendings == sendings, "there is nothing to send"


def test_target_that_is_down_gets_everything_later_in_order(told: World) -> None:
    mailbox = Mailbox()
    mailbox.up = False
    told.deploy(1)
    assert not send(told, mailbox)
    told.deploy(2)
    assert not send(told, mailbox), "it is too early for the next attempt"
    mailbox.up = True
    assert not send(told, mailbox), "it is still too early"
    told.clock.ahead += FIRST_WAIT
    assert send(told, mailbox)
    for url in (MAIL, HOOK):
        assert mailbox.events(url) == ["updated", "updated"]
    assert [text.split()[-1] for _, _, text in mailbox.messages[:1]] == ["ipfs-accelerate"]


def test_waits_grow(told: World) -> None:
    mailbox = Mailbox()
    mailbox.up = False
    told.deploy(1)
    waits = []
    for _ in range(4):
        send(told, mailbox)
        row = outbox.pending(told.records, "mailto#1")[0]
        tries = told.log.kinds.count("not-delivered")
        for minute in range(1, 200):
            told.clock.ahead += 60
            send(told, mailbox)
            if told.log.kinds.count("not-delivered") > tries:
                waits.append(minute)
                break
        assert row.attempts < 9
    assert waits == sorted(waits)
    assert waits[0] <= 6 < 30 < waits[-1]


def test_one_target_does_not_wait_for_another(told: World) -> None:
    mailbox = Mailbox()
    told.deploy(1)

    def deliver(url: str, title: str, text: str, look: str) -> str:
        return "refused" if url == MAIL else mailbox.deliver(url, title, text, look)

    assert not Sender(told.settings, told.records, told.log, told.clock, deliver).send_all()
    assert mailbox.events(HOOK) == ["updated"]


def test_kill_between_sending_and_marking_repeats_one(told: World) -> None:
    mailbox = Mailbox()
    told.deploy(1)
    told.deploy(2)

    def die() -> None:
        raise Killed

    mailbox.after = die
    with pytest.raises(Killed):
        send(told, mailbox)
    mailbox.after = lambda: None
    assert send(told, mailbox)
    assert mailbox.events(MAIL) == ["updated"] * 3
    assert mailbox.events(HOOK) == ["updated"] * 2


def test_killed_run_reports_everything_once(tmp_path: Path) -> None:
    number = 0
    while True:
        number += 1
        world = World(tmp_path / str(number), notify__urls=[MAIL])
        world.deploy(1)
        world.effects, world.die_at = 0, number
        died = False
        try:
            world.deploy(2)
        except Killed:
            died = True
        world.revive()
        world.run()
        assert written(world) == ["updated", "updated"], f"killed before effect {number}"
        world.close()
        if not died:
            break
    assert number > 30


def test_same_failure_is_reported_once(told: World) -> None:
    told.deploy(1)
    told.check_fault = UnreachableError("upstream does not answer")
    for _ in range(3):
        told.run()
    told.check_fault = None
    told.run()
    told.run()
    told.check_fault = UnreachableError("upstream does not answer")
    told.run()
    assert written(told) == ["updated", "failed", "recovered", "failed"]


def test_stale_is_reported_once_in_each_period(told: World) -> None:
    told.deploy(1)
    told.check_fault = UnreachableError("upstream does not answer")
    for _ in range(16):
        told.clock.ahead += DAY
        told.run()
    assert written(told) == ["updated", "failed", "stale", "stale"]


def test_held_too_long_is_reported_once_although_newer_commits_follow(told: World) -> None:
    told.deploy(1)
    told.settings = settings(
        told.root, notify__urls=[MAIL], notify__events=["held-too-long"],
        windows__allowed=["Mon 02:00-02:01 UTC"], windows__deadline="2d",
    )  # fmt: skip
    for number in (2, 3, 4):
        assert told.deploy(number).result == Result.DEFERRED
        assert "held-too-long" not in written(told)
        told.clock.ahead += 60000
    for number in (5, 6):
        told.deploy(number)
    assert written(told) == ["updated", "held-too-long"]
    told.settings = told.settings._replace(windows=told.settings.windows._replace(allowed=()))
    told.run()
    assert not told.records.rows("SELECT * FROM remembered WHERE name = 'behind'")


def test_without_a_waiting_commit_nothing_is_held_too_long(told: World) -> None:
    told.settings = settings(
        told.root, notify__urls=[MAIL], notify__events=["held-too-long"], windows__deadline="2d"
    )
    told.deploy(1)
    told.clock.ahead += 10 * DAY
    told.check_fault = NoCandidateError("no tag matches")
    assert told.run().result == Result.DEFERRED
    assert written(told) == []


def test_only_configured_events_are_reported(tmp_path: Path) -> None:
    world = World(tmp_path, notify__urls=[MAIL], notify__events=["failed"])
    world.deploy(1)
    assert written(world) == []
    assert world.transient_units.sendings == 0
    world.close()


def test_state_holds_no_secret(told: World) -> None:
    told.deploy(1)
    mailbox = Mailbox()
    mailbox.up = False
    send(told, mailbox)
    content = Path(told.paths.state).read_bytes()
    for secret in (PASSWORD, "robot", "token-4711"):
        assert secret.encode() not in content
        assert not any(secret in event.message for event in told.log.events)
    assert outbox.targets([MAIL, MAIL, "nonsense:secret"]).keys() == {
        "mailto#1", "mailto#2", "unknown#1",
    }  # fmt: skip


def test_messages_for_a_removed_url_are_dropped(told: World) -> None:
    told.deploy(1)
    told.settings = settings(told.root, notify__urls=[HOOK])
    mailbox = Mailbox()
    assert send(told, mailbox)
    assert mailbox.events(HOOK) == ["updated"]
    assert any("1 notification dropped: too old" in event.message for event in told.log.events)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"login of robot with {PASSWORD} refused", "login of … with … refused"),
        ("no answer from http://mail.example:25", "no answer from http://…:25"),
        ("to=ops%40mail.example", "to=ops%40…"),
    ],
)
def test_delivery_errors_are_redacted(said: str, shown: str) -> None:
    assert redact(said, MAIL) == shown
