"""guard: is the commit a sane change? Checked in the mirror, before anything is built."""

from collections.abc import Sequence

from autoupdate.app import App
from autoupdate.gates.order import GUARD, Gate, pass_all
from autoupdate.records.rows import Transaction
from autoupdate.update.fetch import with_sound_mirror


def guard(
    app: App, transaction: Transaction, gates: Sequence[Gate] = GUARD, *, force: bool
) -> None:
    """Raise RefusedError with the verdict of the first gate that refuses the commit."""
    commit = transaction.commit
    with_sound_mirror(app, commit, lambda: pass_all(gates, app, commit, force=force))
