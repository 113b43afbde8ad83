"""autoupdatectl rename"""

from argparse import Namespace

from autoupdate.adoption import rename as renames
from autoupdate.adoption.former_names import in_words, mentions, needed_by
from autoupdate.assemble import keep
from autoupdate.cli.output import tell
from autoupdate.cli.prepare import require_root
from autoupdate.cli.signals import outlive_the_terminal
from autoupdate.config import renamed
from autoupdate.config.load import check_name, load_with_values
from autoupdate.config.renamed import Rename
from autoupdate.config.run_from import located
from autoupdate.host import runtime_files
from autoupdate.host.links import remove_link
from autoupdate.host.log import HostLog
from autoupdate.host.services import Systemd
from autoupdate.host.transient_units import SystemdTransientUnits
from autoupdate.model.errors import Exit, Interrupted
from autoupdate.model.events import STEERED, Event
from autoupdate.model.paths import Paths


def rename(paths: Paths, _: str, chosen: Namespace) -> int:
    """Give an app another name, while its services run."""
    require_root(paths)
    old, new = chosen.old, chosen.new
    for name in (old, new):
        check_name(name)
    place = paths.app(old)
    if not unfinished(paths, old, new):
        if renamed.new_name(place) == new:
            show(paths, old, new, needed_by(paths, old, Systemd().directives), chosen)
            return Exit.DONE
        # Before there is a lock, which would be a trace of an app that does not exist.
        plan(paths, old, new)
    try:
        with outlive_the_terminal(), runtime_files.locked(place, old, wait=False):
            needed = work(paths, old, new)
    except Interrupted as error:
        again = f"interrupted; type again: autoupdatectl rename {old} {new}"
        raise Interrupted(again, error.exit_code) from None
    HostLog(paths.log).write(Event(STEERED, f"{new}: renamed from {old}", new))
    show(paths, old, new, needed, chosen)
    return Exit.DONE


def unfinished(paths: Paths, old: str, new: str) -> Rename | None:
    """Return this rename if it was interrupted. Raises UnfinishedRenameError for another one."""
    for name in (old, new):
        begun = renamed.unfinished(paths.app(name))
        if begun and (begun.old, begun.new) == (old, new):
            return begun
        if begun:
            renamed.refuse(paths.app(name), name)
    return None


def plan(paths: Paths, old: str, new: str) -> Rename:
    """Return what is to be recorded of a rename. Raises ConfigurationError."""
    return renames.plan(
        paths, old, new,
        lambda settings: located(settings, Systemd().directives, paths.app(old)),
    )  # fmt: skip


def work(paths: Paths, old: str, new: str) -> list[str]:
    """Rename, or go on with it; return what still needs the former name. Needs the app's lock."""
    systemd, place = Systemd(), paths.app(old)
    begun = unfinished(paths, old, new)
    if not begun:
        begun = plan(paths, old, new)
        # By these, services start and status answers if this is interrupted.
        _, values = load_with_values(paths, old)
        renames.make_home(place)
        keep(place, values)
        renames.begin(paths, begun)
    # Services that start meanwhile ask nobody.
    with runtime_files.activating(place), runtime_files.activating(paths.app(new)):
        renames.finish(paths, begun, systemd, SystemdTransientUnits())
    needed = needed_by(paths, old, systemd.directives)
    if not needed:
        remove_link(place.home)
    return needed


def show(paths: Paths, old: str, new: str, needed: list[str], chosen: Namespace) -> None:
    """Print what was done, and what is left of the former name."""
    home = paths.app(old).home
    named = mentions(paths, old)
    facts = {"app": new, "renamed_from": old, "link": home if needed else None,
             "needed_by": needed, "named_in": named}  # fmt: skip
    lines = [f"{old} was renamed to {new}"]
    if needed:
        lines += [
            f"  {home} is kept as a link to it, for {in_words(needed)}",
            f"  to remove it when nothing needs it any more: autoupdatectl forget {old}",
        ]
    lines += [f"  {file} still has a command for {old}; write {new} there" for file in named]
    tell(facts, "\n".join(lines), chosen)
