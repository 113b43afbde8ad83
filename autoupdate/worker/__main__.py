"""The process that the run starts as the builds' user: `python3 -m autoupdate.worker HOME`."""

import os
import sys

from autoupdate.host.process import UMASK
from autoupdate.model.paths import AppPaths
from autoupdate.worker.orphans import become_subreaper
from autoupdate.worker.server import Server, refuse, serve
from autoupdate.worker.writable import confine_worker

if __name__ == "__main__":
    # It was only needed to find this package; builds must not inherit it.
    os.environ.pop("PYTHONPATH", None)
    os.umask(UMASK)
    become_subreaper()
    own = AppPaths(home=sys.argv[1], run="")
    try:
        confine_worker(own)
    except OSError as error:
        refuse(error)
    else:
        serve(Server(own))
