"""Settings that cannot be used on this host, or beside those of another app."""

import json
from pathlib import Path

import pytest

from autoupdate.cli.main import main
from autoupdate.config import claims, load
from autoupdate.config.on_host import Claim
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.model.paths import Paths
from tests.unit.config.test_load import BASE, write


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Return the paths of a host with the app `demo` in /opt/app."""
    paths = Paths(str(tmp_path))
    write(f"{paths.etc}/apps/demo.toml", BASE)
    return paths


def refused(paths: Paths, capsys: pytest.CaptureFixture[str], app: str = "demo") -> str:
    """Return why the settings of an app are refused by `config check`."""
    assert main(["config", "check", "--json", app], paths) == Exit.USAGE
    (told,) = json.loads(capsys.readouterr().out)["apps"]
    (fault,) = told["faults"]
    assert str(paths.etc) in fault["message"], "the file is named"
    return f"{fault['message']}; {fault['advice']}"


@pytest.mark.parametrize(
    "path",
    ["/etc", "/home", "/opt", "/usr", "/etc/app", "/usr/bin/app", "/usr/local", "/usr/local/bin",
     "/var/lib", "/var/log", "/lib/app", "/proc/app", "/root"],
)  # fmt: skip
def test_directories_of_the_system(
    paths: Paths, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    write(f"{paths.etc}/apps/demo.toml.d/10.toml", f'path = "{path}"')
    assert f"path: {path} is a directory of the system" in refused(paths, capsys)
    with pytest.raises(ConfigurationError, match="is a directory of the system"):
        load.load(paths, "demo")


@pytest.mark.parametrize(
    "path",
    [
        "/opt/app",
        "/home/me/app",
        "/srv/app",
        "/usr/local/app/x",
        "/var/lib/app",
        "/app",
        "/etcetera/x",
    ],
)
def test_directories_of_an_app(paths: Paths, path: str) -> None:
    write(f"{paths.etc}/apps/demo.toml.d/10.toml", f'path = "{path}"')
    assert load.load(paths, "demo").path == path


def test_path_inside_a_release(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    releases = paths.app("web").releases
    Path(releases, "1").mkdir(parents=True)
    for path in (f"{releases}/1/sub", f"{paths.root}/srv/web/sub"):
        Path(paths.root, "srv").mkdir(exist_ok=True)
        if not Path(paths.root, "srv/web").exists():
            Path(paths.root, "srv/web").symlink_to(f"{releases}/1")
        write(f"{paths.etc}/apps/demo.toml.d/10.toml", f'path = "{path}"')
        assert "which autoupdate itself writes" in refused(paths, capsys)


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ('["a.service", "a.service"]', "twice"),
        ('["autoupdate@demo.service"]', "unit of autoupdate itself"),
        ('["autoupdate-confirm@demo.service"]', "unit of autoupdate itself"),
    ],
)
def test_services(
    paths: Paths, capsys: pytest.CaptureFixture[str], services: str, said: str
) -> None:
    write(f"{paths.etc}/apps/demo.toml.d/10.toml", f"services = {services}")
    assert said in refused(paths, capsys)


@pytest.mark.parametrize("path", ["/opt/app", "/opt/app/inside", "/opt/app/"])
def test_path_of_another_app(paths: Paths, capsys: pytest.CaptureFixture[str], path: str) -> None:
    write(f"{paths.etc}/apps/web.toml", BASE.replace("/opt/app", path))
    assert "is also the path of app demo" in refused(paths, capsys, "web")
    _, values = load.load_with_values(paths, "web")
    with pytest.raises(ConfigurationError, match="is also the path of app demo"):
        claims.refuse_conflicts(paths, "web", values)


def test_service_of_another_app(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("demo", "web"):
        write(f"{paths.etc}/apps/{name}.toml.d/10.toml", 'services = ["a.service"]')
    write(f"{paths.etc}/apps/web.toml", BASE.replace("/opt/app", "/opt/web"))
    assert "a.service is also a service of app demo" in refused(paths, capsys, "web")


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ('path = "/srv/other"\nservices = ["b.service"]', False),
        ("path = '/opt/app/'  # ours\nservices = []", True),
        ('path = "/opt"\nservices = []', True),
        ('path = "/opt/app2"\nservices = []', False),
        ('path = "/srv/other"\nservices = ["b.service",\n"a.service"]', True),
        # What may be anything is read as a whole.
        ('path = "/opt\\u002fapp"\nservices = []', True),
        ('path = """/srv/other"""\nservices = []', True),
        ('path = "/srv/other"', True),
        ("services = []", True),
        ('path = "/srv/other"\npath = "/opt/app"\nservices = []', True),
    ],
)
def test_apps_that_have_nothing_in_common_are_not_parsed(
    paths: Paths, text: str, shares: bool
) -> None:
    write(f"{paths.etc}/apps/web.toml", text)
    own = Claim("/opt/app", ("a.service",), False)
    assert claims.may_share(paths, "web", own) is shares


def test_app_that_is_deployed_goes_on_when_another_claims_its_path(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    write(f"{paths.etc}/apps/web.toml", BASE)
    Path(paths.app("demo").home).mkdir(parents=True)
    Path(paths.app("demo").current).symlink_to("releases/1")
    claims.refuse_conflicts(paths, "demo", load.load_with_values(paths, "demo")[1])
    assert "is also the path of app demo" in refused(paths, capsys, "web")


@pytest.mark.parametrize(
    ("python", "said", "advice"),
    [
        ("/usr/bin", "is a directory", "name an interpreter"),
        ("/usr/bin/python3.99", "is not an executable file", "apt install python3.99-venv"),
    ],
)
def test_python(
    paths: Paths, capsys: pytest.CaptureFixture[str], python: str, said: str, advice: str
) -> None:
    write(f"{paths.etc}/apps/demo.toml.d/10.toml", f'[build]\npython = "{python}"')
    told = refused(paths, capsys)
    assert f"build.python: {python} {said}" in told
    assert advice in told
    with pytest.raises(ConfigurationError, match=r"build\.python"):
        load.load(paths, "demo")
