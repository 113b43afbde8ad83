"""autoupdate-clean@.service: removes what runs have thrown away, when the host has time for it."""

import os
import sys

from autoupdate.cli.confirm_unit import load
from autoupdate.host.log import say
from autoupdate.host.process import UMASK
from autoupdate.model.errors import AutoupdateError
from autoupdate.model.paths import Paths
from autoupdate.update.retention import empty_trash


def main(arguments: list[str], paths: Paths | None = None) -> int:
    """Empty the trash of one app."""
    os.umask(UMASK)
    try:
        empty_trash(load(paths or Paths(), arguments[0]))
    except AutoupdateError as error:
        say(f"autoupdate: {error.message}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
