"""The host's settings of pip (pip.conf): what of them uv is given, and what means nothing to it.

uv does not read pip.conf. Each option of pip that uv has an equal for is handed over, as a variable
or an option; one that it has no equal for, and that may change what is installed, is named.
"""

import configparser
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from autoupdate.model.errors import HostFaultError

# As pip reads them: later files win (pip config debug).
FILES = ("/etc/xdg/pip/pip.conf", "/etc/pip.conf")
# If it exists, uv has settings of its own, and pip's do not count for it.
UV_SETTINGS = "/etc/uv/uv.toml"
# pip(1): those of a command win over those of all.
SECTIONS = ("global", "install")
YES, NO = ("y", "yes", "t", "true", "on", "1"), ("n", "no", "f", "false", "off", "0")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")

# Options whose value is a list for uv, too, and the variable with its separator.
LISTS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "constraint": ("UV_CONSTRAINT", " "),
    "build-constraint": ("UV_BUILD_CONSTRAINT", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "uploaded-prior-to": ("UV_EXCLUDE_NEWER", " "),
}
NUMBERS = {"timeout": "UV_HTTP_TIMEOUT", "retries": "UV_HTTP_RETRIES"}
# They change which packages a release gets, so that a resolution counts only while they are the
# same. The files of these two count with their content.
DECIDING = (
    "index-url", "extra-index-url", "find-links", "no-index", "constraint", "build-constraint",
    "pre", "no-binary", "only-binary", "prefer-binary", "no-build-isolation", "uploaded-prior-to",
    "config-settings", "no-deps", "ignore-requires-python", "all-releases", "only-final",
)  # fmt: skip
WITH_FILES = ("constraint", "build-constraint")
# How pip works and what it prints; the result is the same, or the build itself decides it.
HARMLESS = frozenset((
    "break-system-packages", "cache-dir", "compile", "debug", "disable-pip-version-check",
    "exists-action", "log", "no-cache-dir", "no-clean", "no-color", "no-compile", "no-input",
    "no-python-version-warning", "no-warn-conflicts", "no-warn-script-location", "progress-bar",
    "quiet", "require-virtualenv", "resume-retries", "root-user-action", "upgrade",
    "upgrade-strategy", "use-deprecated", "use-feature", "use-pep517", "verbose",
    "check-build-dependencies", "src", "report",
))  # fmt: skip


class Option(NamedTuple):
    """An option of pip: its value, and the file that sets it."""

    value: str
    file: str


class ForUv(NamedTuple):
    """What uv is given: variables, and options of `uv pip install` and `uv pip compile`."""

    variables: dict[str, str]
    options: tuple[str, ...]
    left_out: tuple[str, ...]
    """The options of pip that mean nothing to uv, each as a sentence."""


def of_host(root: str = "") -> ForUv:
    """Return what uv is given of the settings of the host whose files are below `root`."""
    if os.path.exists(f"{root}{UV_SETTINGS}"):
        return ForUv({}, (), ())
    return for_uv(read([f"{root}{file}" for file in FILES]))


def deciding() -> tuple[str, ...]:
    """Return what of the host's settings, of uv and pip, decides which packages a release gets.

    Raises HostFaultError for a file that cannot be read.
    """
    own = []
    with suppress(OSError), open(UV_SETTINGS, encoding="utf-8", errors="replace") as stream:
        own.append(stream.read())
    return (*own, *decided_by(read(FILES)))


def read(files: Sequence[str]) -> dict[str, Option]:
    """Return the options that count for `pip install`, by name; none of files that are not valid.

    pip itself says what is wrong with such a file.
    """
    by_section: dict[str, dict[str, Option]] = {section: {} for section in SECTIONS}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            return {}
        for section in filter(parser.has_section, SECTIONS):
            for name, value in parser.items(section):
                # pip ignores options without a value.
                if value:
                    name = name.replace("_", "-").removeprefix("--")
                    by_section[section][name] = Option(value, file)
    return by_section["global"] | by_section["install"]


def for_uv(found: Mapping[str, Option]) -> ForUv:
    """Translate options of pip for uv."""
    variables, options, left_out = dict[str, str](), list[str](), list[str]()
    for name, option in sorted(found.items()):
        words = option.value.replace(",", " ").split() if "-binary" in name else ()
        truth = is_true(option.value)
        if name in LISTS:
            variable, separator = LISTS[name]
            variables[variable] = separator.join(option.value.split())
        elif name in NUMBERS and (number := whole(option.value)):
            variables[NUMBERS[name]] = number
        elif name == "proxy":
            for variable in PROXY_VARIABLES:
                variables |= {variable: option.value, variable.upper(): option.value}
        elif name == "keyring-provider" and option.value in ("disabled", "subprocess"):
            variables["UV_KEYRING_PROVIDER"] = option.value
        elif name == "pre" and truth is not None:
            variables["UV_PRERELEASE"] = "allow" if truth else ""
        elif name == "no-build-isolation" and truth is not None:
            # For pip this is the value of "build isolation" (pip's issue 5735).
            variables["UV_NO_BUILD_ISOLATION"] = "" if truth else "true"
        elif name == "no-index" and truth is not None:
            options += ["--no-index"] if truth else []
        elif name == "config-settings":
            options += ["--config-setting", option.value]
        elif name == "no-binary" or (name == "only-binary" and ":all:" not in words):
            for word in words:
                options += [f"--{name}", word]
        elif name not in HARMLESS and truth is not False:
            left_out.append(
                f"{option.file}: {name} is not handed over: uv has no equal for it; if it is"
                ' needed, set build.installer = "pip"'
            )
    if "extra-index-url" in found:
        # pip looks for a package in all indexes.
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    given = {name: value for name, value in variables.items() if value}
    return ForUv(given, tuple(options), tuple(left_out))


def is_true(value: str) -> bool | None:
    """Return the truth of a value as pip reads it; None if it is no truth value."""
    word = value.lower()
    return True if word in YES else False if word in NO else None


def whole(value: str) -> str:
    """Return a number without a fraction, rounded up; empty for what is not a number."""
    try:
        return str(math.ceil(float(value)))
    except (ValueError, OverflowError):
        return ""


def decided_by(found: Mapping[str, Option]) -> tuple[str, ...]:
    """Return what of the options decides which packages a release gets, with contents of files.

    Raises HostFaultError for a file that cannot be read.
    """
    facts = []
    for name in DECIDING:
        if option := found.get(name):
            facts.append(f"{name} {option.value}")
            if name in WITH_FILES:
                facts += [content(option, name, file) for file in option.value.split()]
    return tuple(facts)


def content(option: Option, name: str, file: str) -> str:
    """Return the content of a file that an option names, if it is one of the host.

    Raises HostFaultError.
    """
    path = file.removeprefix("file://")
    if not os.path.isabs(path):
        return ""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError as error:
        raise HostFaultError(
            f"{option.file}: {name}: {path}: {error.strerror}", f"correct {option.file}"
        ) from None
