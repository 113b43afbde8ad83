"""Images for hosts: bare Debian, and Debian with our package installed."""

import hashlib
import inspect
import os
from collections.abc import Callable
from pathlib import Path

from tools.lib.hosts import old_deployment
from tools.lib.hosts.cache import obtain, running_directory
from tools.lib.hosts.commands import run
from tools.lib.hosts.demo_app import SERVICES, UNITS, DemoApp
from tools.lib.hosts.host import Host
from tools.lib.hosts.layers import Image, overlay_works
from tools.lib.hosts.tree import prepare_tree
from tools.lib.hosts.upstream import Upstream

PROJECT = Path(__file__).parents[3]
DEB_NAME = "ipfs-accelerate-autoupdate.deb"
# For scripts inside a host: only the package's own commands find its modules by themselves.
FIND_MODULES = 'import sys; sys.path.insert(0, "/usr/share/ipfs-accelerate-autoupdate")\n'
_DEB_IN_HOST = f"/root/{DEB_NAME}"

Say = Callable[[str], None]


def built_deb() -> Path:
    """Return the package: the one that AUTOUPDATE_DEB names, or one built from this checkout."""
    named = os.environ.get("AUTOUPDATE_DEB")
    if named:
        return Path(named).resolve(strict=True)
    built = run(PROJECT / "tools" / "build-deb", timeout=900, cwd=PROJECT).stdout
    return Path(built.splitlines()[-1])


def bare_image(release: str, say: Say | None = None) -> Image:
    """Return Debian with the dependencies of our package, but without it."""
    return Image((prepare_tree(release, say),))


def installed_image(release: str, deb: Path, say: Say | None = None) -> Image:
    """Return the bare image with the package, installed on a booted host by apt."""
    content = hashlib.sha256(deb.read_bytes()).hexdigest()

    def prepare(host: Host) -> None:
        if say:
            say(f"installing {deb.name} on {release}")
        install(host, deb)

    return derived_image(bare_image(release, say), f"installed-{release}", content, prepare)


def deployed_image(release: str, installed: Image, upstream: Upstream) -> Image:
    """Return the installed image with the application deployed, at the upstream's version."""
    units = "".join((UNITS / service).read_text() for service in SERVICES)

    def prepare(host: Host) -> None:
        app = DemoApp(host)
        app.install_services()
        app.configure(upstream.url)
        host.run("autoupdatectl", "run", timeout=600)

    return derived_image(installed, f"deployed-{release}", units + upstream.published(), prepare)


def old_image(release: str, installed: Image, upstream: Upstream) -> Image:
    """Return the installed image with the application as the old system deployed it."""

    def prepare(host: Host) -> None:
        old_deployment.deploy(host, upstream)

    key = upstream.published() + inspect.getsource(old_deployment)
    return derived_image(installed, f"old-{release}", key, prepare)


def telling_image(release: str, base: Image) -> Image:
    """Return an image with apprise, which sends notifications."""

    def prepare(host: Host) -> None:
        host.run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "install", "--yes",
                 "--no-install-recommends", "apprise", timeout=300)  # fmt: skip

    return derived_image(base, f"telling-{release}", "apprise", prepare)


def derived_image(base: Image, name: str, key: str, prepare: Callable[[Host], None]) -> Image:
    """Return an image of a booted host after `prepare`, which runs once for each key.

    `key` contains everything except the base that the result depends on.
    """
    overlay = overlay_works(running_directory())
    below = "".join(layer.name for layer in base.layers)
    digest = hashlib.sha256(f"{overlay} {below} {key}".encode()).hexdigest()[:12]

    def build(directory: Path) -> None:
        with Host(base) as host:
            prepare(host)
            host.poweroff()
            # Each copy gets its own machine ID and journal.
            run("find", host.root / "var/log/journal", "-mindepth", "1", "-delete")
            host.take_changes(directory)

    layer = obtain(name, digest, build)
    # A plain copy is a whole tree; the changes of an overlay need the lower layers.
    return Image((layer, *base.layers) if overlay else (layer,))


def install(host: Host, deb: Path) -> str:
    """Install the package as the README says; return what was printed."""
    host.copy_in(deb, _DEB_IN_HOST)
    command = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes")
    # The tree has most dependencies; the others are downloaded from the mirror.
    if not host.run(*command, "--simulate", _DEB_IN_HOST, check=False).ok:
        host.run("apt-get", "update", timeout=300)
    said = host.run(*command, _DEB_IN_HOST, timeout=600).stdout
    host.run("rm", _DEB_IN_HOST)
    return said
