"""Runs a program of another user in a terminal of its own, and copies between it and ours (pty(7)).

With the caller's terminal it could type commands into the shell of the caller, who may be root.
"""

import fcntl
import os
import pty
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from autoupdate.host.process import end_with, exit_code

CHUNK = 1 << 16


def in_own_terminal(begin: Callable[[], int]) -> int:
    """Call `begin` in a child with a new terminal; return the exit code of the child.

    `begin` becomes a program, or returns why that failed.
    """
    sys.stdout.flush()
    child, terminal = pty.fork()
    if child == 0:
        end_with(begin)

    def resize(_: int = 0, __: FrameType | None = None) -> None:
        with suppress(OSError):
            size = fcntl.ioctl(sys.stdin.fileno(), termios.TIOCGWINSZ, bytes(8))
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)

    resize()
    signal.signal(signal.SIGWINCH, resize)
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        copy(terminal)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, before)
        # The program is told as if its terminal had been closed.
        os.close(terminal)
    return exit_code(os.waitpid(child, 0)[1])


def copy(terminal: int) -> None:
    """Copy until the program has ended: what is typed to it, and what it writes to us."""
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    sources = [keyboard, terminal]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if keyboard in ready:
            typed = os.read(keyboard, CHUNK)
            if typed:
                write(terminal, typed)
            else:
                sources.remove(keyboard)
        if terminal in ready:
            try:
                shown = os.read(terminal, CHUNK)
            except OSError:
                # EIO: nobody has the other side open any more.
                return
            if not shown:
                return
            write(screen, shown)


def write(descriptor: int, content: bytes) -> None:
    """Write all of it."""
    while content:
        content = content[os.write(descriptor, content) :]
