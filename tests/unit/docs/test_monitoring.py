"""The dashboard and the alert rules in docs/ speak of metrics that exist, and of no other."""

import json
import re
from pathlib import Path

from autoupdate.notifications.metrics import METRICS, STEPS

MONITORING = Path(__file__).parents[3] / "docs" / "monitoring"
NAMES = {metric.full_name for metric in METRICS}


def used(file: str) -> set[str]:
    """Return the metrics that a file names."""
    return set(re.findall(r"\bautoupdate_[a-z_]+", (MONITORING / file).read_text()))


def test_rules_use_what_exists() -> None:
    assert len(used("alerts.yml")) > 5
    assert used("alerts.yml") <= NAMES
    assert used("alerts-test.yml") == used("alerts.yml"), "each rule has a test"


def test_dashboard_shows_everything() -> None:
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    shown = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\bautoupdate_[a-z_]+", target["expr"])
    }
    assert shown == NAMES - {"autoupdate_last_run_timestamp_seconds"}
    assert used("dashboard.json") == NAMES
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)


def test_labels_in_the_rules_are_those_of_the_metrics() -> None:
    reasons = set(re.findall(r'reason="([a-z]+)"', (MONITORING / "alerts.yml").read_text()))
    assert reasons == {"probation"}
    assert "probation" in STEPS
