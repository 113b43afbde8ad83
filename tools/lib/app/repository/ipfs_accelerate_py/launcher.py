"""The worker: writes what it is to `state/` each second, and a line to `logs/`."""

import json
import time
from pathlib import Path

from .about import about

if __name__ == "__main__":
    # A tracked file that a service rewrites: the checkout is never clean for long.
    starts = Path("state/starts")
    starts.write_text(f"{int(starts.read_text()) + 1}\n")
    while True:
        facts = {**about(), "written": time.time()}
        new = Path("state/launcher.json.new")
        new.write_text(json.dumps(facts))
        new.rename("state/launcher.json")
        with Path("logs/launcher.log").open("a") as log:
            log.write(f"{time.time():.3f} version {facts['version']}\n")
        time.sleep(1)
