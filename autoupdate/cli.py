"""autoupdatectl: reads the command line, does what a verb says, prints, and gives the exit code.

What only some verbs need is imported by them: a run that finds nothing new must cost nothing.
"""

import os
import sys
from typing import TYPE_CHECKING, Any

from autoupdate.errors import AutoupdateError, Exit, NotPermittedError
from autoupdate.paths import Paths

if TYPE_CHECKING:
    from argparse import Namespace

    from autoupdate.app import Outcome


def main(arguments: list[str], paths: Paths | None = None) -> int:
    """Run one command; return its exit code."""
    from autoupdate.config import default_app
    from autoupdate.parser import parser

    chosen = parser().parse_args(arguments)
    paths = paths or Paths()
    try:
        app = chosen.app or default_app(paths)
        return VERBS[chosen.verb](paths, app, chosen)
    except AutoupdateError as error:
        if chosen.json:
            print_json({"app": chosen.app, "result": "error", "exit_code": error.exit_code,
                        "reason": error.message, "advice": error.advice})  # fmt: skip
        complain(error.message, error.advice)
        return error.exit_code
    except KeyboardInterrupt:
        complain("interrupted; the next run finishes or undoes what was begun", "")
        return 130
    except BrokenPipeError:
        # The reader of our output has left (`| head`); nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED


def run(paths: Paths, app: str, chosen: "Namespace") -> int:
    """autoupdatectl run"""
    from autoupdate import session
    from autoupdate.assemble import assemble, builder

    if os.geteuid() != 0 and not paths.root:
        raise NotPermittedError("only root may run updates", "try it with sudo")
    try:
        ready = assemble(paths, app, identity=builder())
    except AutoupdateError as error:
        log_refusal(paths, app, error)
        raise
    outcome = session.run(ready, wait=not chosen.no_wait, force=chosen.force)
    return finish(outcome, app, chosen)


def finish(outcome: "Outcome", app: str, chosen: "Namespace") -> int:
    """Print how a run ended."""
    if chosen.json:
        print_json({"app": app, **outcome._asdict()})
    if outcome.exit_code != Exit.DONE:
        complain(outcome.reason, outcome.advice)
    elif not chosen.json:
        print(outcome.reason)
    return outcome.exit_code


def log_refusal(paths: Paths, app: str, error: AutoupdateError) -> None:
    """Log why a run did not even begin; nobody may be looking at its output."""
    from autoupdate.events import FAILED, Event
    from autoupdate.log import HostLog

    HostLog(paths.log).write(Event(FAILED, f"{app}: {error.message}", app))


def check(paths: Paths, app: str, chosen: "Namespace") -> int:
    """autoupdatectl check"""
    from autoupdate.assemble import builder
    from autoupdate.check import check as ask
    from autoupdate.config import load

    settings = load(paths, app)
    candidate = ask(settings.upstream, paths.cache, builder())
    current = (status_facts(paths, app)["current"] or {}).get("commit")
    facts = {
        "app": app, "current": current, "candidate": candidate, "update": candidate != current,
    }  # fmt: skip
    show(facts, "check", chosen)
    return Exit.DONE


def status_facts(paths: Paths, app: str) -> dict[str, Any]:
    """Gather what `status` shows."""
    from autoupdate.config import load
    from autoupdate.services import Systemd
    from autoupdate.status import status

    return status(load(paths, app), paths.app(app), Systemd())


def status(paths: Paths, app: str, chosen: "Namespace") -> int:
    """autoupdatectl status"""
    show(status_facts(paths, app), "status", chosen)
    return Exit.DONE


def history(paths: Paths, app: str, chosen: "Namespace") -> int:
    """autoupdatectl history"""
    from autoupdate.config import load
    from autoupdate.status import history as entries

    load(paths, app)
    show(entries(paths.app(app), chosen.limit), "history", chosen)
    return Exit.DONE


def show(facts: Any, what: str, chosen: "Namespace") -> None:
    """Print facts as JSON or in words."""
    if chosen.json:
        print_json(facts)
    else:
        from autoupdate import render

        print(getattr(render, what)(facts))


def print_json(facts: Any) -> None:
    """Print facts as JSON."""
    import json

    print(json.dumps(facts, indent=2))


def complain(message: str, advice: str) -> None:
    """Tell on standard error what is wrong, unless that is the journal, which has it already."""
    from autoupdate.log import goes_to_journal, say

    if goes_to_journal(2):
        return
    say(f"autoupdatectl: {message}")
    if advice:
        say(f"  {advice}")


VERBS = {"run": run, "check": check, "status": status, "history": history}
