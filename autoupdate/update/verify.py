"""verify: is it really upstream's commit, and does it come after what was deployed here?"""

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
    """Return who signed the commit; empty if nobody who is trusted did, or nobody looked.

    Raises RefusedError with the verdict of the gate that does not let it pass.
    """
    app.records.enter(transaction.id, Step.VERIFY, app.clock.now())
    commit = transaction.commit
    with_sound_mirror(app, commit, lambda: pass_all(gates, app, commit, force=force))
    return signer_of(app.records, commit)
