"""What a test host gets from the machine that it runs on, so that its apt and pip work."""

import configparser
import re
import shutil
from os import W_OK, access, geteuid
from pathlib import Path

from tools.lib.hosts.commands import run

PIP_CONFIGURATION = Path("/etc/pip.conf")
LOCAL_CERTIFICATES = Path("/usr/local/share/ca-certificates")
CERTIFICATE_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")

# apt settings that belong to the machine's network.
_APT_NETWORK = re.compile(r"^Acquire::(https?|Retries|Check-|Proxy)", re.IGNORECASE)


def what_is_missing() -> str:
    """Return why this machine cannot boot test hosts; empty if it can."""
    if geteuid() != 0:
        return "test hosts need root"
    # Most containers refuse the namespace, some only the mount in it.
    trial = ("unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt")
    if not run(*trial, check=False).ok:
        return "test hosts need to mount, which this container may not"
    if not (unified_cgroups() / "cgroup.procs").exists():
        return "test hosts need the unified cgroup hierarchy"
    if not access(unified_cgroups(), W_OK):
        return "test hosts need to make cgroups, which this container may not"
    packages = {
        "systemd-nspawn": "systemd-container",
        "mmdebstrap": "mmdebstrap",
        "nsenter": "util-linux",
    }
    for command, package in packages.items():
        if shutil.which(command) is None:
            return f"test hosts need {command}: apt install {package}"
    return ""


def unified_cgroups() -> Path:
    """Return where cgroups v2 is mounted, alone or in addition to v1."""
    alone = Path("/sys/fs/cgroup")
    beside = alone / "unified"
    return beside if beside.is_dir() else alone


def codename() -> str:
    """Return the name of the machine's own release, such as bookworm."""
    return _os_release().get("VERSION_CODENAME", "")


def apt_sources(release: str) -> list[str]:
    """Return source lines for a release, from the mirrors of the machine; empty: unknown."""
    own = codename()
    mirrors = {suite: uri for uri, suites in _source_entries() for suite in suites}
    if not own or own not in mirrors:
        return []
    return [
        f"deb {mirrors[own + addition]} {release}{addition} main"
        for addition in ("", "-updates", "-security")
        if own + addition in mirrors
    ]


def apt_settings() -> str:
    """Return the machine's apt settings for its network, as a configuration file."""
    lines = run("apt-config", "dump", "Acquire").stdout.splitlines()
    return "".join(f"{line}\n" for line in lines if _APT_NETWORK.match(line))


def files_to_copy() -> dict[str, bytes]:
    """Return the files that a host gets from the machine, by their path."""
    paths = [PIP_CONFIGURATION, Path("/etc/uv/uv.toml")]
    certificates = sorted(LOCAL_CERTIFICATES.rglob("*.crt"))
    if certificates:
        paths += [*certificates, CERTIFICATE_BUNDLE]
    return {str(path): path.read_bytes() for path in paths if path.is_file()}


def directories_to_bind() -> list[Path]:
    """Return the package directories in the machine's pip.conf that are local paths."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read(PIP_CONFIGURATION)
    found: set[Path] = set()
    for section in parser.values():
        for option in ("index-url", "extra-index-url", "find-links"):
            for word in section.get(option, "").split():
                path = Path(word.removeprefix("file://"))
                if path.is_absolute() and path.is_dir():
                    # An index has its files next to the pages that list them.
                    found.add(path.parent if path.name == "simple" else path)
    return sorted(found)


def _os_release() -> dict[str, str]:
    pairs = (line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines())
    return {pair[0]: pair[1].strip('"') for pair in pairs if len(pair) == 2}


def _source_entries() -> list[tuple[str, list[str]]]:
    """Return address and suites of each binary source in either of apt's two formats."""
    entries: list[tuple[str, list[str]]] = []
    folder = Path("/etc/apt/sources.list.d")
    for path in [Path("/etc/apt/sources.list"), *sorted(folder.glob("*.list"))]:
        if path.is_file():
            for line in path.read_text().splitlines():
                words = re.sub(r"\[[^]]*\]", "", line).split()
                if words[:1] == ["deb"] and len(words) > 2:
                    entries.append((words[1], [words[2]]))
    for path in sorted(folder.glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            found = re.findall(r"^(\w[\w-]*):[ \t]*(.*)$", stanza, re.MULTILINE)
            fields = {name.lower(): value for name, value in found}
            if "deb" in fields.get("types", "").split() and fields.get("uris"):
                entries.append((fields["uris"].split()[0], fields.get("suites", "").split()))
    return entries
