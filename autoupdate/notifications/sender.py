"""autoupdate-notify@.service: sends the messages in the outbox of an app, in order, by Apprise.

A message is marked as sent after its target has accepted it; a kill in between, and nothing else,
sends it twice. A message that a target does not accept delays the later ones for that target.
"""

import os
import socket
import sys
from collections.abc import Callable, Sequence

from autoupdate.config.load import load
from autoupdate.config.sections import Settings
from autoupdate.host.clock import Clock
from autoupdate.host.log import HostLog, Log, say
from autoupdate.host.process import UMASK
from autoupdate.model.errors import AutoupdateError, Exit
from autoupdate.model.events import NOT_DELIVERED, Event
from autoupdate.model.paths import Paths
from autoupdate.model.sizes import counted
from autoupdate.model.times import seconds, write
from autoupdate.records import outbox
from autoupdate.records.outbox import Row
from autoupdate.records.records import Records

# More events than this, as after a long time without a network, are sent as one message.
MOST_SINGLE = 5
FIRST_WAIT = 5 * 60.0
LONGEST_WAIT = 3 * 3600.0
MOST_DOUBLINGS = 10
# Apprise's notification types: some targets show them as colours or symbols.
LOOKS = {
    "updated": "success", "recovered": "success", "failed": "failure", "rolled-back": "failure",
    "blocked": "failure", "test": "info",
}  # fmt: skip
# Sends a message to a URL: URL, title, text, look; returns why that failed, or "".
Deliver = Callable[[str, str, str, str], str]


class Sender:
    """Empties the outbox of one app."""

    def __init__(
        self, settings: Settings, records: Records, log: Log, clock: Clock, deliver: Deliver
    ) -> None:
        self.settings = settings
        self.records = records
        self.log = log
        self.clock = clock
        self.deliver = deliver

    def send_all(self) -> bool:
        """Send what is due; return whether nothing is left."""
        targets = outbox.targets(self.settings.notify.urls)
        self._clean(list(targets))
        done = [self._send_to(target, url) for target, url in targets.items()]
        return all(done)

    def _send_to(self, target: str, url: str) -> bool:
        while rows := outbox.pending(self.records, target):
            now = self.clock.now()
            if rows[0].next_at > now:
                return False
            batch = rows if len(rows) > MOST_SINGLE else rows[:1]
            fault = self.deliver(url, *compose(self.settings.app, batch))
            if fault:
                self._postpone(rows[0], fault)
                return False
            outbox.mark_sent(self.records, batch, self.clock.now())
        return True

    def _postpone(self, row: Row, fault: str) -> None:
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(row.attempts, MOST_DOUBLINGS))
        again = write(seconds(self.clock.now()) + wait)
        outbox.postpone(self.records, row, again)
        app = self.settings.app
        message = (
            f"{app}: {row.target} did not accept a notification: {fault}; next attempt at {again}"
        )
        self.log.write(Event(NOT_DELIVERED, message, app))

    def _clean(self, known: list[str]) -> None:
        long_ago = write(seconds(self.clock.now()) - outbox.KEPT_DAYS * 86400)
        lost = outbox.clean(self.records, known, long_ago)
        if lost:
            app = self.settings.app
            message = (
                f"{app}: {counted(lost, 'notification')} dropped: too old, or for a URL that is"
                " not in notify.urls any more"
            )
            self.log.write(Event(NOT_DELIVERED, message, app))


def compose(app: str, rows: Sequence[Row]) -> tuple[str, str, str]:
    """Return title, text and look of a message about one event, or about several."""
    host = socket.gethostname()
    if len(rows) == 1:
        row = rows[0]
        text = f"{row.message}\n\n{row.created_at}, {host}; see: autoupdatectl status {app}"
        return f"{app} on {host}: {row.event}", text, LOOKS.get(row.event, "warning")
    lines = [f"{row.created_at} {row.event}: {row.message}" for row in rows]
    last = LOOKS.get(rows[-1].event, "warning")
    return f"{app} on {host}: {len(rows)} events, last: {rows[-1].event}", "\n".join(lines), last


def main(arguments: list[str], paths: Paths | None = None) -> int:
    """Send what is due for an app; return 75 (EX_TEMPFAIL, sysexits.h(3head)) if some is left."""
    from autoupdate.notifications.by_apprise import deliver

    os.umask(UMASK)
    paths = paths or Paths()
    try:
        settings = load(paths, arguments[0])
        records = Records(paths.app(settings.app).state)
        sender = Sender(settings, records, HostLog(paths.log), Clock(), deliver)
        return Exit.DONE if sender.send_all() else Exit.BUSY
    except AutoupdateError as error:
        say(f"autoupdate: {error.message}")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
