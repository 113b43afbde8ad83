"""uv, the fast installer: that of the host, or one that is downloaded for the app, pinned by hash.

Debian 12 and 13 have no package of it. It uses the host's settings: uv.toml, or else pip.conf
(pip_settings.py).
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from autoupdate.host.links import sync_directory
from autoupdate.host.process import SEARCH_PATH
from autoupdate.model.errors import HostFaultError
from autoupdate.worker.packages.installer import fault

# Runs a command in a directory, with added environment variables; returns status and output.
Command = Callable[[Sequence[str], str, dict[str, str]], tuple[int, str]]

VERSION = "0.13.9"
# SHA-256 of the manylinux wheels on PyPI: x86_64, aarch64.
HASHES = (
    "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
)
# A directory next to the environments; a build may write to it until it is complete.
DIRECTORY = f"uv-{VERSION}"
COMPLETE = "complete"
# Made when the download failed; its time says when that was.
MISSING = f"{DIRECTORY}.missing"
# Seconds until a failed download is tried again.
AGAIN = 86_400.0


def find(environments: str) -> str:
    """Return the path of uv, the host's or the downloaded one, or nothing."""
    program = f"{environments}/{DIRECTORY}/bin/uv"
    fetched = os.path.exists(f"{environments}/{DIRECTORY}/{COMPLETE}")
    return shutil.which("uv", path=SEARCH_PATH) or (program if fetched else "")


def fetch(environments: str, python: str, command: Command, *, needed: bool = False) -> str:
    """Download uv with pip, from the index that the host uses; return its path, or nothing.

    `needed`: nothing else can build. It is tried every time, and UnreachableError or HostFaultError
    says why it failed.
    """
    directory = f"{environments}/{DIRECTORY}"
    if not needed and _has_failed_lately(f"{environments}/{MISSING}"):
        return ""
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    wanted = f"{directory}/requirements.txt"
    with open(wanted, "w", encoding="utf-8") as file:
        file.write(f"uv=={VERSION} " + " ".join(f"--hash=sha256:{digest}" for digest in HASHES))
    commands = (
        [python, "-I", "-m", "venv", f"{directory}/pip"],
        [
            f"{directory}/pip/bin/python", "-P", "-m", "pip", "install", "--quiet", "--no-input",
            "--disable-pip-version-check", "--retries=1", "--require-hashes", "--no-deps",
            "--only-binary=:all:", f"--target={directory}", f"--requirement={wanted}",
        ],
    )  # fmt: skip
    for words in commands:
        status, output = command(words, "/", {})
        if status:
            # Builds could write to an incomplete one.
            shutil.rmtree(directory)
            os.makedirs(f"{environments}/{MISSING}", exist_ok=True)
            os.utime(f"{environments}/{MISSING}")
            if needed:
                # No commit is to blame for it.
                error = fault(status, output, HostFaultError)
                raise type(error)(
                    "build.installer is uv, but uv is not installed and cannot be downloaded:"
                    f" {error.message}",
                    "install uv, or set build.installer to auto",
                )
            return ""
    shutil.rmtree(f"{directory}/pip")
    with open(f"{directory}/{COMPLETE}", "w", encoding="utf-8") as mark:
        os.fsync(mark.fileno())
    sync_directory(directory)
    return find(environments)


def _has_failed_lately(mark: str) -> bool:
    try:
        return time.time() - os.stat(mark).st_mtime < AGAIN
    except FileNotFoundError:
        return False


def indexes(options: Iterable[Sequence[str]], host: Mapping[str, str]) -> list[str]:
    """Return the URLs of the indexes that are asked, for words of uv that name none.

    `options` are those of requirements files, each followed by its value; `host` are the settings.
    """
    given = [
        words[place + 1]
        for words in options
        for place, word in enumerate(words)
        if word in ("--index-url", "--extra-index-url")
    ]
    names = ("UV_INDEX", "UV_DEFAULT_INDEX")
    return [*given, *(url for name in names for url in host.get(name, "").split())]
