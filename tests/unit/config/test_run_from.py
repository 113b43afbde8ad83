"""Where services run from, read from the directives of their units."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from autoupdate.config import run_from
from autoupdate.config.run_from import (
    Unit,
    agreed,
    directory,
    elsewhere,
    leads_into,
    located,
    parse,
)
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import AppPaths
from tests.unit import world as worlds

# As systemd 252 prints it.
SHOWN = """\
ExecStartPre={ path=/bin/sh ; argv[]=sh -c exec /usr/lib/autoupdate/pre-start x ; ignore_errors=no }
ExecStartPre={ path=/srv/a/check ; argv[]=/srv/a/check ; ignore_errors=no ; pid=0 }
ExecStart={ path=/bin/sh ; argv[]=my sh -c cd "/srv/a b" && exec ./run ; ignore_errors=yes }
Environment="A=/srv/x y" B=2
EnvironmentFiles=/srv/env (ignore_errors=yes)
EnvironmentFiles=/etc/hostname (ignore_errors=no)
WorkingDirectory=!/srv/w
Id=web.service
LoadState=loaded

Environment=
Id=nosuch.service
LoadState=not-found
"""


class Home:
    """A home directory with a checkout, and an app whose path is next to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.app = AppPaths(f"{root}/lib", f"{root}/run")
        self.checkout = self.make(root / "home/me/app")
        self.path = f"{root}/opt/app"
        os.makedirs(root / "opt")

    def make(self, place: Path) -> str:
        """Make a checkout with an environment."""
        for name in (".git", ".venv/bin", "deep/er"):
            (place / name).mkdir(parents=True)
        (place / ".venv/pyvenv.cfg").touch()
        (place / ".venv/bin/python3").symlink_to("/usr/bin/python3")
        return str(place)

    def deploy(self) -> None:
        """Deploy a release, and link the path to it."""
        self.make(Path(self.app.release("1")))
        os.symlink("releases/1", self.app.current)
        os.symlink(self.app.current, self.path)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home directory with a checkout; nothing is deployed."""
    return Home(tmp_path)


def unit(start: str = "", working: str = "", **facts: str) -> Unit:
    """Return a unit; `start` is its command line."""
    words = f"{{ path={start.split(' ')[0]} ; argv[]={start} ; ignore_errors=no ; pid=0 }}"
    return {"Name": "web.service", "LoadState": "loaded", "WorkingDirectory": working,
            "ExecStart": words if start else "", **facts}  # fmt: skip


def test_what_systemctl_prints() -> None:
    web, none = parse(SHOWN, ["alias.service", "nosuch.service"])
    assert web["Name"] == "alias.service"
    assert list(run_from.named(web)) == [
        "/srv/w", "/bin/sh", "/srv/a b", "/srv/a/check", "/srv/a/check", "/srv/env",
        "/etc/hostname", "/srv/x",
    ]  # fmt: skip
    assert not list(run_from.named(none))
    assert not directory(none, AppPaths("/x", "/y"))


@pytest.mark.parametrize(
    "made",
    [
        lambda at: unit(working=at),
        lambda at: unit(working=f"!{at}/deep/er"),
        lambda at: unit(f"{at}/.venv/bin/python3 -m app"),
        lambda at: unit(f"/usr/bin/python3 {at}/main.py", "/"),
        lambda at: unit(f"/bin/sh -c cd {at}; exec python3 main.py"),
        lambda at: unit(f"/bin/sh -c PYTHONPATH={at}/deep:/usr/lib exec python3 -m app"),
        lambda at: unit('/bin/sh -c cd "$PLACE" && ./run', Environment=f"A=1 PLACE={at}"),
        lambda at: unit("/usr/bin/env app", EnvironmentFiles=f"{at}/.env (ignore_errors=yes)"),
        lambda at: unit("/usr/bin/python3 -m app", Environment=f'"PATH={at}/.venv/bin:/usr/bin"'),
        lambda at: unit("/srv/main.py", "/app", BindPaths=f"{at}:/app:rbind"),
        lambda at: unit("/.venv/bin/python3", "/", RootDirectory=at),
        lambda at: unit("/usr/bin/true", ExecStartPre=f"{{ path={at}/x ; argv[]={at}/x ; }}"),
    ],
)  # fmt: skip
def test_each_directive_counts(home: Home, made: Callable[[str], Unit]) -> None:
    """It names the checkout before the adoption, and leads into the path after it."""
    assert directory(made(home.checkout), home.app) == home.checkout
    assert not leads_into(made(home.checkout), home.path, home.app)
    home.deploy()
    assert leads_into(made(home.path), home.path, home.app)
    assert leads_into(made(home.path), "", home.app), "through the link alone"
    assert directory(made(home.path), home.app) == home.path
    assert not leads_into(made(home.checkout), home.path, home.app)


def test_names_with_spaces(home: Home) -> None:
    at = home.make(home.root / "my own app")
    for made in (
        unit(f"{at}/.venv/bin/python3 -m x"),
        unit(f"/bin/sh -c cd '{at}' && exec ./x"),
        unit(f"/usr/bin/python3 -m x --at {at} --verbose"),
    ):
        assert directory(made, home.app) == at


def test_a_long_command_line_takes_no_longer_than_its_length(home: Home) -> None:
    """A quadratic search would take minutes."""
    words = "/usr/bin/env " + "--at=/srv/x " * 20_000 + home.checkout
    assert directory(unit(words), home.app) == home.checkout


def test_links_that_lead_into_the_path(home: Home) -> None:
    """Also those that lead on, as .venv/bin/python3 does to the host's."""
    home.deploy()
    for name, target in (("a", home.path), ("b", f"{home.path}/.venv/bin/python3"), ("c", "a")):
        (home.root / name).symlink_to(target)
        assert leads_into(unit(f"{home.root}/{name}"), home.path, home.app), name
    os.rename(home.root / "opt", home.root / "data")
    (home.root / "opt").symlink_to("data")
    assert leads_into(unit(working=f"{home.root}/data/app"), home.path, home.app)
    (home.root / "loop").symlink_to("loop")
    assert not leads_into(unit(working=f"{home.root}/loop/x"), home.path, home.app)


def test_a_path_that_does_not_exist_yet(home: Home) -> None:
    python = f"{home.path}/.venv/bin/python3"
    assert directory(unit(f"{python} -m app"), home.app) == home.path
    assert directory(unit(working=home.path), home.app) == home.path
    assert leads_into(unit(f"{python} -m app"), home.path, home.app)
    os.symlink(home.path, home.root / "link")
    assert leads_into(unit(working=f"{home.root}/link/x"), home.path, home.app)
    # Names that only begin alike.
    assert not leads_into(unit(working=f"{home.path}2"), home.path, home.app)


def test_a_link_to_the_checkout_stands_for_the_checkout(home: Home) -> None:
    (home.root / "app").symlink_to(home.checkout)
    assert directory(unit(working=f"{home.root}/app"), home.app) == home.checkout


def test_system_directories_and_homes_are_no_apps(home: Home) -> None:
    for made in (
        unit("/usr/bin/sleep 9"),
        unit("/usr/local/bin/app --config /etc/app.toml", "/"),
        unit("/bin/sh -c exec app >/dev/null https://x/y", "~"),
        {**unit(working=home.checkout), "LoadState": "masked"},
    ):
        assert not directory(made, home.app)
    deep = home.root / "home/me/other/deep"
    deep.mkdir(parents=True)
    assert directory(unit(working=str(deep)), home.app) == str(deep)


def test_a_service_in_the_directory_of_our_releases(home: Home) -> None:
    home.deploy()
    made = unit(working=home.app.current)
    assert leads_into(made, home.path, home.app)
    assert not directory(made, home.app)


def test_units_that_agree_and_others(home: Home) -> None:
    other = home.make(home.root / "other")
    silent, here, there = unit("/usr/bin/true"), unit(working=home.checkout), unit(working=other)
    assert agreed([here, silent, here], home.app) == home.checkout
    assert not agreed([here, there], home.app)
    assert not agreed([silent], home.app)
    there["Name"] = "other.service"
    assert elsewhere([here, silent, there], home.checkout, home.app) == {"other.service": other}


def test_path_that_is_not_set(home: Home) -> None:
    settings = worlds.settings(home.root, path="")
    here = unit(working=home.checkout)
    assert located(settings, lambda _: [here], home.app).path == home.checkout
    assert located(settings, lambda _: [], home.app).path == run_from.DEFAULT_PATH
    with pytest.raises(ConfigurationError, match="path is not set"):
        located(settings._replace(app="shop"), lambda _: [], home.app)
    os.makedirs(f"{home.app.home}/releases/1")
    os.symlink("releases/1", home.app.current)
    with pytest.raises(ConfigurationError, match="systemctl does not answer"):
        located(settings, lambda _: [], home.app)
    set_by_hand = settings._replace(path="/srv/app")
    assert located(set_by_hand, lambda _: [here], home.app) is set_by_hand
