"""What bin/autoupdatectl calls: first the fast path of `run`, because it loads the least."""

import os
import sys

from autoupdate.model.paths import Paths
from autoupdate.service_start.fast_path import find_nothing_new, is_plain


def main(arguments: list[str], paths: Paths | None = None) -> int:
    """Run autoupdatectl; return its exit code."""
    # As in the units (host/process.py): a root shell may have 077, and _autoupdate must read much.
    os.umask(0o022)
    paths = paths or Paths()
    # main.py opens streams that the caller closed; the fast path does not.
    if arguments[:1] == ["run"] and None not in (sys.stdin, sys.stdout, sys.stderr):
        words = arguments[2:] if arguments[1:2] == ["--"] else arguments[1:]
        name = words[0] if words else only_app(paths)
        if len(words) < 2 and is_plain(name) and (reason := find_nothing_new(paths, name)):
            return say(reason)
    from autoupdate.cli.main import main as usual

    return usual(arguments, paths)


def say(reason: str) -> int:
    """Print how the run ended; return its exit code."""
    try:
        print(reason, flush=True)
    except OSError:
        from autoupdate.cli.main import readable

        # The line is still in the buffer: flushing it again raises, and is handled there.
        return readable(lambda: 0)
    return 0


def only_app(paths: Paths) -> str:
    """Return the app if there is only one on this host, otherwise an empty string."""
    names = set()
    for directory in (f"{paths.vendor}/apps", f"{paths.etc}/apps"):
        try:
            found = os.listdir(directory)
        except OSError:
            continue
        names |= {name.removesuffix(".d").removesuffix(".toml") for name in found}
    return names.pop() if len(names) == 1 else ""
