"""Source of a `sitecustomize` module that records which files a build back end reads.

Built on Python's audit events (PEP 578); see editable.py.
"""

VARIABLE = "AUTOUPDATE_TRACE"
FILE = "sitecustomize.py"
SOURCE = """
import atexit
import json
import os
import sys

log = os.environ.get("AUTOUPDATE_TRACE")
seen = set()
busy = []
PROCESSES = {"subprocess.Popen", "os.posix_spawn", "os.exec", "os.fork", "os.system"}
LISTINGS = {"os.listdir", "os.scandir"}


def hear(event, facts):
    if event in PROCESSES:
        seen.add(("process", ""))
    elif event == "open" and isinstance(facts[0], (str, bytes)):
        write = facts[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        note("write" if write else "read", facts[0])
    elif event in LISTINGS and isinstance(facts[0], (str, bytes, type(None))):
        note("list", facts[0] or ".")


def note(kind, path):
    if not busy:
        seen.add((kind, os.path.abspath(os.fsdecode(path))))


def end():
    busy.append(True)
    with open(log, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(sorted(seen)) + "\\n")


# Not in the installer itself: what it reads is part of the environment's key already.
if log and sys.orig_argv[1:2] != ["-P"] and "pip" not in sys.orig_argv:
    sys.addaudithook(hear)
    atexit.register(end)
"""
