"""The file of facts for the fast path: what the last run asked, and what its outcome depends on.

A run that found nothing new writes it for the next one. While none of these facts has changed, the
same commit upstream means the same outcome (fast_path.py). Each line has a name and a value.
"""

import os

FORMAT = "1"
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
Facts = dict[str, list[str]]


def write(file: str, facts: Facts) -> None:
    """Write facts, readable only by root as URLs may hold a password. Raises OSError.

    Nothing is written if a value has a line feed.
    """
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
    """Return the facts if they are still true; None if anything has changed."""
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
        # A path with " -> " in it never compares equal; the usual run decides then.
        path, _, target = line.partition(" -> ")
        if os.path.realpath(path) != target:
            return False
    present = all(os.path.exists(path) for path in facts["present"])
    return present and facts["proxies"] == [proxies()]


def fingerprint(path: str) -> str:
    """Return a text that changes whenever a file, a link or a directory's entries do (stat(2))."""
    try:
        seen = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "-"
    except OSError as error:
        return f"{error.errno}"
    # Programs can set mtime, but not ctime.
    return (
        f"{seen.st_dev}:{seen.st_ino}:{seen.st_mode}:{seen.st_uid}:{seen.st_size}"
        f":{seen.st_mtime_ns}:{seen.st_ctime_ns}"
    )


def changed_since(path: str, moment: float) -> bool:
    """Return whether a path changed after a moment (seconds since 1970), or a second before it."""
    try:
        return os.lstat(path).st_ctime > moment - 1
    except OSError:
        return False


def proxies() -> str:
    """Return the proxy variables of this process's environment."""
    names = [spelling for name in PROXIES for spelling in (name, name.upper())]
    return repr([os.environ.get(name) for name in names])
