"""autoupdatectl notify"""

import os
import socket
from argparse import Namespace
from typing import Any

from autoupdate.cli.output import show
from autoupdate.cli.prepare import require_root
from autoupdate.config.load import load
from autoupdate.config.sections import Settings
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.model.paths import Paths
from autoupdate.notifications.by_apprise import deliver
from autoupdate.records import outbox
from autoupdate.records.records import Records

TEXT = "This is a test message. No action is needed."


def notify(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print the targets with the number of unsent messages, or send a test message to each."""
    settings = load(paths, app)
    if not settings.notify.urls:
        raise ConfigurationError(
            f"{app} sends no notifications: notify.urls is not set",
            f"set notify.urls in {paths.etc}/apps/{app}.toml",
        )
    if not chosen.test:
        show(waiting(paths, settings), words, chosen)
        return Exit.DONE
    require_root(paths)
    results = send_test(settings)
    show(results, words, chosen)
    return Exit.FAILED if any(item["fault"] for item in results) else Exit.DONE


def waiting(paths: Paths, settings: Settings) -> list[dict[str, Any]]:
    """Return each target, without its secrets, with the number of its unsent messages."""
    state = paths.app(settings.app).state
    records = Records(state, read_only=True) if os.path.exists(state) else None
    return [
        {"target": target, "waiting": len(outbox.pending(records, target)) if records else 0}
        for target in outbox.targets(settings.notify.urls)
    ]


def send_test(settings: Settings) -> list[dict[str, Any]]:
    """Send a test message to each target; return the targets, with the reason of each failure."""
    title = f"{settings.app} on {socket.gethostname()}: test"
    return [
        {"target": target, "fault": deliver(url, title, TEXT, "info")}
        for target, url in outbox.targets(settings.notify.urls).items()
    ]


def words(items: list[dict[str, Any]]) -> str:
    """Return the text for people: one line for each target."""
    return "\n".join(f"{item['target']:<14} {word(item)}" for item in items)


def word(item: dict[str, Any]) -> str:
    """Return the text for one target."""
    if "fault" in item:
        return f"not delivered: {item['fault']}" if item["fault"] else "delivered"
    return f"{item['waiting']} unsent" if item["waiting"] else "no unsent messages"
