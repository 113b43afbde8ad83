"""The examples in docs/ are settings that work, and units that belong together."""

import re
import tomllib
from pathlib import Path

from autoupdate.config.load import load
from autoupdate.config.settings import SETTINGS, TOLD
from autoupdate.model.paths import Paths

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLE = DOCS / "examples" / "second-app"


def test_second_app(tmp_path: Path) -> None:
    apps = tmp_path / "etc/autoupdate/apps"
    apps.mkdir(parents=True)
    (apps / "shop.toml").write_text((EXAMPLE / "shop.toml").read_text())
    settings = load(Paths(str(tmp_path)), "shop")
    assert settings.path == "/srv/shop"
    drop_in = (EXAMPLE / "50-autoupdate.conf").read_text()
    assert "/pre-start shop" in drop_in
    assert "/var/lib/autoupdate/shop/shared\n" in drop_in
    for service in settings.services:
        assert service in drop_in


def test_drop_in_does_what_that_of_the_package_does() -> None:
    ours = DOCS.parent / "units/ipfs-accelerate.service.d/50-autoupdate.conf"
    lines = [
        [line for line in path.read_text().splitlines() if not line.startswith("#")]
        for path in (ours, EXAMPLE / "50-autoupdate.conf")
    ]
    # The package's own goes with the package; the other one must do without the gate then.
    gate = "/usr/lib/autoupdate/pre-start"
    wanted = [line.replace("ipfs-accelerate", "shop") for line in lines[0]]
    alone = [
        re.sub(f"=(-?\\+)({gate} .*)", rf'=\1/bin/sh -c "test ! -e {gate} || exec \2"', line)
        for line in wanted
    ]
    assert alone != wanted
    assert alone == lines[1]


def test_settings_in_the_guide_exist() -> None:
    guide = (DOCS / "operation.md").read_text()
    keys = {setting.key for setting in SETTINGS}
    blocks = re.findall(r"(?:^    \[[a-z]+\]\n(?:    [a-z_]+ = .*\n)+)", guide, re.MULTILINE)
    assert len(blocks) == 4
    for block in blocks:
        for section, values in tomllib.loads(block).items():
            assert {f"{section}.{name}" for name in values} <= keys
    events = set(re.findall(r"^\| `([a-z-]+)` \| [^p]", guide, re.MULTILINE))
    assert set(TOLD) <= events | {"refused", "unsigned", "untrusted"}
