"""All checks, in the order in which their cures work: accounts and owners before runs."""

from autoupdate.doctor.account import account
from autoupdate.doctor.case import Case, Check
from autoupdate.doctor.clock import clock
from autoupdate.doctor.finding import Finding
from autoupdate.doctor.health import health
from autoupdate.doctor.interruption import interruption
from autoupdate.doctor.leftovers import leftovers
from autoupdate.doctor.link import link, unmanaged
from autoupdate.doctor.mounts import mounts
from autoupdate.doctor.old_updates import old_updates
from autoupdate.doctor.owners import owners
from autoupdate.doctor.package import package
from autoupdate.doctor.services import missing, services
from autoupdate.doctor.space import space
from autoupdate.doctor.units import timer, units
from autoupdate.doctor.upstream import upstream

CHECKS: tuple[Check, ...] = (
    account, unmanaged, package, mounts, owners, units, old_updates, missing, services, space,
    clock, upstream, interruption, link, timer, health, leftovers,
)  # fmt: skip


def examine(case: Case) -> list[Finding]:
    """Return all problems."""
    return [finding for check in CHECKS for finding in check(case)]
