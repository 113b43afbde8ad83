"""A problem, and the steps that heal it."""

import shlex
from typing import NamedTuple

PACKAGE = "ipfs-accelerate-autoupdate"


class Command(NamedTuple):
    """A command that is part of a cure."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        """Return the command line."""
        return shlex.join(self.words)


class Text(NamedTuple):
    """A file that is written as part of a cure."""

    file: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        """Return the command line."""
        lines = " ".join(shlex.quote(line) for line in self.lines)
        target = shlex.quote(self.file)
        return f"printf '%s\\n' {lines} | install -D --mode=644 /dev/stdin {target}"


Step = Command | Text


class Finding(NamedTuple):
    """A problem: what it is about, what is wrong, and what heals it."""

    about: str
    what: str
    steps: tuple[Step, ...] = ()
    """The cure; empty if only a person can decide what to do."""
    advice: str = ""
    """What to do if there are no steps, or what to know about them."""
    asks: bool = False
    """Whether a person is asked first: it restarts services, or somebody may have wanted it so."""

    @property
    def mend(self) -> str:
        """What to type, on one line."""
        typed = " && ".join(map(str, self.steps))
        return " ".join(filter(None, [typed, self.advice]))


def command(*words: str) -> Command:
    """Return a command."""
    return Command(words)


RELOAD = command("systemctl", "daemon-reload")


def rest_of(app: str) -> Command:
    """Return the command that has the next run do the rest."""
    return command("autoupdatectl", "run", app)


def comment_out(file: str, line: int, known: str) -> Command:
    """Return the command that comments out a line, only if it still has what is known of it."""
    return command("sed", "--in-place", f"{line}{{/{known}/s/^/# /}}", file)
