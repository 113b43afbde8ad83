"""The administrator's hooks before and after an update or a rollback.

pre-update.d runs before the switch; a hook that fails there stops an update, but not a rollback.
post-update.d runs at the end, whatever the result; its failures change nothing.
"""

from autoupdate.app import App
from autoupdate.host.hook_files import POST, PRE
from autoupdate.host.process import base_environment
from autoupdate.model.events import HOOK_FAILED, OUTPUT
from autoupdate.model.sizes import counted
from autoupdate.model.steps import Result, Step
from autoupdate.model.verdict import Verdict
from autoupdate.records.rows import Transaction

GATE = "hooks"
UPDATE, ROLL_BACK = "update", "rollback"
# Only the last lines that a hook prints are logged.
MOST_LINES = 200
LONGEST_LINE = 500


def may_run(app: App, commit: str) -> Verdict:
    """Return whether all hooks before the switch may run; they do not run here."""
    found = app.host.hooks.find(PRE)
    faults = [fault for hook in found if (fault := app.host.hooks.fault(hook))]
    if faults:
        return Verdict(GATE, False, faults[0], "fix it, or move it away")
    return Verdict(GATE, True, f"{counted(len(found), 'hook')} to run before the switch")


def before_update(app: App, transaction: Transaction) -> Verdict | None:
    """Run the hooks before the switch; return the verdict of the one that stops the update."""
    fault = run_all(app, transaction, PRE, {"AUTOUPDATE_EVENT": UPDATE}, stop=True)
    if not fault:
        return None
    # These undo what the first hooks did, such as draining a proxy.
    after(app, transaction, Result.DEFERRED)
    return Verdict(GATE, False, fault, "the next run runs the hooks again")


def before_roll_back(app: App, transaction: Transaction) -> None:
    """Run the hooks before a rollback; they cannot stop it."""
    run_all(app, transaction, PRE, {"AUTOUPDATE_EVENT": ROLL_BACK}, stop=False)


def after(app: App, transaction: Transaction, result: Result) -> None:
    """Run the hooks after an update or a rollback, with its result."""
    step = app.records.transaction(transaction.id).step
    event = ROLL_BACK if step == Step.ROLL_BACK else UPDATE
    facts = {"AUTOUPDATE_EVENT": event, "AUTOUPDATE_RESULT": result}
    run_all(app, transaction, POST, facts, stop=False)


def run_all(
    app: App, transaction: Transaction, stage: str, facts: dict[str, str], *, stop: bool
) -> str:
    """Run the hooks of a stage; with `stop`, end at the first that fails and return why."""
    hooks = app.host.hooks.find(stage)
    if not hooks:
        return ""
    environment = base_environment("/root") | describe(app, transaction, facts)
    ends = app.clock.monotonic() + app.settings.hooks.timeout
    for hook in hooks:
        fault = run_one(app, hook, transaction.release, environment, ends - app.clock.monotonic())
        if fault:
            message = f"{app.name}: hook {hook} {fault}"
            app.tell(HOOK_FAILED, message, commit=transaction.commit, step=stage)
        if fault and stop:
            return f"hook {hook} {fault}"
    return ""


def run_one(app: App, hook: str, release: str, environment: dict[str, str], left: float) -> str:
    """Run one hook, if it may run; return why it failed, or nothing."""
    if fault := app.host.hooks.fault(hook):
        return f"may not run: {fault}"
    if left <= 0:
        return "was not run: hooks.timeout is used up"
    fault, lines = app.host.hooks.run(hook, environment, left)
    for line in lines[-MOST_LINES:]:
        app.tell(OUTPUT, f"{hook}: {line[:LONGEST_LINE]}", release=release, step="hooks")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"{fault}: {last[:LONGEST_LINE]}" if fault and last else fault


def describe(app: App, transaction: Transaction, facts: dict[str, str]) -> dict[str, str]:
    """Return the environment variables for hooks."""
    going_to, leaving = transaction.release, transaction.previous
    if facts["AUTOUPDATE_EVENT"] == ROLL_BACK:
        going_to, leaving = leaving, going_to
    return {
        "AUTOUPDATE_APP": app.name,
        "AUTOUPDATE_PATH": app.settings.path,
        "AUTOUPDATE_RELEASE": going_to,
        "AUTOUPDATE_COMMIT": commit_of(app, transaction, going_to),
        "AUTOUPDATE_PREVIOUS_COMMIT": commit_of(app, transaction, leaving),
        **facts,
    }


def commit_of(app: App, transaction: Transaction, release: str) -> str:
    """Return the commit of a release; empty if it is unknown."""
    if release == transaction.release:
        return transaction.commit
    known = app.records.release(release)
    return known.commit if known else ""
