"""Compiles modules before a release is switched to, so that its services start faster."""

import os
import tempfile
from collections.abc import Iterator, Sequence

from autoupdate.worker.packages.uv import Command

# With more modules than this, several processes compile faster than one.
MANY_FILES = 200


def compile_modules(command: Command, python: str, places: Sequence[str]) -> None:
    """Compile the modules in these files and directories, at low priority.

    Errors are ignored: upstream may not use the file.
    """
    if places:
        # For a few files, several processes take longer than one.
        together = ["-j0"] if has_many_files(places) else []
        # -S: installed packages are not needed, and finding them takes longer than compiling.
        words = [python, "-I", "-S", "-m", "compileall", "-q", *together, *places]
        command(["nice", "-n", "10", *words], "/", {})


def compile_listed(command: Command, release: str, modules: Sequence[str]) -> None:
    """Compile these modules of a release, as compile_modules does."""
    # A name with a line feed cannot be listed, and cannot be imported.
    lines = "".join(f"{module}\n" for module in modules if "\n" not in module)
    if not lines:
        return
    together = ["-j0"] if len(modules) > MANY_FILES else []
    # A package may have installed files of any name there.
    with tempfile.NamedTemporaryFile("w", dir=f"{release}/.venv", encoding="utf-8",
                                     errors="surrogateescape") as listed:  # fmt: skip
        listed.write(lines)
        listed.flush()
        python = f"{release}/.venv/bin/python"
        words = [python, "-I", "-S", "-m", "compileall", "-q", *together, "-i", listed.name]
        command(["nice", "-n", "10", *words], "/", {})


def imported_places(release: str, facts: Sequence[str]) -> list[str]:
    """Return what of a release is imported by name: not its tests and data.

    `facts` are the directories of what is recorded of its own installed packages (.dist-info).
    Without them the app is no package, and everything may be imported.
    """
    # The environment was compiled before it was copied.
    names = sorted(set(os.listdir(release)) - {".venv", ".git"})
    everything = [place for name in names if is_code(place := f"{release}/{name}")]
    found: set[str] = set()
    for directory in facts:
        tops = list(top_level(directory))
        # A finder instead of a path entry leads to the same places.
        roots = list(path_entries(directory, release)) or [release, f"{release}/src"]
        if not tops:
            return everything
        for root in roots:
            found |= {place for top in tops for place in (f"{root}/{top}", f"{root}/{top}.py")}
    return sorted(filter(is_code, found)) or everything


def top_level(facts: str) -> Iterator[str]:
    """Yield the names by which a package is imported, as far as its build back end says them."""
    try:
        with open(f"{facts}/top_level.txt", encoding="utf-8", errors="replace") as stream:
            yield from (name for line in stream if (name := line.strip()).isidentifier())
    except OSError:
        return


def path_entries(facts: str, release: str) -> Iterator[str]:
    """Yield the directories of a release from which an editable install imports."""
    try:
        with open(f"{facts}/RECORD", encoding="utf-8", errors="replace") as stream:
            names = [line.rsplit(",", 2)[0].strip('"') for line in stream]
    except OSError:
        return
    top = os.path.dirname(facts)
    for name in names:
        if name.endswith(".pth") and os.path.isfile(f"{top}/{name}"):
            with open(f"{top}/{name}", encoding="utf-8", errors="replace") as stream:
                for line in stream:
                    place = os.path.normpath(line.strip() or "/")
                    if f"{place}/".startswith(f"{release}/"):
                        yield place


def is_code(place: str) -> bool:
    """Return whether there may be something to compile."""
    return (os.path.isdir(place) and not os.path.islink(place)) or (
        place.endswith(".py") and os.path.isfile(place)
    )


def has_many_files(places: Sequence[str]) -> bool:
    """Return whether several processes compile these files faster than one."""
    files = 0
    for place in places:
        if os.path.isfile(place):
            files += 1
        for _, _, names in os.walk(place):
            files += sum(name.endswith(".py") for name in names)
            if files > MANY_FILES:
                return True
    return False
