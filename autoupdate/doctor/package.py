"""The package's files must be as installed."""

from collections.abc import Iterator

from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import PACKAGE, Finding


def package(case: Case) -> Iterator[Finding]:
    """Check the files. Where the package came from is not known, so a person installs it again."""
    for file in case.host.altered_files(PACKAGE):
        yield Finding(file, "was changed or removed after the package was installed",
                      advice=f"apt install --reinstall {PACKAGE}")  # fmt: skip
