"""The environment of a release, made without a run around it."""

import os

from autoupdate.worker.environment import linked_copy
from autoupdate.worker.environment.environment import EnvironmentBuilder


def complete(builder: EnvironmentBuilder, release: str, deployed: str = "") -> str:
    """Give a release its environment, with the app in it; return the key."""
    scratch = f"{os.path.dirname(builder.environments)}/linking"
    os.makedirs(builder.environments, exist_ok=True)
    for anew in (False, True):
        prepared = builder.prepare(release, deployed, anew=anew)
        environment = f"{builder.environments}/{prepared.key}"
        if not prepared.complete:
            if prepared.former:
                former = f"{builder.environments}/{prepared.former}"
                linked_copy.provide(former, scratch, environment, None)
            builder.install(release, prepared)
        linked_copy.provide(environment, scratch, f"{release}/.venv", None)
        if builder.finish(release, prepared):
            return prepared.key
    raise AssertionError
