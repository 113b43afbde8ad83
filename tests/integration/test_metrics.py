"""Metrics, alert rules and their tests, checked by promtool."""

import os
import shutil
from pathlib import Path

import pytest

from tests.integration.site import APP, Site
from tools.lib.hosts.cache import obtain
from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, CommandFailedError, run

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"
PROXIES = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}


def unpack(directory: Path) -> None:
    """Extract promtool from Debian's package, which would also start a server on Debian 12."""
    directory.mkdir(parents=True)
    environment = {**CLEAN_ENVIRONMENT, **PROXIES}
    known = run("apt-cache", "search", "--names-only", "^promtool$").stdout
    package_name = "promtool" if known else "prometheus"
    download = ("apt-get", "download", package_name)
    run(*download, cwd=directory, environment=environment, timeout=300)
    (package,) = directory.glob("*.deb")
    run("dpkg-deb", "--extract", package, directory)
    (directory / "usr/bin/promtool").rename(directory / "promtool")
    shutil.rmtree(directory / "usr")
    package.unlink()


@pytest.fixture(scope="session")
def promtool() -> str:
    """Return the path of promtool: the host's, or that of Debian's package."""
    found = shutil.which("promtool")
    if found:
        return found
    try:
        return str(obtain("promtool", "1", unpack) / "promtool")
    except CommandFailedError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"promtool is not here and cannot be had: {error}")


def test_rules(promtool: str) -> None:
    run(promtool, "check", "rules", "alerts.yml", cwd=MONITORING)
    run(promtool, "test", "rules", "alerts-test.yml", cwd=MONITORING)


def test_metrics_of_a_host(deployed: Site, promtool: str) -> None:
    site = deployed
    site.builds = False
    textfile = site.directory / "textfile"
    textfile.mkdir()
    site.configure(metrics__textfile=str(textfile))
    try:
        assert site.updates_to(site.upstream.commit(2, at=1_760_000_000))
        written = (textfile / f"autoupdate-{APP}.prom").read_text()
    finally:
        shutil.rmtree(textfile)
    assert f'autoupdate_current_commit_timestamp_seconds{{app="{APP}"}} 1760000000\n' in written
    # It parses the text format, and reports names that break the conventions.
    checked = run(promtool, "check", "metrics", input=written, check=False)
    assert (checked.stdout, checked.stderr, checked.returncode) == ("", "", 0), written
