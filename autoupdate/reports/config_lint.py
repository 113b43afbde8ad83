"""What of a configuration is legal, and yet most likely not what was meant; for `config check`.

And what the settings lead to, and cannot be used: hooks, keys, addresses to notify.
"""

import os
from collections.abc import Iterator, Mapping

from autoupdate.config.load import Value
from autoupdate.config.settings import Settings
from autoupdate.gates import calendar
from autoupdate.gates.trusted_keys import trusted_keys
from autoupdate.host.hook_files import POST, PRE, host_hooks
from autoupdate.host.unit_files import unit_files
from autoupdate.model.errors import ConfigurationError, NotPermittedError
from autoupdate.model.paths import Paths
from autoupdate.upstream.git_environment import redact

# What is there is gone after a boot, or anybody may write there.
PASSING = ("/tmp/", "/var/tmp/", "/run/", "/dev/shm/")  # noqa: S108 - looked for, not used


def faults(
    paths: Paths, settings: Settings, values: Mapping[str, Value]
) -> list[ConfigurationError]:
    """Return what the settings lead to and cannot be used; an update may not need it."""
    found = []
    if said := calendar.fault(settings.windows.allowed):
        origin = values["windows.allowed"].origin
        found.append(ConfigurationError(f"{origin}: {said}", "see autoupdate.toml(5)"))
    hooks = host_hooks(paths, settings.app)
    for stage in (PRE, POST):
        for hook in hooks.find(stage):
            if fault := hooks.fault(hook):
                message = f"hook {hook} does not run: {fault}"
                found.append(ConfigurationError(message, "put it right, or move it away"))
    if settings.trust.signatures != "off":
        try:
            trusted_keys(paths, settings.app)
        except (ConfigurationError, NotPermittedError) as error:
            found.append(ConfigurationError(error.message, error.advice))
    return found


def unknown_targets(settings: Settings, values: Mapping[str, Value]) -> list[ConfigurationError]:
    """Return the addresses to notify that are wrong, each told by its scheme and number alone."""
    if not settings.notify.urls:
        return []
    from autoupdate.notifications.delivery import MISSING, fault
    from autoupdate.records.outbox import targets

    where = f"{values['notify.urls'].origin}: notify.urls"
    found = []
    for target, url in targets(settings.notify.urls).items():
        if said := fault(url):
            if said == MISSING:
                return [ConfigurationError(f"{where} needs it: {said}", "apt install apprise")]
            found.append(ConfigurationError(f"{where}: {target} {said}", "see apprise(1)"))
    return found


def warnings(paths: Paths, settings: Settings, values: Mapping[str, Value]) -> Iterator[str]:
    """Yield what is most likely not meant, with the file and the key that it stands in."""

    def at(key: str) -> str:
        return f"{values[key].origin or 'built-in default'}: {key}"

    units = unit_files(paths, ".service")
    for service in settings.services:
        name, instance, _ = service.partition("@")
        if service not in units and not (instance and f"{name}@.service" in units):
            yield f"{at('services')}: this host has no unit {service}"
    if settings.path.startswith(PASSING):
        yield f"{at('path')}: what is in {os.path.dirname(settings.path)} is removed at times"
    elif not os.path.isdir(os.path.dirname(settings.path)):
        yield f"{at('path')}: there is no directory {os.path.dirname(settings.path)}"
    if not os.access(settings.build.python, os.X_OK):
        yield f"{at('build.python')}: {settings.build.python} is no program here"
    if not settings.health.probe and not settings.health.soak:
        yield (f"{at('health.soak')}: without it, and without health.probe, no release is ever"
               " found bad")  # fmt: skip
    url = settings.upstream.url
    if url.startswith(("http://", "git://")) and settings.trust.signatures == "off":
        yield (f"{at('upstream.url')}: nothing protects what comes over {url.partition(':')[0]},"
               " as trust.signatures is off")  # fmt: skip
    for key, secret in (
        ("upstream.url", redact(url) != url),
        ("notify.urls", settings.notify.urls),
    ):
        if secret and may_be_read_by_all(values[key].origin):
            yield f"{at(key)}: may hold a password, and every user may read that file"
    for hook in host_hooks(paths, settings.app).overlooked():
        yield (f"hook {hook} never runs: hooks lie in {PRE} and {POST}, and have no name with other"
               " characters than letters, digits, _ and -")  # fmt: skip
    textfile = settings.metrics.textfile
    if textfile and not os.path.isdir(textfile):
        yield f"{at('metrics.textfile')}: there is no directory {textfile}"


def may_be_read_by_all(file: str) -> bool:
    """Tell whether every user of the host may read a file."""
    return bool(file) and bool(os.stat(file).st_mode & 0o004)
