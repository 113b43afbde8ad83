"""The catalog of the journal (journalctl -x) explains all kinds of events, and no others."""

import re
from pathlib import Path

from autoupdate.model import events
from autoupdate.model.events import OUTPUT, Kind

CATALOG = Path(__file__).parents[3] / "units/catalog/autoupdate.catalog"
KINDS = [value for value in vars(events).values() if isinstance(value, Kind)]
FIELDS = {"APP", "COMMIT", "RELEASE", "STEP", "EVENT"}


def entries() -> dict[str, str]:
    """Return the catalog's entries by message id."""
    parts = re.split(r"^-- ([0-9a-f]{32})$", CATALOG.read_text(), flags=re.MULTILINE)
    ids, texts = parts[1::2], parts[2::2]
    assert len(ids) == len(set(ids))
    return dict(zip(ids, texts, strict=True))


def test_kinds_differ() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 15
    assert len({kind.message_id for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert re.fullmatch(r"[0-9a-f]{32}", kind.message_id)
        assert 0 <= kind.priority <= 7


def test_catalog_explains_every_kind_but_output() -> None:
    explained = entries()
    assert set(explained) - {OUTPUT.message_id} == {
        kind.message_id for kind in KINDS if kind != OUTPUT
    }
    for text in explained.values():
        header, _, body = text.strip().partition("\n\n")
        assert header.startswith("Subject: ")
        assert "Defined-By: ipfs-accelerate-autoupdate" in header
        assert len(body) > 20
        assert set(re.findall(r"@AUTOUPDATE_([A-Z_]+)@", text)) <= FIELDS
