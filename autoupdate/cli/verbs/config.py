"""autoupdatectl config check, config show"""

from argparse import Namespace
from typing import Any

from autoupdate.cli.output import show as print_facts
from autoupdate.cli.render.configuration import check as words_of_check
from autoupdate.cli.render.configuration import show as words_of_show
from autoupdate.config import load as files
from autoupdate.config import on_host
from autoupdate.config.claims import around, claims
from autoupdate.config.load import Value
from autoupdate.config.on_host import Claim
from autoupdate.config.run_from import ORIGIN, agreed, located
from autoupdate.config.sections import Settings
from autoupdate.config.settings import REQUIRED
from autoupdate.host.services import Systemd
from autoupdate.model.errors import AutoupdateError, ConfigurationError, Exit
from autoupdate.model.paths import Paths
from autoupdate.reports import config_lint
from autoupdate.upstream.git_environment import redact


def check(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print the errors and warnings of the settings of one app, or of all apps."""
    if app:
        told = [check_one(paths, app)]
    else:
        known = claims(paths)
        told = [check_one_of_all(paths, name, known) for name in files.apps(paths)]
    ignored = [f"{file} is ignored: {why}" for file, why in files.foreign(paths)]
    print_facts({"apps": told, "warnings": ignored}, words_of_check, chosen)
    return Exit.USAGE if any(one["faults"] for one in told) else Exit.DONE


def check_one_of_all(paths: Paths, app: str, known: dict[str, Claim]) -> dict[str, Any]:
    """Return what check_one returns; an app that cannot be checked does not hide the others."""
    try:
        return check_one(paths, app, known)
    except AutoupdateError as error:
        fault = {"message": error.message, "advice": error.advice}
        return {"app": app, "faults": [fault], "warnings": []}


def check_one(paths: Paths, app: str, known: dict[str, Claim] | None = None) -> dict[str, Any]:
    """Return the errors and warnings of the settings of one app.

    `known` is what all apps use alone, if that has been read.
    """
    found: list[ConfigurationError] = []
    values = files.read(paths, app, found.append)
    if found:
        # A required setting may be in a file that cannot be read: it is not reported as missing.
        values = {key: item for key, item in values.items() if item.value is not REQUIRED}
    files.checked(app, values, found.append)
    odd: list[str] = []
    if not found:
        try:
            settings = complete(paths, app, values)
        except ConfigurationError as error:
            # Without a path, most of the other checks would be about nothing.
            found.append(error)
    if not found:
        found += on_host.faults(paths, settings, files.origins(values))
        found += on_host.conflicts(app, known or around(paths, app, values), files.origins(values))
        found += config_lint.faults(paths, settings, values)
        found += config_lint.unknown_targets(settings, values)
        odd += config_lint.warnings(paths, settings, values)
    return {
        "app": app,
        "faults": [{"message": error.message, "advice": error.advice} for error in found],
        "warnings": odd,
    }


def show(paths: Paths, app: str, chosen: Namespace) -> int:
    """Print every setting of an app with the file that sets it."""
    values = files.read(paths, app)
    complete(paths, app, values)
    told = {key: {"value": without_secrets(key, item), "origin": item.origin or None}
            for key, item in values.items()}  # fmt: skip
    print_facts({"app": app, "settings": told}, words_of_show, chosen)
    return Exit.DONE


def complete(paths: Paths, app: str, values: dict[str, Value]) -> Settings:
    """Return the settings of merged values, and put in the path if no file sets it.

    Raises ConfigurationError.
    """
    built = files.build(app, values)
    if built.path:
        return built
    units = Systemd().directives(built.services)
    settings = located(built, lambda _: units, paths.app(app))
    values["path"] = Value(settings.path, ORIGIN if agreed(units, paths.app(app)) else "")
    return settings


def without_secrets(key: str, item: Value) -> Any:
    """Return the value of a setting; addresses without their secrets."""
    if key == "notify.urls":
        return [f"{url.partition('://')[0]}://…" for url in item.value]
    return redact(item.value) if key in ("upstream.url", "upstream.proxy") else item.value
