"""autoupdatectl forget"""

from argparse import Namespace

from autoupdate.adoption.forget import Remains, find, in_words, remove
from autoupdate.cli.output import ask, can_ask, complain, print_words, put, tell
from autoupdate.cli.prepare import require_root
from autoupdate.config.renamed import new_name
from autoupdate.host import runtime_files
from autoupdate.host.log import HostLog
from autoupdate.host.processes import processes_in
from autoupdate.host.services import Systemd
from autoupdate.host.transient_units import SystemdTransientUnits
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.model.events import STEERED, Event
from autoupdate.model.paths import Paths


def forget(paths: Paths, app: str, chosen: Namespace) -> int:
    """Remove what an app has left on this host, except for its settings and its shared files."""
    require_root(paths)
    systemd, place = Systemd(), paths.app(app)
    new = new_name(place)

    def look() -> Remains:
        return find(paths, app, systemd, processes_in, shared=chosen.shared)

    found = look()
    if not chosen.yes and not is_wanted(found, chosen):
        put(f"{app}: nothing was removed")
        return Exit.FAILED
    # By a former name, too.
    with runtime_files.locked(place, app, wait=False):
        found = look()
        left = remove(found, place, systemd, SystemdTransientUnits())
    said = f"{new}: its former name {app} was removed" if new else f"{app}: removed from this host"
    HostLog(paths.log).write(Event(STEERED, said, new or app))
    facts = found._asdict() | {"unremoved": [item._asdict() for item in left]}
    tell(facts, "\n".join(in_words(found, "removed:")), chosen)
    for item in left:
        complain(f"{item.path} could not be removed: {item.why}", item.advice)
    return Exit.FAILED if left else Exit.DONE


def is_wanted(found: Remains, chosen: Namespace) -> bool:
    """Show what would be removed, and ask. Raises ConfigurationError if nobody can answer."""
    if not chosen.json:
        print_words("\n".join(in_words(found)))
    if not can_ask(chosen):
        shared = " --shared" if chosen.shared else ""
        raise ConfigurationError(
            f"{found.app}: nothing was removed, as nobody can be asked",
            f"to remove it: autoupdatectl forget --yes{shared} {found.app}",
        )
    return ask("Remove it?")
