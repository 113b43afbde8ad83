"""Checks of the values of settings.

Each function takes a value as TOML gives it and returns it in the type that the code works with. It
raises ValueError with a message that follows the name of the key, such as "must be a string".
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from autoupdate.model.globs import as_expression

Check = Callable[[Any], Any]

UNIT_SECONDS = {
    "": 1.0, "ms": 0.001, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
    "w": 604800.0, "week": 604800.0, "weeks": 604800.0,
}  # fmt: skip
# In seconds. Longer time spans have no use, and clocks and timers would overflow.
LONGEST = 3660 * 86400.0


def text(value: Any) -> str:
    """Accept a string without control characters."""
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ValueError("must not contain control characters")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """Accept a list of strings."""
    if not isinstance(value, list):
        raise ValueError('must be a list of strings, such as ["a", "b"]')
    return tuple(text(item) for item in value)


def commands(value: Any) -> tuple[tuple[str, ...], ...]:
    """Accept a list of commands, each a non-empty list of words."""
    if not isinstance(value, list) or not all(isinstance(item, list) and item for item in value):
        raise ValueError('must be a list of lists of words, such as [["{python}", "-m", "app"]]')
    return tuple(texts(item) for item in value)


def boolean(value: Any) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def count(value: Any) -> int:
    """Accept a whole number of at least one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("must be a whole number of at least 1")
    return value


def duration(value: Any) -> float:
    """Accept a time span such as "90s", "5min" or "1h 30min" (systemd.time(7)); return seconds."""
    words = re.findall(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", value) if isinstance(value, str) else []
    rest = re.sub(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", "", value) if words else "none"
    if not words or rest.strip() or any(unit not in UNIT_SECONDS for _, unit in words):
        raise ValueError('must be a time span such as "90s", "5min" or "1h 30min"')
    seconds = sum(float(number) * UNIT_SECONDS[unit] for number, unit in words)
    if seconds > LONGEST:
        raise ValueError("must be ten years (3660d) at most")
    return seconds


def limit(value: Any) -> float:
    """Accept a time span of more than zero; return seconds."""
    seconds = duration(value)
    if seconds <= 0:
        raise ValueError("must be more than 0s")
    return seconds


def size(value: Any) -> int:
    """Accept a number of bytes such as "500MB" (millions) or "2GiB" (1024 times 1024 times 1024).

    Returns bytes; the units are those of IEC 80000-13.
    """
    match = (
        re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]+)?)\s*([KMGT]?)(i?)B", value)
        if isinstance(value, str)
        else None
    )
    if match is None or (match[3] and not match[2]):
        raise ValueError('must be a size such as "500MB" or "2GiB"')
    factor = (1024 if match[3] else 1000) ** " KMGT".index(match[2] or " ")
    number = int(float(match[1]) * factor)
    if not number:
        raise ValueError("must be more than 0")
    return number


def share(value: Any) -> float:
    """Accept a percentage such as "25%"; return a fraction of one."""
    match = (
        re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]+)?)\s*%", value) if isinstance(value, str) else None
    )
    if match is None or float(match[1]) > 100:
        raise ValueError('must be a percentage such as "25%"')
    return float(match[1]) / 100


def absolute_path(value: Any) -> str:
    """Accept an absolute path without "." or ".."; a slash at its end is removed."""
    path = text(value)
    if not path.startswith("/"):
        raise ValueError("must be an absolute path")
    parts = path.rstrip("/").split("/")[1:]
    if not parts or any(part in ("", ".", "..") for part in parts):
        raise ValueError('must be a path below /, without ".", ".." or "//"')
    return path.rstrip("/")


def relative_path(value: Any) -> str:
    """Accept a path inside the release, other than .git and .venv, that cannot lead out of it."""
    path = text(value).rstrip("/")
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise ValueError('must be a path inside the release, without "." or ".."')
    if parts[0] in (".git", ".venv"):
        raise ValueError(f"must not be {parts[0]}, which belongs to the release")
    return path


def optional_relative_path(value: Any) -> str:
    """Accept a path inside the release, or an empty string."""
    return relative_path(value) if value != "" else ""


def nested_paths(value: Any) -> tuple[str, ...]:
    """Accept a list of paths inside the release, each of them once."""
    paths = tuple(relative_path(item) for item in texts(value))
    if path := first_twice(paths):
        raise ValueError(f"contains {path} twice")
    return paths


def first_twice(items: Sequence[str]) -> str:
    """Return the first item that a list has twice, or nothing."""
    seen: set[str] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return ""


def relative_paths(value: Any) -> tuple[str, ...]:
    """Accept a list of paths inside the release, none of them inside another."""
    paths = tuple(relative_path(item) for item in texts(value))
    known = set(paths)
    for path in paths:
        parts = path.split("/")
        if any("/".join(parts[:number]) in known for number in range(1, len(parts))):
            raise ValueError(f"contains {path} twice, or a path that contains it")
    if path := first_twice(paths):
        raise ValueError(f"contains {path} twice, or a path that contains it")
    return paths


def link_patterns(value: Any) -> tuple[str, ...]:
    """Accept a list of relative paths or globs, each for itself and everything below it."""
    patterns = tuple(relative_path(item) for item in texts(value))
    for item in patterns:
        try:
            re.compile(as_expression(item))
        except re.error as error:
            raise ValueError(f"contains {item}, which is not a valid glob: {error}") from None
    return patterns


def service_names(value: Any) -> tuple[str, ...]:
    """Accept a list of names of service units (systemd.unit(5))."""
    names = texts(value)
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*\.service", name):
            raise ValueError(
                f'contains "{name}", which is not a service unit such as "app.service"'
            )
        if name.startswith(("autoupdate@", "autoupdate-")):
            raise ValueError(f'contains "{name}", which is a unit of autoupdate itself')
    if name := first_twice(names):
        raise ValueError(f'contains "{name}" twice')
    return names


def upstream_url(value: Any) -> str:
    """Accept a URL that Git can fetch from, or the short form user@host:path of SSH."""
    url = text(value)
    known = re.match(r"(https?|ssh|git|file)://.", url)
    if not known and not re.match(
        r"[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^:]", url
    ):
        raise ValueError("must be an https, http, ssh, git or file URL, or user@host:path")
    return url


def credential_host(value: Any) -> str:
    """Accept HOST or HOST:PORT, in lower case."""
    host = text(value).lower()
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*(:[0-9]{1,5})?", host):
        raise ValueError('must be the name of a host, such as "git.example" or "pypi.example:8443"')
    return host


def secret_file(value: Any) -> str:
    """Accept an absolute path, credential:NAME (systemd.exec(5)), or an empty string."""
    if not text(value):
        return ""
    name = value.removeprefix("credential:")
    if name != value:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            raise ValueError('must name a credential, such as "credential:token"')
        return str(value)
    return absolute_path(value)


def proxy_url(value: Any) -> str:
    """Accept the URL of a proxy, or an empty string."""
    if text(value) and not re.match(r"(https?|socks[45]h?)://[^/]", value):
        raise ValueError('must be a URL such as "http://proxy.example:3128"')
    return str(value)


def track(value: Any) -> str:
    """Accept branch:NAME, tag:GLOB, semver:RANGE or commit:SHA."""
    kind, _, rest = text(value).partition(":")
    if kind not in ("branch", "tag", "semver", "commit") or not rest.strip():
        raise ValueError("must be branch:NAME, tag:GLOB, semver:RANGE or commit:SHA")
    if kind == "commit":
        rest = rest.lower()
    if kind == "commit" and not re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", rest):
        raise ValueError("must name a commit by all 40 (or 64) hexadecimal digits")
    if kind == "semver":
        from autoupdate.model.track import parse_range

        parse_range(rest)
    # What git-check-ref-format(1) forbids in the name of a branch.
    bad = r"\.\.|[\s~^:?*\[\\]|@\{|//|^[-/.]|[/.]$|\.lock(/|$)|/\.|^@$"
    if kind == "branch" and re.search(bad, rest):
        raise ValueError(f'names "{rest}", which cannot be the name of a branch')
    return f"{kind}:{rest}"


def fingerprints(value: Any) -> tuple[str, ...]:
    """Accept a list of fingerprints, as gpg and ssh-keygen show them."""
    found = []
    for item in texts(value):
        digits = item.replace(" ", "").upper()
        if re.fullmatch(r"[0-9A-F]{40}|[0-9A-F]{64}", digits):
            found.append(digits)
        elif re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", item):
            found.append(item)
        else:
            raise ValueError(
                f'contains "{item}", which is not a fingerprint: 40 hexadecimal digits'
                " (gpg --fingerprint), or SHA256: and 43 characters (ssh-keygen -l)"
            )
    return tuple(found)


def http_url(value: Any) -> str:
    """Accept an http or https URL with a host."""
    from urllib.parse import urlsplit

    url = text(value)
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError('must be a URL such as "http://127.0.0.1:9000/health"')
    return url


def address(value: Any) -> str:
    """Accept HOST:PORT."""
    match = re.fullmatch(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", text(value))
    if match is None or not 0 < int(match[1]) < 65536:
        raise ValueError('must be HOST:PORT, such as "127.0.0.1:9000"')
    return str(value)


def pattern(value: Any) -> str:
    """Accept a regular expression of Python's re."""
    try:
        re.compile(text(value))
    except re.error as error:
        raise ValueError(f"is not a valid regular expression: {error}") from None
    return str(value)


def whole(value: Any) -> int:
    """Accept a whole number, zero included."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("must be a whole number of at least 0")
    return value


def optional_service(value: Any) -> str:
    """Accept the name of a service, or nothing."""
    return "" if value == "" else service_names([value])[0]


def rehearsed_services(value: Any) -> tuple[str, ...]:
    """Accept "auto", "off", or a list of names of service units; return a word as a list of one."""
    if value in ("auto", "off"):
        return (value,)
    if isinstance(value, str):
        raise ValueError('must be "auto", "off", or a list such as ["app.service"]')
    return service_names(value)


def optional_path(value: Any) -> str:
    """Accept an absolute path, or an empty string."""
    return absolute_path(value) if value != "" else ""


def duration_or_off(value: Any) -> float:
    """Accept a time span, or "off"; return seconds, 0 for off."""
    return limit(value) if value != "off" else 0.0


def optional_duration(value: Any) -> float:
    """Accept a time span, or an empty string; return seconds, 0 for the empty string."""
    return limit(value) if value != "" else 0.0


def each_of(*words: str) -> Check:
    """Make a check that accepts a list of some words."""

    def check(value: Any) -> tuple[str, ...]:
        for word in texts(value):
            if word not in words:
                raise ValueError(f'must not contain "{word}"; known: {", ".join(words)}')
        return tuple(value)

    return check


def one_of(*words: str) -> Check:
    """Make a check that accepts one of some words."""

    def check(value: Any) -> str:
        if value not in words:
            raise ValueError("must be " + " or ".join(f'"{word}"' for word in words))
        return str(value)

    return check
