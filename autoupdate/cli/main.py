"""autoupdatectl: parses the command line, calls the verb, and returns the exit code.

Only the module of that verb is imported (verbs/), to keep a run that finds nothing new fast.
"""

import os
import sys
from typing import TYPE_CHECKING

from autoupdate.cli.output import (
    OutputError,
    complain,
    discard_output,
    flush,
    print_json,
    raise_unwritable,
)
from autoupdate.host.log import say
from autoupdate.model.errors import AutoupdateError, Exit, Interrupted
from autoupdate.model.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable


def main(arguments: list[str], paths: Paths | None = None) -> int:
    """Run one command; return its exit code."""
    open_missing_streams()
    return readable(lambda: obey(arguments, paths or Paths()))


def readable(work: "Callable[[], int]") -> int:
    """Do something that prints; return its exit code, or an error if standard output fails."""
    try:
        code = work()
        flush()
    except BrokenPipeError:
        # The reader has closed the pipe (`| head`).
        discard_output()
        return Exit.FAILED
    except OutputError as error:
        complain(error.message, error.advice)
        return error.exit_code
    return code


def obey(arguments: list[str], paths: Paths) -> int:
    """Do what the command line asks for; return the exit code."""
    from autoupdate.cli.parser import CommandLineError, parse
    from autoupdate.config.load import default_app

    try:
        chosen = parse(arguments)
    except SystemExit:
        # --help and --version end here.
        flush()
        raise
    except OSError as error:
        # A help text longer than the buffer is written before argparse exits.
        raise_unwritable(error)
    except CommandLineError as error:
        if "--json" in arguments:
            print_error(None, error)
        say(f"autoupdatectl: {error.message}; {error.advice}")
        return error.exit_code
    try:
        if "words" in chosen:
            from autoupdate.cli import operands

            operands.understand(chosen)
        app = chosen.app or ("" if "every" in chosen else default_app(paths))
        return function(chosen.does)(paths, app, chosen)
    except OutputError:
        raise
    except AutoupdateError as error:
        if chosen.json:
            print_error(getattr(chosen, "app", None), error)
        complain(error.message, error.advice)
        return error.exit_code
    except KeyboardInterrupt as error:
        told = error if isinstance(error, Interrupted) else Interrupted("")
        said = told.message or "interrupted; the next run finishes or undoes what was started"
        complain(said, "")
        return told.exit_code


def open_missing_streams() -> None:
    """Open streams that the caller closed (`>&-`), so that no other file gets their descriptors."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, descriptor)
            if null == descriptor:
                os.set_inheritable(null, True)
            else:
                os.close(null)
            setattr(sys, name, os.fdopen(descriptor, "w" if descriptor else "r", closefd=False))


def print_error(app: str | None, error: AutoupdateError) -> None:
    """Print an error as JSON."""
    facts = {"app": app, "result": "error", "exit_code": error.exit_code}
    print_json({**facts, "reason": error.message, "advice": error.advice})


def function(does: str) -> "Callable[..., int]":
    """Import the function of a verb, such as "steer.unhold"."""
    from importlib import import_module

    module, _, name = does.partition(".")
    found: Callable[..., int] = getattr(import_module(f"autoupdate.cli.verbs.{module}"), name)
    return found
