"""Every path that the package uses, below one root, so that tests can have a root of their own.

Plain classes: named tuples would load the module `typing`, which costs 7 ms (shortcut.py).
"""


class Paths:
    """The paths of the host; `root` is empty on a real one."""

    def __init__(self, root: str = "") -> None:
        self.root = root

    @property
    def vendor(self) -> str:
        """Settings shipped by the package."""
        return f"{self.root}/usr/lib/autoupdate"

    @property
    def etc(self) -> str:
        """Settings of the administrator."""
        return f"{self.root}/etc/autoupdate"

    @property
    def cache(self) -> str:
        """Download caches of the builds; also the home directory of the builds' user."""
        return f"{self.root}/var/cache/autoupdate"

    @property
    def log(self) -> str:
        """The log file."""
        return f"{self.root}/var/log/autoupdate/auto-update.log"

    @property
    def crontab(self) -> str:
        """The host's own crontab."""
        return f"{self.root}/etc/crontab"

    @property
    def crontabs(self) -> tuple[str, ...]:
        """Directories of further crontabs: packages' and users'."""
        return (f"{self.root}/etc/cron.d", f"{self.root}/var/spool/cron/crontabs")

    @property
    def administrators_units(self) -> str:
        """Directory of the units, drop-ins and enablements of the administrator."""
        return f"{self.root}/etc/systemd/system"

    @property
    def unit_directories(self) -> tuple[str, ...]:
        """Directories of units, the strongest first (systemd.unit(5))."""
        others = ("run", "usr/local/lib", "usr/lib")
        return (
            self.administrators_units,
            *(f"{self.root}/{other}/systemd/system" for other in others),
        )

    def keys(self, name: str) -> str:
        """Return the directory of the keys that are trusted for an app."""
        return f"{self.etc}/keys/{name}"

    def hooks(self, name: str) -> str:
        """Return the directory of an app's hooks."""
        return f"{self.etc}/hooks/{name}"

    def app(self, name: str) -> "AppPaths":
        """Return the paths of one app."""
        return AppPaths(
            f"{self.root}/var/lib/autoupdate/{name}", f"{self.root}/run/autoupdate/{name}"
        )


class AppPaths:
    """The paths of one app: what it keeps, and what lasts until the next boot."""

    def __init__(self, home: str, run: str) -> None:
        self.home = home
        self.run = run

    @property
    def current(self) -> str:
        """Symbolic link to the release that the services run."""
        return f"{self.home}/current"

    @property
    def previous(self) -> str:
        """Symbolic link to the release before it."""
        return f"{self.home}/previous"

    @property
    def state(self) -> str:
        """The SQLite database with transactions, history and quarantine."""
        return f"{self.home}/state.db"

    @property
    def last_look(self) -> str:
        """When a run last found that nothing had changed since the state was written."""
        return f"{self.home}/last-look"

    @property
    def mirror(self) -> str:
        """The local Git repository that everything is fetched into."""
        return f"{self.home}/repo.git"

    @property
    def releases(self) -> str:
        """Directory of the releases, one directory each."""
        return f"{self.home}/releases"

    @property
    def environments(self) -> str:
        """Directory of the installed dependency sets, one directory for each key."""
        return f"{self.home}/environments"

    @property
    def linking(self) -> str:
        """Directory in which the environment of a release is put together."""
        return f"{self.home}/linking"

    @property
    def shared(self) -> str:
        """Directory of what outlives a release."""
        return f"{self.home}/shared"

    @property
    def lock(self) -> str:
        """File that the one run of this app holds locked."""
        return f"{self.run}/lock"

    @property
    def opening(self) -> str:
        """File that is locked while the state is opened."""
        return f"{self.run}/opening"

    @property
    def activating(self) -> str:
        """Marker: process id and start time of the run that switches releases now."""
        return f"{self.run}/activating"

    @property
    def fresh(self) -> str:
        """Stamp: seconds since boot until which the last check is good enough for a start."""
        return f"{self.run}/fresh"

    @property
    def known(self) -> str:
        """What the last run asked and found, for the next one to compare (known.py)."""
        return f"{self.run}/known"

    @property
    def requests(self) -> str:
        """Directory of what services' starts wish of a run, one file for each that waits."""
        return f"{self.run}/requests"

    @property
    def snapshots(self) -> str:
        """Directory of the copies of shared files, one directory for each transaction."""
        return f"{self.home}/snapshots"

    @property
    def relocation(self) -> str:
        """Journal of a directory that is being taken over or given back; gone when that is over."""
        return f"{self.home}/relocation.json"

    @property
    def adopted(self) -> str:
        """What the last adoption left, and where: its record, in JSON."""
        return f"{self.home}/adopted.json"

    @property
    def legacy(self) -> str:
        """Directory of what adoptions put aside, one directory for each."""
        return f"{self.home}/legacy"

    @property
    def adopting(self) -> str:
        """Directory of the copy of a checkout that the builds' user looks at."""
        return f"{self.home}/adopting"

    @property
    def leaving(self) -> str:
        """Directory in which the builds' user makes a plain checkout that is given back."""
        return f"{self.home}/leaving"

    def release(self, release: str) -> str:
        """Return the directory of one release."""
        return f"{self.releases}/{release}"
