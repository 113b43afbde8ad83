"""One message to one URL, by Apprise (Debian's package `apprise`), without telling its secrets."""

import logging
import re
from urllib.parse import unquote

NOT_KNOWN = "is no URL that Apprise knows"
MISSING = "apprise is not installed; apt install apprise"
# Shorter parts of a URL, such as a port, are no secret, and would be found in any text.
SHORTEST_SECRET = 4


def deliver(url: str, title: str, text: str, look: str) -> str:
    """Give a message to a URL; return why that failed, or nothing."""
    try:
        import apprise
    except ImportError:
        return MISSING
    asset = apprise.AppriseAsset(app_id="autoupdate", app_desc="autoupdate", app_url="")
    sender = apprise.Apprise(asset=asset)
    said = Said()
    logger = logging.getLogger("apprise")
    logger.addHandler(said)
    # What it says holds the URL at times; nobody but us may see it.
    logger.propagate = False
    try:
        if not sender.add(url):
            return NOT_KNOWN
        # A plain string in the Apprise of Debian 12, a member of an enumeration in that of 13.
        kind = getattr(apprise.NotifyType, look.upper())
        if sender.notify(body=text, title=title, notify_type=kind):
            return ""
    finally:
        logger.removeHandler(said)
    return redact(" ".join(said.lines), url) or "it was refused"


def fault(url: str) -> str:
    """Return what is wrong with a URL, as far as that can be told without using it."""
    try:
        import apprise
    except ImportError:
        return MISSING
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    logging.getLogger("apprise").propagate = False
    return "" if apprise.Apprise.instantiate(url, suppress_exceptions=True) else NOT_KNOWN


class Said(logging.Handler):
    """Takes what Apprise has to say."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take one line."""
        self.lines.append(record.getMessage())


def redact(text: str, url: str) -> str:
    """Return a text without anything that stands in a URL, as it is or with its escapes undone."""
    scheme, _, rest = url.partition("://")
    parts = {url, rest, unquote(url), unquote(rest)}
    for piece in re.split(r"[/:@?&=#,;]+", rest):
        parts |= {piece, unquote(piece)}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= SHORTEST_SECRET and part != scheme:
            text = text.replace(part, "…")
    return text
