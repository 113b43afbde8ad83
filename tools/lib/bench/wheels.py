"""Generated wheels, with the number of modules and the amount of data of real packages."""

import base64
import hashlib
import zipfile
from pathlib import Path

from tools.lib.bench.repository import module
from tools.lib.hosts.commands import run

# Names that are not on any package index.
FAMILY = "autoupdate-bench"
DISTRIBUTION = FAMILY.replace("-", "_")
_MEBIBYTE = 1 << 20


def make_wheel(directory: Path, name: str, version: str, modules: int, mebibytes: int = 0) -> None:
    """Write the wheel of a package with some modules and a file of zeros as data."""
    package = f"{DISTRIBUTION}_{name}"
    facts = f"{package}-{version}.dist-info"
    contents = {f"{package}/__init__.py": f'VERSION = "{version}"\n'.encode()}
    contents |= {f"{package}/module_{number}.py": module(number) for number in range(modules)}
    contents[f"{facts}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {FAMILY}-{name}\nVersion: {version}\n".encode()
    )
    contents[f"{facts}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = [_entry(path, content) for path, content in contents.items()]
    file = directory / f"{package}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, content in contents.items():
            archive.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)
        if mebibytes:
            record.append(_write_zeros(archive, f"{package}/weights.bin", mebibytes))
        record.append(f"{facts}/RECORD,,")
        archive.writestr(zipfile.ZipInfo(f"{facts}/RECORD"), "\n".join(record) + "\n")


def _entry(path: str, content: bytes) -> str:
    return f"{path},sha256={_encode(hashlib.sha256(content).digest())},{len(content)}"


def _write_zeros(archive: zipfile.ZipFile, path: str, mebibytes: int) -> str:
    digest, block = hashlib.sha256(), bytes(_MEBIBYTE)
    info = zipfile.ZipInfo(path)
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, "w") as stream:
        for _ in range(mebibytes):
            stream.write(block)
            digest.update(block)
    return f"{path},sha256={_encode(digest.digest())},{mebibytes * _MEBIBYTE}"


def _encode(digest: bytes) -> str:
    """Return a digest in the format of RECORD files: URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def download_tools(directory: Path, environment: Path) -> None:
    """Download build tools and uv into a directory of wheels, with pip as it is configured.

    Only this uses the network, so that no measurement waits for a remote index.
    """
    run("/usr/bin/python3", "-m", "venv", environment)
    python = environment / "bin/python"
    wanted = ("pip", "setuptools", "wheel")
    run(python, "-m", "pip", "download", "--quiet", "--dest", directory, *wanted, timeout=300)
    run(python, "-m", "pip", "install", "--quiet", "uv", timeout=300)
