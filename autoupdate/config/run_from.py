"""Where services run from, read from the directives of their units: the default of `path`.

A unit is a dict of properties as systemctl(1), show, prints them: drop-ins merged, specifiers
resolved, `-`, `+` and `@` taken off. The file system is only read. Loaded by the gate at each start
of a service that is not managed, so it imports next to nothing.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from autoupdate.config.sections import Settings
    from autoupdate.model.paths import AppPaths

Unit = dict[str, str]

COMMANDS = ("ExecStart", "ExecStartPre", "ExecCondition", "ExecStartPost")
PROPERTIES = (
    "Id", "LoadState", "User", "WorkingDirectory", "RootDirectory", "BindPaths",
    "BindReadOnlyPaths", *COMMANDS, "EnvironmentFiles", "Environment",
)  # fmt: skip
DEFAULT_PATH = "/opt/ipfs_accelerate_py"
DEFAULT_APP = "ipfs-accelerate"
# Where `config show` says that the value comes from.
ORIGIN = "the units of the services"
GATE = "/usr/lib/autoupdate/pre-start"
# What no app is deployed to: below directories of the system, and in those that hold all others.
SYSTEM = (
    "/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/nonexistent", "/proc",
    "/run", "/sbin", "/sys", "/usr",
)  # fmt: skip
TOO_HIGH = (
    "/", "/dev", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/var", "/var/cache",
    "/var/lib", "/var/log", "/var/spool",
    "/tmp", "/var/tmp",  # noqa: S108 - compared, not used
)  # fmt: skip
ENVIRONMENTS = (".venv", "venv")
# What may stand before a path in a command line, and what ends it.
BEFORE = " \t\n\"'=:;,|&()<>`{}["
END = BEFORE + "]"
LONGEST_NAME = 8
MOST_LINKS = 40


def parse(shown: str, names: "Sequence[str]") -> list[Unit]:
    """Return the units that `systemctl show` printed for names; repeated lines are joined."""
    units = []
    for name, block in zip(names, shown.strip("\n").split("\n\n"), strict=False):
        unit: Unit = {"Name": name}
        for line in block.splitlines():
            key, _, value = line.partition("=")
            unit[key] = f"{unit[key]}\n{value}" if key in unit else value
        units.append(unit)
    return units


def is_loaded(unit: Unit) -> bool:
    """Return whether the host has this unit, and lets it be started."""
    return unit.get("LoadState") == "loaded"


def leads_into(unit: Unit, path: str, app: "AppPaths") -> bool:
    """Return whether a directive of a unit leads into an app's path, or through its link."""
    ours = {app.current, *((path, location(path)) if path else ())}
    inside = f"{app.releases}/"
    return any(
        hop in ours or hop.startswith(inside) for name in named(unit) for hop in visited(name)
    )


def directory(unit: Unit, app: "AppPaths") -> str:
    """Return the directory that a unit runs its app from; empty if its directives name none.

    Our own link, if it leads through that; else a checkout, a directory with an environment, the
    working directory, or that of the program.
    """
    if not is_loaded(unit):
        return ""
    names = []
    for name in named(unit):
        hops = list(visited(name))
        for hop in hops:
            if links_to(hop, app.current):
                return hop
        if not any(hop == app.current or hop.startswith(f"{app.releases}/") for hop in hops):
            names.append(os.path.normpath(name))
    for mark in (has_checkout, has_environment):
        for name in names:
            if found := climb(name, mark):
                return os.path.realpath(found)
    for name in names:
        for environment in ENVIRONMENTS:
            before, _, after = name.partition(f"/{environment}/")
            if after and is_possible(before):
                return before
    for number, name in enumerate(names):
        # The first one is the working directory, if there is one; it may not exist yet.
        is_directory = os.path.isdir(name) or (number == 0 and working_directory(unit))
        above = name if is_directory else os.path.dirname(name)
        if is_possible(above) and not is_file_of_system(name):
            return os.path.realpath(above)
    return ""


def agreed(units: "Iterable[Unit]", app: "AppPaths") -> str:
    """Return the directory that all units run from; empty if they name none, or several."""
    found = {place for unit in units if (place := directory(unit, app))}
    return found.pop() if len(found) == 1 else ""


def located(
    settings: "Settings", look: "Callable[[Sequence[str]], list[Unit]]", app: "AppPaths"
) -> "Settings":
    """Return settings with a path: where the units run from, unless it is set.

    `look` returns the units of services. Raises ConfigurationError if there is no path for an app
    other than the default one, or if nothing answers and what is deployed is not at the default.
    """
    if settings.path:
        return settings
    units = look(settings.services)
    by_default = DEFAULT_PATH if settings.app == DEFAULT_APP else ""
    path = agreed(units, app)
    what = "the units of its services do not name one directory that they run from"
    if not path and (units or not settings.services or not is_deployed_elsewhere(by_default, app)):
        path = by_default
    elif not path:
        # Otherwise, systemctl that hangs once would move the app.
        what = "systemctl does not answer, which knows where its services run from"
    if not path:
        from autoupdate.model.errors import ConfigurationError

        raise ConfigurationError(
            f"{settings.app}: path is not set, and {what}",
            f"set path in /etc/autoupdate/apps/{settings.app}.toml",
        )
    return settings._replace(path=path)


def is_deployed_elsewhere(path: str, app: "AppPaths") -> bool:
    """Return whether a release is deployed, and a path does not lead to it."""
    current = app.current
    return os.path.lexists(current) and os.path.realpath(path) != os.path.realpath(current)


def elsewhere(units: "Iterable[Unit]", path: str, app: "AppPaths") -> dict[str, str]:
    """Return the directory of each unit that runs from another place than an app's path."""
    return {
        unit["Name"]: place
        for unit in units
        if is_loaded(unit)
        and not leads_into(unit, path, app)
        and (place := directory(unit, app))
        and os.path.isdir(place)
    }


def adoption(place: str, app: str) -> str:
    """Return the command that turns the directory that services run from into a managed app."""
    if not place.replace("/", "").replace("-", "").replace("_", "").replace(".", "").isalnum():
        import shlex

        place = shlex.quote(place)
    return f"autoupdatectl adopt {place}" + ("" if app == DEFAULT_APP else f" {app}")


def named(unit: Unit) -> "Iterator[str]":
    """Yield the absolute paths in the directives of a unit, as they are on the host."""
    if not is_loaded(unit):
        return
    root = unit.get("RootDirectory", "").removeprefix("!").rstrip("/")
    binds = list(bound(unit))
    home = home_of(unit.get("User", ""))
    variables = dict(assignments(unit.get("Environment", "")))
    variables.setdefault("HOME", home)
    for place in in_directives(unit, home, variables):
        if place.startswith("//"):
            # The rest of a URL.
            continue
        for inner, outer in binds:
            if place == inner or place.startswith(f"{inner}/"):
                yield outer + place[len(inner) :]
                break
        else:
            yield root + place


def in_directives(unit: Unit, home: str, variables: dict[str, str]) -> "Iterator[str]":
    """Yield the absolute paths that the directives name, as the service sees them."""
    if working := working_directory(unit):
        yield working
    for key in COMMANDS:
        for line in unit.get(key, "").splitlines():
            program, words = command(line)
            if GATE in words:
                continue
            if program.startswith("/"):
                yield program
            yield from paths_in(expanded(words, variables), home)
    for line in unit.get("EnvironmentFiles", "").splitlines():
        yield line.rpartition(" (")[0]
    for value in variables.values():
        if value != home:
            yield from paths_in(value, home)


def working_directory(unit: Unit) -> str:
    """Return the WorkingDirectory= of a unit; `!` stands for one that may be missing."""
    working = unit.get("WorkingDirectory", "").removeprefix("!")
    return home_of(unit.get("User", "")) if working == "~" else working.rstrip("/")


def bound(unit: Unit) -> "Iterator[tuple[str, str]]":
    """Yield the bind mounts of a unit: the place in its name space, and what is mounted there."""
    for key in ("BindPaths", "BindReadOnlyPaths"):
        for word in unit.get(key, "").split():
            source, _, rest = word.partition(":")
            target = rest.partition(":")[0]
            if target and target != source:
                yield target.rstrip("/"), source.removeprefix("-").rstrip("/")


def home_of(user: str) -> str:
    """Return the home directory of a unit's user; that of root without User=."""
    if user in ("", "root", "0"):
        return "/root"
    import pwd

    try:
        found = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
    except KeyError:
        # A dynamic user that is not there now.
        return "/"
    return found.pw_dir


def command(line: str) -> tuple[str, str]:
    """Return the program and the words of a command, as `systemctl show` prints it."""
    program, _, rest = line.partition("path=")[2].partition(" ; argv[]=")
    return program, rest.rpartition(" ; ignore_errors=")[0]


def assignments(text: str) -> "Iterator[tuple[str, str]]":
    """Yield the variables of Environment=, whose words may be in quotes."""
    word, quote = "", ""
    for character in f"{text} ":
        if quote:
            quote = "" if character == quote else quote
            word += "" if not quote else character
        elif character in "\"'":
            quote = character
        elif character == " ":
            name, equals, value = word.partition("=")
            if equals:
                yield name.removeprefix("$"), value
            word = ""
        else:
            word += character


def expanded(words: str, variables: dict[str, str]) -> str:
    """Return a command line with the variables that are known put in."""
    if "$" in words:
        for name in sorted(variables, key=len, reverse=True):
            for spelling in (f"${{{name}}}", f"${name}"):
                words = words.replace(spelling, variables[name])
    return words


def paths_in(text: str, home: str) -> "Iterator[str]":
    """Yield the absolute paths in a command line, also in words of a shell and with spaces."""
    for start, character in enumerate(text):
        if start and text[start - 1] not in BEFORE:
            continue
        if character == "/":
            first = ""
        elif text.startswith("~/", start):
            first, start = home, start + 1
        else:
            continue
        quote = text[start - 1] if start and text[start - 1] in "\"'" and not first else ""
        closing = text.find(quote, start) if quote else -1
        if closing >= 0:
            yield first + text[start:closing]
            continue
        end = end_of_word(text, start)
        yield first + text[start:end]
        # systemctl prints words without the quotes around them.
        for _ in range(LONGEST_NAME):
            if text[end : end + 1] != " ":
                break
            end = end_of_word(text, end + 1)
            if os.path.lexists(first + text[start:end]):
                yield first + text[start:end]
                break


def end_of_word(text: str, start: int) -> int:
    """Return where a path that begins at an index ends, at the latest."""
    while start < len(text) and text[start] not in END:
        start += 1
    return start


def visited(path: str) -> "Iterator[str]":
    """Yield each name that the kernel looks up for a path, symbolic links included."""
    waiting, place, links = path.split("/"), "", 0
    while waiting:
        part = waiting.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            place = os.path.dirname(place).rstrip("/")
            continue
        place = f"{place}/{part}"
        yield place
        try:
            target = os.readlink(place)
        except (OSError, ValueError):
            continue
        links += 1
        if links > MOST_LINKS:
            return
        waiting = target.split("/") + waiting
        place = "" if target.startswith("/") else os.path.dirname(place).rstrip("/")


def location(path: str) -> str:
    """Return a path whose directory leads through no link; its last part may be one."""
    above, name = os.path.split(path)
    return f"{os.path.realpath(above).rstrip('/')}/{name}"


def links_to(place: str, target: str) -> bool:
    """Return whether something is a symbolic link with this very target."""
    try:
        return os.readlink(place) == target
    except (OSError, ValueError):
        return False


def climb(name: str, mark: "Callable[[str], bool]") -> str:
    """Return the nearest directory at or above a path that has a mark; empty if none has."""
    place = name
    while is_possible(place):
        # A home directory with a repository of its own holds much, but is not deployed.
        if mark(place) and (place == name or not is_home(place)):
            return place
        place = os.path.dirname(place)
    return ""


def has_checkout(place: str) -> bool:
    """Return whether a directory is a Git checkout; in a submodule, .git is a file."""
    return os.path.isdir(f"{place}/.git")


def has_environment(place: str) -> bool:
    """Return whether a directory has a virtual environment of its own."""
    return any(os.path.exists(f"{place}/{name}/pyvenv.cfg") for name in ENVIRONMENTS)


def is_home(place: str) -> bool:
    """Return whether a directory is that of a person."""
    return os.path.dirname(place) == "/home"


def is_file_of_system(name: str) -> bool:
    """Return whether a path is below a directory of the system."""
    return any(name == above or name.startswith(f"{above}/") for above in SYSTEM)


def is_possible(place: str) -> bool:
    """Return whether an app may be deployed to a directory."""
    return place not in TOO_HIGH and not is_file_of_system(place) and place.startswith("/")
