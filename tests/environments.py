"""The environment of a release, made without a run around it."""

import os

from autoupdate.worker.environment import linked_copy
from autoupdate.worker.environment.environment import EnvironmentBuilder


def complete(builder: EnvironmentBuilder, release: str) -> None:
    """Give a release its environment, with the app in it."""
    key = builder.prepare(release)
    scratch = f"{os.path.dirname(builder.environments)}/linking"
    linked_copy.provide(f"{builder.environments}/{key}", scratch, release, None)
    builder.finish(release, key)
