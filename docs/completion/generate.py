"""Writes the completion for all shells: `python3 -m docs.completion.generate DIRECTORY`.

The files have the names that the shells look for.
"""

import sys
from pathlib import Path

from autoupdate.model.paths import Paths
from docs.completion import bash, fish, zsh


def scripts(paths: Paths) -> dict[str, str]:
    """Return every script by its file name, for a host with its files below `paths.root`."""
    return {
        "bash/autoupdatectl": bash.script(paths),
        "zsh/_autoupdatectl": zsh.script(paths),
        "fish/autoupdatectl.fish": fish.script(paths),
    }


def main(directory: str) -> None:
    """Write the scripts below a directory."""
    for name, text in scripts(Paths()).items():
        file = Path(directory) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
