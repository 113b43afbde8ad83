"""All paths that the package uses, below one root, so that tests can use a root of their own.

Plain classes: named tuples would load the module `typing`, which costs 7 ms in
service_start/fast_path.py.
"""


class Paths:
    """The paths of the host; `root` is empty except in tests."""

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
        """Download caches; also the home directory of the user `_autoupdate`."""
        return f"{self.root}/var/cache/autoupdate"

    @property
    def log(self) -> str:
        """The log file."""
        return f"{self.root}/var/log/autoupdate/auto-update.log"

    @property
    def crontab(self) -> str:
        """The system crontab (crontab(5))."""
        return f"{self.root}/etc/crontab"

    @property
    def crontabs(self) -> tuple[str, ...]:
        """Directories of other crontabs: those of packages and of users."""
        return (f"{self.root}/etc/cron.d", f"{self.root}/var/spool/cron/crontabs")

    @property
    def cron_scripts(self) -> tuple[str, ...]:
        """Directories of scripts that cron runs, by run-parts(8)."""
        names = ("hourly", "daily", "weekly", "monthly")
        return tuple(f"{self.root}/etc/cron.{name}" for name in names)

    @property
    def administrators_units(self) -> str:
        """Directory of the administrator's units, drop-ins and enabled units."""
        return f"{self.root}/etc/systemd/system"

    @property
    def unit_directories(self) -> tuple[str, ...]:
        """Directories of units, highest priority first (systemd.unit(5))."""
        others = ("run", "usr/local/lib", "usr/lib")
        return (
            self.administrators_units,
            *(f"{self.root}/{other}/systemd/system" for other in others),
        )

    @property
    def runtime_units(self) -> str:
        """Directory of units that last until the next boot."""
        return f"{self.root}/run/systemd/system"

    def keys(self, name: str) -> str:
        """Return the directory of an app's trusted keys."""
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
    """The paths of one app: `home` is permanent, `run` is lost at a reboot."""

    def __init__(self, home: str, run: str) -> None:
        self.home = home
        self.run = run

    @property
    def current(self) -> str:
        """Symbolic link to the release that the services run."""
        return f"{self.home}/current"

    @property
    def previous(self) -> str:
        """Symbolic link to the previous release."""
        return f"{self.home}/previous"

    @property
    def state(self) -> str:
        """The SQLite database with transactions, history and quarantine."""
        return f"{self.home}/state.db"

    @property
    def last_look(self) -> str:
        """When the fast path last found nothing new, with the outcome of that run."""
        return f"{self.home}/last-look"

    @property
    def last_valid(self) -> str:
        """The last valid settings, in JSON: what is deployed was deployed by them."""
        return f"{self.home}/settings.json"

    @property
    def mirror(self) -> str:
        """The mirror: the local Git repository to which commits are fetched."""
        return f"{self.home}/repo.git"

    @property
    def releases(self) -> str:
        """Directory of the releases, one subdirectory each."""
        return f"{self.home}/releases"

    @property
    def environments(self) -> str:
        """Directory of the installed sets of dependencies, one subdirectory for each key."""
        return f"{self.home}/environments"

    @property
    def linking(self) -> str:
        """Directory where the environment of a release is made, by hard links."""
        return f"{self.home}/linking"

    @property
    def shared(self) -> str:
        """Directory of the shared files, which are kept when releases change."""
        return f"{self.home}/shared"

    @property
    def trash(self) -> str:
        """Directory of what is to be removed: only root may look into it."""
        return f"{self.home}/trash"

    @property
    def unremoved(self) -> str:
        """List of what could not be removed, in JSON: it is reported once, and by doctor."""
        return f"{self.home}/unremoved.json"

    @property
    def spare(self) -> str:
        """Key of the environment of the last failed rehearsal, which the next build may need."""
        return f"{self.home}/spare-environment"

    @property
    def release_logs(self) -> str:
        """Directory of the logs of releases; only root may look into it."""
        return f"{self.home}/logs"

    @property
    def lock(self) -> str:
        """File that is locked by the run of this app."""
        return f"{self.run}/lock"

    @property
    def state_lock(self) -> str:
        """File that is locked, too, as somebody may remove `run` during a run."""
        return f"{self.home}/lock"

    @property
    def opening(self) -> str:
        """File that is locked while the state is opened."""
        return f"{self.run}/opening"

    @property
    def activating(self) -> str:
        """Marker: process ID and start time of the run that is switching releases."""
        return f"{self.run}/activating"

    @property
    def fresh(self) -> str:
        """Stamp: until when, in seconds since boot, a start need not check upstream again."""
        return f"{self.run}/fresh"

    @property
    def refused(self) -> str:
        """When the first start was refused in an outage, in seconds since boot."""
        return f"{self.run}/refused"

    @property
    def known(self) -> str:
        """What the last run asked and found (service_start/fast_path_facts.py)."""
        return f"{self.run}/known"

    @property
    def requests(self) -> str:
        """Directory of requests by starting services, one file for each that waits for a run."""
        return f"{self.run}/requests"

    @property
    def snapshots(self) -> str:
        """Directory of the copies of shared files, one subdirectory for each transaction."""
        return f"{self.home}/snapshots"

    @property
    def rehearsal(self) -> str:
        """Directory of what rehearsed services use, removed at the end of each rehearsal."""
        return f"{self.home}/rehearsal"

    @property
    def relocation(self) -> str:
        """Journal of an adoption, or its return by release-path; removed when that has ended."""
        return f"{self.home}/relocation.json"

    @property
    def renaming(self) -> str:
        """Record of a rename, in JSON; removed when that has ended (config/renamed.py)."""
        return f"{self.home}/renaming.json"

    @property
    def adopted(self) -> str:
        """Record of the last adoption, in JSON: what it left, and where."""
        return f"{self.home}/adopted.json"

    @property
    def legacy(self) -> str:
        """Directory of what adoptions moved away, one subdirectory for each adoption."""
        return f"{self.home}/legacy"

    @property
    def adopting(self) -> str:
        """Directory of the copy of an old checkout that the user `_autoupdate` reads."""
        return f"{self.home}/adopting"

    @property
    def leaving(self) -> str:
        """Directory where the user `_autoupdate` makes the plain checkout for release-path."""
        return f"{self.home}/leaving"

    def release_log(self, release: str) -> str:
        """Return the file with the output of one release's build, rehearsal and hooks."""
        return f"{self.release_logs}/{release}.log"

    def release(self, release: str) -> str:
        """Return the directory of one release."""
        return f"{self.releases}/{release}"
