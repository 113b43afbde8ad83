"""No service may have failed, and each probe must be for one of the app's services."""

from collections.abc import Iterator

from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Finding


def health(case: Case) -> Iterator[Finding]:
    """Check the states of the services, and the settings of the probes."""
    names = case.settings.services
    for name in names:
        if case.host.unit(name).get("ActiveState") == "failed":
            yield Finding(name, "has failed", advice=f"journalctl --unit={name} --lines=50")
    for probe in case.settings.health.probe:
        if probe.service and probe.service not in names:
            yield Finding(
                f"health.probe of {probe.service}",
                "is never tried, as this is not one of the app's services",
                advice="add it to services, or name another service in the probe",
            )
