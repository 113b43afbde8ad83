"""Errors and warnings of valid settings, for `config check` and `doctor`.

Errors: what the settings name and what cannot be used (hooks, keys, credentials of builds, windows,
notification URLs).
Warnings: settings that are allowed, but probably a mistake.
"""

import os
from collections.abc import Iterator, Mapping

from autoupdate.config.load import Value
from autoupdate.config.sections import Settings
from autoupdate.gates import calendar
from autoupdate.gates.trusted_keys import trusted_keys
from autoupdate.host.hook_files import POST, PRE, host_hooks
from autoupdate.model.errors import ConfigurationError, NotPermittedError
from autoupdate.model.paths import Paths
from autoupdate.reports import service_kinds
from autoupdate.upstream import build_credentials
from autoupdate.upstream.git_environment import redact
from autoupdate.worker.packages import pip_settings

# Files there are deleted at a reboot or when they are old (tmpfiles.d(5)).
PASSING = ("/tmp/", "/var/tmp/", "/run/", "/dev/shm/")  # noqa: S108 - looked for, not used


def faults(
    paths: Paths, settings: Settings, values: Mapping[str, Value]
) -> list[ConfigurationError]:
    """Return the errors in what the settings name; not every update needs it."""
    found = []
    if said := calendar.fault(settings.windows.allowed):
        origin = values["windows.allowed"].origin
        found.append(ConfigurationError(f"{origin}: {said}", "see autoupdate.toml(5)"))
    hooks = host_hooks(paths, settings.app)
    for stage in (PRE, POST):
        for hook in hooks.find(stage):
            if fault := hooks.fault(hook):
                message = f"hook {hook} cannot run: {fault}"
                found.append(ConfigurationError(message, "fix it, or remove it"))
    if settings.shared:
        for service in settings.services:
            if service_kinds.says(paths, service, "DynamicUser") in service_kinds.YES:
                message = (
                    f"{service} has DynamicUser=yes, so that it cannot write to what is shared"
                )
                advice = "set User= and DynamicUser=no in a drop-in, or use StateDirectory="
                found.append(ConfigurationError(message, advice))
    if settings.trust.signatures != "off":
        try:
            trusted_keys(paths, settings.app)
        except (ConfigurationError, NotPermittedError) as error:
            found.append(ConfigurationError(error.message, error.advice))
    where = values["build.credentials"].origin
    found += [
        ConfigurationError(f"{where}: {unusable.message}", unusable.advice)
        for unusable in build_credentials.faults(settings.build.credentials)
    ]
    return found


def unknown_targets(settings: Settings, values: Mapping[str, Value]) -> list[ConfigurationError]:
    """Return an error for each notification URL that cannot be used.

    A URL is named by its scheme and its number, as it may hold secrets.
    """
    if not settings.notify.urls:
        return []
    from autoupdate.notifications.by_apprise import MISSING, fault
    from autoupdate.records.outbox import targets

    where = f"{values['notify.urls'].origin}: notify.urls"
    found = []
    for target, url in targets(settings.notify.urls).items():
        if said := fault(url):
            if said == MISSING:
                return [ConfigurationError(f"{where}: {said}", "apt install apprise")]
            found.append(ConfigurationError(f"{where}: {target} {said}", "see apprise(1)"))
    return found


def warnings(paths: Paths, settings: Settings, values: Mapping[str, Value]) -> Iterator[str]:
    """Yield what is probably a mistake, each with its file and key."""

    def at(key: str) -> str:
        return f"{values[key].origin or 'built-in default'}: {key}"

    for said in service_kinds.warnings(paths, settings.services):
        yield f"{at('services')}: {said}"
    if settings.path.startswith(PASSING):
        yield (f"{at('path')}: files in {os.path.dirname(settings.path)} are deleted at a reboot"
               " or when they are old")  # fmt: skip
    elif not os.path.isdir(os.path.dirname(settings.path)):
        yield f"{at('path')}: there is no directory {os.path.dirname(settings.path)}"
    yield from contradictions(settings, values)
    if settings.build.installer != "pip":
        yield from pip_settings.of_host(paths.root).left_out
    if not settings.health.probe and not settings.health.soak:
        yield (f"{at('health.soak')}: it is 0, and health.probe is not set: a release that crashes"
               " after its start is not noticed")  # fmt: skip
    url = settings.upstream.url
    if url.startswith(("http://", "git://")) and settings.trust.signatures == "off":
        yield (f"{at('upstream.url')}: code that comes over {url.partition(':')[0]} can be changed"
               " on its way, and trust.signatures is off")  # fmt: skip
    for key, secret in (
        ("upstream.url", redact(url) != url),
        ("notify.urls", settings.notify.urls),
    ):
        if secret and may_be_read_by_all(values[key].origin):
            yield f"{at(key)}: it may hold a password, and every user can read the file"
    for hook in host_hooks(paths, settings.app).overlooked():
        yield (f"hook {hook} never runs: hooks must be in {PRE} or {POST}, and their names may have"
               " only letters, digits, _ and -")  # fmt: skip
    textfile = settings.metrics.textfile
    if textfile and not os.path.isdir(textfile):
        yield f"{at('metrics.textfile')}: there is no directory {textfile}"


def contradictions(settings: Settings, values: Mapping[str, Value]) -> Iterator[str]:
    """Yield settings of which one makes another useless."""
    install, editable = settings.build.install, settings.build.editable
    others = ("wheel", "none") if editable else ("editable",)
    # What no file sets contradicts nothing.
    if values["build.editable"].origin and install in others:
        yield (f"{values['build.editable'].origin}: build.editable: it is {str(editable).lower()},"
               f' but {values["build.install"].origin} has build.install = "{install}"; only'
               " build.install counts")  # fmt: skip


def may_be_read_by_all(file: str) -> bool:
    """Return whether every user of the host can read a file."""
    return bool(file) and bool(os.stat(file).st_mode & 0o004)
