"""Upstream must answer."""

from collections.abc import Iterator

from autoupdate.doctor.case import Case
from autoupdate.doctor.finding import Finding
from autoupdate.model.errors import AutoupdateError


def upstream(case: Case) -> Iterator[Finding]:
    """Ask upstream; that is done as _autoupdate, so not without this user."""
    if not case.host.has_builder():
        return
    try:
        case.host.ask_upstream(case.settings.upstream)
    except AutoupdateError as error:
        advice = error.advice or f"autoupdatectl check {case.settings.app}"
        yield Finding("upstream", error.message, advice=advice)
