"""Ways in which a commit of the demo application can be bad; each adds text to some files."""

from enum import Enum

_CRASH = """\
import os
import threading

threading.Timer({seconds}, os._exit, (1,)).start()

"""
_HANG = "import time\n\ntime.sleep(1000000)\n\n"

_DAEMON = """\
import subprocess

subprocess.Popen(["sleep", "1000000"], start_new_session=True)

"""

_FILL = """\
from pathlib import Path

with Path("filler").open("wb") as filler:
    while True:
        filler.write(bytes(1 << 20))

"""


class Broken(Enum):
    """What is wrong with a commit."""

    IMPORT_ERROR = "no service can import its own package"
    SYNTAX_ERROR = "a module is not Python"
    CRASH = "the HTTP service exits right away"
    CRASH_LATER = "the HTTP service exits some seconds after its start"
    CRASH_MCP = "only the HTTPS service exits"
    CRASH_LAUNCHER = "only the worker exits"
    HANG = "the HTTP service starts but never listens"
    HANG_IN_START = "ExecStartPre does not end"
    UNHEALTHY = "/health answers 500"
    REQUIREMENT = "a requirement has no such version"
    BUILD_FAILS = "setup.py raises"
    BUILD_HANGS = "setup.py does not end"
    BUILD_FILLS_DISK = "setup.py writes until there is no space"
    BUILD_FORKS = "setup.py leaves a process in the background"


def breakage(broken: Broken, seconds: float = 5) -> dict[str, str]:
    """Return the text to insert at the beginning of files, by path."""
    package = "ipfs_accelerate_py"
    return {
        Broken.IMPORT_ERROR: {f"{package}/about.py": "import a_module_that_is_missing\n\n"},
        Broken.SYNTAX_ERROR: {f"{package}/about.py": "this is not Python\n"},
        Broken.CRASH: {f"{package}/serve.py": 'raise SystemExit("serve is broken")\n'},
        Broken.CRASH_LATER: {f"{package}/serve.py": _CRASH.format(seconds=seconds)},
        Broken.CRASH_MCP: {f"{package}/mcp.py": 'raise SystemExit("mcp is broken")\n'},
        Broken.CRASH_LAUNCHER: {f"{package}/launcher.py": 'raise SystemExit("no worker")\n'},
        Broken.HANG: {f"{package}/serve.py": _HANG},
        Broken.HANG_IN_START: {f"{package}/about.py": _HANG},
        Broken.UNHEALTHY: {},
        # A project that exists: no test must ask a registry for an unregistered name.
        Broken.REQUIREMENT: {"requirements.txt": "iniconfig==99.99\n"},
        Broken.BUILD_FAILS: {"setup.py": 'raise SystemExit("setup is broken")\n'},
        Broken.BUILD_HANGS: {"setup.py": _HANG},
        Broken.BUILD_FILLS_DISK: {"setup.py": _FILL},
        Broken.BUILD_FORKS: {"setup.py": _DAEMON},
    }[broken]
