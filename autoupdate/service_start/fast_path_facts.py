"""What the last run that found nothing new has asked, and of what its answer depended.

Written at the end of such a run, for the next one: as long as nothing of that has changed, the
same commit upstream means the same outcome (shortcut.py). Lines of a word and its value.
"""

import os

FORMAT = "1"
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
Facts = dict[str, list[str]]


def write(file: str, facts: Facts) -> None:
    """Write facts for root alone: an address may hold a password. Raises OSError."""
    lines = [f"{name} {value}" for name, values in facts.items() for value in values]
    if any("\n" in line for line in lines):
        return
    temporary = f"{file}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(
            descriptor, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        )
    finally:
        os.close(descriptor)
    os.rename(temporary, file)


def read(file: str) -> Facts | None:
    """Return what is known and still true; None when anything is not as it was."""
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as stream:
            text = stream.read()
    except OSError:
        return None
    facts: Facts = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        facts.setdefault(name, []).append(value)
    return facts if facts.get("end") == [FORMAT] and _holds(facts) else None


def _holds(facts: Facts) -> bool:
    for line in facts["watched"]:
        mark, _, path = line.partition(" ")
        if fingerprint(path) != mark:
            return False
    for line in facts["leads"]:
        # Both are paths of ours, without spaces at their ends.
        path, _, target = line.partition(" -> ")
        if os.path.realpath(path) != target:
            return False
    present = all(os.path.exists(path) for path in facts["present"])
    return present and facts["proxies"] == [proxies()]


def fingerprint(path: str) -> str:
    """Return what changes whenever a file, a link or the names in a directory change (stat(2))."""
    try:
        seen = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "-"
    except OSError as error:
        return f"{error.errno}"
    # No program can set the time of the last change of status.
    return (
        f"{seen.st_dev}:{seen.st_ino}:{seen.st_mode}:{seen.st_uid}:{seen.st_size}"
        f":{seen.st_mtime_ns}:{seen.st_ctime_ns}"
    )


def changed_since(path: str, moment: float) -> bool:
    """Tell whether a path changed after a moment of the host's clock, or in the second before."""
    try:
        return os.lstat(path).st_ctime > moment - 1
    except OSError:
        return False


def proxies() -> str:
    """Return the proxies that a process started now would use."""
    names = [spelling for name in PROXIES for spelling in (name, name.upper())]
    return repr([os.environ.get(name) for name in names])
