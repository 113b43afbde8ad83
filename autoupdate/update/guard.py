"""guard: is this a sane change to take? Judged from the mirror, before anything is built of it."""

from collections.abc import Sequence

from autoupdate.app import App
from autoupdate.gates.order import GUARD, Gate, pass_all
from autoupdate.records.rows import Transaction
from autoupdate.update.fetch import with_sound_mirror


def guard(
    app: App, transaction: Transaction, gates: Sequence[Gate] = GUARD, *, force: bool
) -> None:
    """Raise RefusedError with the verdict of the first gate that does not let the commit pass."""
    commit = transaction.commit
    with_sound_mirror(app, commit, lambda: pass_all(gates, app, commit, force=force))
