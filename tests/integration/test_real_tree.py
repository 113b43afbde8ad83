"""The tree of the real application, by the vendor's settings; run on demand, as it takes minutes.

AUTOUPDATE_TEST_WHOLE_MATRIX=1 tools/test tests/integration/test_real_tree.py -s
"""

import os
import time
from pathlib import Path

from autoupdate.model.steps import Result
from tests.integration.site import APP, Site
from tests.integration.test_shapes import installed
from tools.lib.hosts.commands import run
from tools.lib.hosts.real_tree import REQUIREMENTS, RealTree

VENDOR = Path(__file__).parents[2] / "units/apps/ipfs-accelerate.toml"


def size(path: Path) -> int:
    """Return how much a directory takes on the disk, in MiB; hard links count once."""
    done = run("du", "--summarize", "--block-size=1M", path)
    return int(done.stdout.split()[0])


def deploys_by_the_vendors_settings(bare: Site) -> None:
    """The first try deploys; then ten commits of different kinds."""
    tree = RealTree(bare.directory / "real", bare.server)
    vendor = Path(bare.paths.vendor, "apps", f"{APP}.toml")
    vendor.parent.mkdir(parents=True, exist_ok=True)
    # The three services do not exist here.
    lines = VENDOR.read_text().splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if line.startswith("services"))
    end = next(n for n, line in enumerate(lines) if n > start and line.startswith("]"))
    vendor.write_text("".join(lines[:start] + lines[end + 1 :]))
    own = Path(bare.paths.etc, "apps", f"{APP}.toml")
    own.write_text(
        f'path = "{bare.path}"\n[upstream]\nurl = "{tree.url}"\ntimeout = "5min"\n'
        '[health]\nsoak = "0s"\n'
    )
    bare.foretells = False
    table = []

    def update(what: str) -> None:
        began = time.monotonic()
        outcome = bare.run()
        assert outcome.result is Result.UPDATED, f"{outcome}\n" + "\n".join(bare.output[-30:])
        home = Path(bare.app_paths.home)
        table.append((what, time.monotonic() - began, size(home)))

    update("first deployment")
    assert {"fastapi", "hypercorn", "trio"} <= installed(bare).keys()
    changes: list[tuple[str, dict[str, str | None]]] = [
        ("one line", {"app/server.py": "V = 2\n"}),
        ("one line again", {"app/server.py": "V = 3\n"}),
        ("a new module", {"app/new/__init__.py": "", "app/new/inner.py": "X = 1\n"}),
        ("a module is gone", {"app/new/inner.py": None}),
        ("a big file", {"app/data.json": "0" * 20_000_000}),
        ("a document", {"README.md": "Read me.\n"}),
    ]
    for what, files in changes:
        tree.commit(what, files)
        update(what)
    before = installed(bare)
    more = list(REQUIREMENTS)
    for what, wanted in [
        ("a requirement is added", [*more, "toolz"]),
        ("a pin", [*more, "toolz", "toml==0.10.1"]),
        ("a pin moves", [*more, "toolz", "toml==0.10.2"]),
        ("a requirement is gone", [*more, "toml==0.10.2"]),
    ]:
        tree.requirements = wanted
        tree.commit(what, {})
        update(what)
        after = installed(bare)
        assert all(after.get(name, version) == version for name, version in before.items())
    for what, seconds, megabytes in table:
        print(f"| {what} | {seconds:.1f} s | {megabytes} MiB |")


if os.environ.get("AUTOUPDATE_TEST_WHOLE_MATRIX"):
    test_deploys_by_the_vendors_settings = deploys_by_the_vendors_settings
