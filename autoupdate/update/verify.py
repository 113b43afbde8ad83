"""verify: is the commit signed, and does it descend from what was deployed here?"""

from collections.abc import Sequence

from autoupdate.app import App
from autoupdate.gates.order import VERIFY, Gate, pass_all
from autoupdate.gates.signatures import signer_of
from autoupdate.model.steps import Step
from autoupdate.records.rows import Transaction
from autoupdate.update.fetch import with_sound_mirror


def verify(
    app: App, transaction: Transaction, gates: Sequence[Gate] = VERIFY, *, force: bool
) -> str:
    """Return who signed the commit; empty without a trusted signature, or if none was checked.

    Raises RefusedError with the verdict of the first gate that refuses the commit.
    """
    app.records.enter(transaction.id, Step.VERIFY, app.clock.now())
    commit = transaction.commit
    with_sound_mirror(app, commit, lambda: pass_all(gates, app, commit, force=force))
    return signer_of(app.records, commit)
