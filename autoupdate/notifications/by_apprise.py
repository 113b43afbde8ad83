"""Sends one message to one URL by Apprise (Debian's package `apprise`); hides the URL's secrets."""

import logging
import re
from urllib.parse import unquote

NOT_KNOWN = "is not a URL that Apprise knows"
MISSING = "apprise is not installed; to install it: apt install apprise"
# Shorter parts of a URL, such as a port, are no secrets, and are common in other text.
SHORTEST_SECRET = 4


def deliver(url: str, title: str, text: str, look: str) -> str:
    """Send a message to a URL; return why that failed, or "".

    `look`: the Apprise notification type, such as "success".
    """
    try:
        import apprise
    except ImportError:
        return MISSING
    asset = apprise.AppriseAsset(app_id="autoupdate", app_desc="autoupdate", app_url="")
    sender = apprise.Apprise(asset=asset)
    said = Said()
    logger = logging.getLogger("apprise")
    logger.addHandler(said)
    # Apprise may log the URL; only Said gets these lines.
    logger.propagate = False
    try:
        if not sender.add(url):
            return NOT_KNOWN
        # A plain string in Debian 12's Apprise, an enumeration member in Debian 13's.
        kind = getattr(apprise.NotifyType, look.upper())
        if sender.notify(body=text, title=title, notify_type=kind):
            return ""
    finally:
        logger.removeHandler(said)
    return redact(" ".join(said.lines), url) or "Apprise gave no reason"


def fault(url: str) -> str:
    """Return what is wrong with a URL, or "", as far as it can be known without using the URL."""
    try:
        import apprise
    except ImportError:
        return MISSING
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    logging.getLogger("apprise").propagate = False
    return "" if apprise.Apprise.instantiate(url, suppress_exceptions=True) else NOT_KNOWN


class Said(logging.Handler):
    """Collects the warnings and errors that Apprise logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Collect one line."""
        self.lines.append(record.getMessage())


def redact(text: str, url: str) -> str:
    """Return a text without the parts of a URL, as they are and with their escapes decoded."""
    scheme, _, rest = url.partition("://")
    parts = {url, rest, unquote(url), unquote(rest)}
    for piece in re.split(r"[/:@?&=#,;]+", rest):
        parts |= {piece, unquote(piece)}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= SHORTEST_SECRET and part != scheme:
            text = text.replace(part, "…")
    return text
