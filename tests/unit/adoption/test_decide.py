"""What adopt decides itself: from the checkout and the units, never over what is set by hand."""

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from autoupdate.adoption.decide import Checkout, Decision, decide, read
from autoupdate.config.load import load
from autoupdate.config.run_from import Unit
from autoupdate.model.errors import ConfigurationError
from autoupdate.model.paths import Paths

CONFIG = """\
[core]
	bare = false ; really
	fsmonitor = "touch /tmp/x"
[remote "other"]
	url = https://elsewhere.example/app.git
[remote "origin"] fetch = +refs/heads/*:refs/remotes/origin/*
	url = "https://fork.example/my app.git" # mine
[branch "trunk"]
	remote = origin
"""


class Desk:
    """A host with a checkout, units, and settings."""

    def __init__(self, root: Path) -> None:
        self.root, self.paths = root, Paths(str(root))
        self.path = str(root / "srv/shop")
        self.runs_from = {"shop.service": self.path, "other.service": "/srv/other"}
        os.makedirs(f"{self.path}/.git")
        self.checkout("ref: refs/heads/trunk\n", CONFIG)
        for name in (*self.runs_from, "shop@.service"):
            self.write(f"etc/systemd/system/{name}", "[Service]\n")

    def checkout(self, head: str, config: str) -> None:
        """Write what the checkout says of itself."""
        Path(self.path, ".git/HEAD").write_text(head)
        Path(self.path, ".git/config").write_text(config)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the host."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def look(self, names: Sequence[str]) -> list[Unit]:
        """Return what units name."""
        return [{"Name": name, "LoadState": "loaded", "WorkingDirectory": self.runs_from[name]}
                for name in names if name in self.runs_from]  # fmt: skip

    def decide(self, app: str = "shop") -> Decision:
        """Decide about the directory."""
        return decide(self.paths, app, self.path, self.look)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a host with nothing configured."""
    return Desk(tmp_path)


def test_app_that_no_file_describes(desk: Desk) -> None:
    decision = desk.decide()
    assert decision.decided == {
        "path": desk.path, "services": ["shop.service"],
        "upstream.url": "https://fork.example/my app.git", "upstream.track": "branch:trunk",
    }  # fmt: skip
    assert decision.file == f"{desk.paths.etc}/apps/shop.toml"
    assert not os.path.exists(decision.file)
    decision.write()
    assert load(desk.paths, "shop")._replace(files=()) == decision.settings
    decision.take_back()
    assert not os.path.exists(decision.file)


def test_what_is_set_by_hand_counts(desk: Desk) -> None:
    mine = desk.write(
        "etc/autoupdate/apps/shop.toml",
        'services = ["shop.service"]\n[upstream]\nurl = "https://mine.example/x"\n'
        'track = "tag:v*"\n',
    )
    before = mine.read_text()
    decision = desk.decide()
    assert decision.decided == {"path": desk.path}
    decision.write()
    assert mine.read_text() == before
    assert decision.file == f"{mine}.d/50-adopted.toml"
    assert load(desk.paths, "shop").path == desk.path
    assert desk.decide().decided == {}, "another time, nothing is left to decide"


@pytest.mark.parametrize(
    ("url", "decided"),
    [
        ("git@github.com:endomorphosis/app.git", None),
        ("https://github.com/fork/app.git", "https://github.com/fork/app.git"),
        ("/srv/git/app.git", "file:///srv/git/app.git"),
        ("", None),
    ],
)
def test_default_app(desk: Desk, url: str, decided: str | None) -> None:
    """The package's own URL counts, unless the checkout comes from another place."""
    desk.write(
        "usr/lib/autoupdate/apps/ipfs-accelerate.toml",
        'services = ["shop.service"]\n[upstream]\n'
        'url = "https://github.com/endomorphosis/app.git"\ntrack = "branch:main"\n',
    )
    desk.checkout("ref: refs/heads/trunk\n", f'[remote "origin"]\n\turl = {url}\n')
    found = desk.decide("ipfs-accelerate").decided
    assert found.get("upstream.url") == decided
    assert "upstream.track" not in found


def test_password_in_a_url(desk: Desk) -> None:
    url = "https://me:secret@git.example/app.git"
    desk.checkout("ref: refs/heads/main\n", f'[remote "origin"]\n\turl = {url}\n')
    decision = desk.decide()
    assert "secret" not in str(decision.lines())
    decision.write()
    assert tomllib.loads(Path(decision.file).read_text())["upstream"]["url"] == url
    assert os.stat(decision.file).st_mode & 0o777 == 0o600


def test_no_remote_and_no_setting(desk: Desk) -> None:
    desk.checkout("ref: refs/heads/main\n", "[core]\n")
    with pytest.raises(ConfigurationError, match=r"upstream\.url is not set"):
        desk.decide()
    desk.checkout("ref: refs/heads/main\n", '[remote "origin"]\nurl = ext::sh -c x\n')
    with pytest.raises(ConfigurationError, match=r"but upstream\.url"):
        desk.decide()


def test_services_that_run_from_another_place(desk: Desk) -> None:
    other = desk.root / "other"
    other.mkdir()
    desk.write("etc/autoupdate/apps/shop.toml", 'services = ["shop.service"]\n')
    desk.runs_from["shop.service"] = str(other)
    with pytest.raises(ConfigurationError, match=f"shop.service runs from {other}, not from"):
        desk.decide()


def test_files_that_are_not_what_they_should_be(desk: Desk) -> None:
    """They belong to other users: a FIFO or a link to a secret is not read."""
    config = Path(desk.path, ".git/config")
    config.unlink()
    os.mkfifo(config)
    assert read(desk.path) == Checkout("trunk", "")
    config.unlink()
    config.symlink_to("/etc/passwd")
    Path(desk.path, ".git/HEAD").write_text("0" * 40)
    assert read(desk.path) == Checkout("", "")
