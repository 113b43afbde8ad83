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

    from autoupdate.app import App, Outcome


def main(arguments: list[str], paths: Paths | None = None) -> int:
    """Run one command; return its exit code."""
    from autoupdate.config import default_app
    from autoupdate.parser import parser

    chosen = parser().parse_args(arguments)
    paths = paths or Paths()
    try:
        read_words(chosen)
        app = chosen.app or default_app(paths)
        return VERBS[chosen.verb](paths, app, chosen)
    except AutoupdateError as error:
        if chosen.json:
            app = getattr(chosen, "app", None)
            facts = {"app": app, "result": "error", "exit_code": error.exit_code}
            print_json({**facts, "reason": error.message, "advice": error.advice})
        complain(error.message, error.advice)
        return error.exit_code
    except KeyboardInterrupt:
        complain("interrupted; the next run finishes or undoes what was begun", "")
        return 130
    except BrokenPipeError:
        # The reader of our output has left (`| head`); nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED


def read_words(chosen: "Namespace") -> None:
    """Find the app among the words of a verb that takes something else as well."""
    from autoupdate import words

    if chosen.verb == "rollback":
        chosen.release, chosen.app = words.release_and_app(chosen.words)
    elif chosen.verb == "quarantine":
        chosen.commit, chosen.app = words.commit_and_app(chosen.words)


def run(paths: Paths, app: str, chosen: "Namespace") -> int:
    """autoupdatectl run"""
    from autoupdate import session

    ready = prepare(paths, app)
    return finish(session.run(ready, wait=not chosen.no_wait, force=chosen.force), app, chosen)


def rollback(paths: Paths, app: str, chosen: "Namespace") -> int:
    """autoupdatectl rollback"""
    from autoupdate import session

    ready = prepare(paths, app)
    outcome = session.run(ready, wait=not chosen.no_wait, back_to=chosen.release)
    return finish(outcome, app, chosen)


def prepare(paths: Paths, app: str) -> "App":
    """Make an app ready for a run; log why that is impossible, as nobody may see it otherwise."""
    from autoupdate.assemble import assemble, builder
    from autoupdate.events import FAILED, Event
    from autoupdate.log import HostLog

    require_root(paths)
    try:
        return assemble(paths, app, identity=builder())
    except AutoupdateError as error:
        HostLog(paths.log).write(Event(FAILED, f"{app}: {error.message}", app))
        raise


def require_root(paths: Paths) -> None:
    """Raise NotPermittedError for those who may not change anything."""
    if os.geteuid() != 0 and not paths.root:
        raise NotPermittedError("only root may do that", "try it with sudo")


def quarantine(paths: Paths, app: str, chosen: "Namespace") -> int:
    """autoupdatectl quarantine"""
    from autoupdate import runtime
    from autoupdate.assemble import assemble, builder
    from autoupdate.quarantine import clear

    if not chosen.commit:
        show(status_facts(paths, app)["quarantine"], "quarantine", chosen)
        return Exit.DONE
    require_root(paths)
    ready = assemble(paths, app, identity=builder())
    with runtime.exclusive(ready.paths, app, wait=True):
        commit = clear(ready, chosen.commit)
    if chosen.json:
        print_json({"app": app, "cleared": commit})
    else:
        print(f"{app}: commit {commit} is tried again by the next run")
    return Exit.DONE


def finish(outcome: "Outcome", app: str, chosen: "Namespace") -> int:
    """Print how a run ended."""
    if chosen.json:
        print_json({"app": app, **outcome._asdict()})
    if outcome.exit_code != Exit.DONE:
        complain(outcome.reason, outcome.advice)
    elif not chosen.json:
        print(outcome.reason)
    return outcome.exit_code


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


VERBS = {
    "run": run,
    "rollback": rollback,
    "quarantine": quarantine,
    "check": check,
    "status": status,
    "history": history,
}
