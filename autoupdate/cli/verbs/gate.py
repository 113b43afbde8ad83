"""autoupdatectl gate enable, gate disable"""

from argparse import Namespace

from autoupdate.adoption import gate_drop_in
from autoupdate.adoption.gate_drop_in import Done
from autoupdate.cli.output import tell
from autoupdate.cli.prepare import require_root
from autoupdate.config.load import load
from autoupdate.config.run_from import is_loaded
from autoupdate.config.values import service_names
from autoupdate.host.services import Systemd
from autoupdate.model.errors import ConfigurationError, Exit
from autoupdate.model.paths import Paths


def enable(paths: Paths, app: str, chosen: Namespace) -> int:
    """Put the gate before the start of a service."""
    require_root(paths)
    settings, service, systemd = load(paths, app), name_of(chosen.service), Systemd()
    # Without a service manager, as in an image, nobody knows the units.
    if any(not is_loaded(unit) for unit in systemd.directives([service])):
        raise ConfigurationError(
            f"this host has no unit {service}, or it is masked",
            "to list them: systemctl list-unit-files --type=service",
        )
    done = gate_drop_in.enable(paths, systemd, service, app)
    more = []
    if service not in settings.services:
        more = [f"  updates do not restart it: it is not in services of {app}"]
    return show(done, app, service, more, chosen)


def disable(paths: Paths, app: str, chosen: Namespace) -> int:
    """Take the gate away from a service."""
    require_root(paths)
    service = name_of(chosen.service)
    return show(gate_drop_in.disable(paths, Systemd(), service), app, service, [], chosen)


def name_of(given: str) -> str:
    """Return the full name of a service. Raises ConfigurationError."""
    name = given if given.endswith(".service") else f"{given}.service"
    try:
        return service_names([name])[0]
    except ValueError as error:
        raise ConfigurationError(f"{given}: {error}") from None


def show(done: Done, app: str, service: str, more: list[str], chosen: Namespace) -> int:
    """Print what was done."""
    facts = {"app": app or None, "service": service, "file": done.file, "changed": done.changed}
    tell(facts, "\n".join([done.words, *more]), chosen)
    return Exit.DONE
