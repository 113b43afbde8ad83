"""With CI=true nothing is skipped: what is missing there is a fault of the tests' own set-up."""

import os
from collections.abc import Generator

import pytest

ON_CI = os.environ.get("CI") == "true"


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure; an expected failure is no skip."""
    if ON_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped on CI: {report.longrepr}"


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtest_makereport() -> Generator[None, "pytest.CallInfo[pytest.TestReport]", None]:
    """Look at the report of each test."""
    outcome = yield
    refuse_skip(outcome.get_result())  # type: ignore[attr-defined]


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report() -> Generator[None, "pytest.CallInfo[pytest.CollectReport]", None]:
    """Look at the report of each file of tests."""
    outcome = yield
    refuse_skip(outcome.get_result())  # type: ignore[attr-defined]
