"""Takes over compiled modules of the release before, where the source has not changed.

To compile thousands of modules takes longer than all the rest of an update that changes one line.
What Python records of the source in a compiled module, its time and size (PEP 552), is replaced by
that of the new release's file; the path of the source is corrected by each import
(importlib._bootstrap_external, _compile_bytecode).
"""

import os
import re
import stat
import struct
import tempfile
from collections.abc import Iterator, Sequence

# Magic number, flags (0: by time and size), time of the source, its size (PEP 552).
HEADER = struct.Struct("<4sIII")
CACHE = "__pycache__"
VERSION = re.compile(r"Python (\d+)\.(\d+)")
# Modules are read as a whole. In bytes.
LARGEST = 16 << 20
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def take_over(places: Sequence[str], release: str, former: str, interpreter: str) -> list[str]:
    """Copy what is compiled in `former`; return the modules that still have to be compiled.

    `places` are files and directories of a release; `interpreter` is what compiles them, with its
    version. Nothing is copied if the compiled module is not that of the former source as it is
    now, such as after an edit.
    """
    found = VERSION.search(interpreter)
    if not found or not former:
        return list(modules(places))
    suffix = f".cpython-{found[1]}{found[2]}.pyc"
    return [
        module
        for module in modules(places)
        if not _take_over(module, f"{former}{module.removeprefix(release)}", suffix)
    ]


def modules(places: Sequence[str]) -> Iterator[str]:
    """Yield the modules in files and directories; links to directories are not followed."""
    for place in places:
        if os.path.isfile(place):
            yield place
        for directory, inner, names in os.walk(place):
            # What was compiled is no source.
            inner[:] = [name for name in inner if name != CACHE]
            yield from (f"{directory}/{name}" for name in names if name.endswith(".py"))


def _take_over(module: str, former: str, suffix: str) -> bool:
    try:
        return _copy(module, former, suffix)
    except (OSError, struct.error):
        # Whatever it is, it can be compiled.
        return False


def _copy(module: str, former: str, suffix: str) -> bool:
    source, facts = _read(module)
    same, before = _read(former)
    if source != same:
        return False
    directory, name = os.path.split(former)
    compiled, _ = _read(f"{directory}/{CACHE}/{name.removesuffix('.py')}{suffix}")
    magic, flags, modified, size = HEADER.unpack_from(compiled)
    if flags or (modified, size) != _recorded(before):
        return False
    cache = f"{os.path.dirname(module)}/{CACHE}"
    if os.path.islink(cache):
        return False
    os.makedirs(cache, exist_ok=True)
    target = f"{cache}/{name.removesuffix('.py')}{suffix}"
    _write(target, HEADER.pack(magic, flags, *_recorded(facts)) + compiled[HEADER.size :])
    return True


def _write(file: str, content: bytes) -> None:
    """Write a file as a whole: half a module with the right header would never be compiled again.

    Raises OSError.
    """
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(file))
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), 0o644)
        os.rename(temporary, file)
    except OSError:
        os.unlink(temporary)
        raise


def _recorded(facts: os.stat_result) -> tuple[int, int]:
    """Return what a compiled module records of its source: the time and the size, in 32 bits."""
    return int(facts.st_mtime) & 0xFFFFFFFF, facts.st_size & 0xFFFFFFFF


def _read(file: str) -> tuple[bytes, os.stat_result]:
    """Return the content of a regular file, and its facts. Raises OSError."""
    descriptor = os.open(file, READ)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > LARGEST:
            raise OSError(f"{file} is no module")
        return os.read(descriptor, facts.st_size + 1), facts
    finally:
        os.close(descriptor)
