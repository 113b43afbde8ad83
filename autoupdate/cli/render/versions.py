"""Text of the packages that change."""

from typing import Any

from autoupdate.cli.render.layout import GREEN, RED, coloured


def versions(told: dict[str, Any]) -> list[str]:
    """Return a line for each package that is added, removed or replaced."""
    lines = [coloured(f"+ {name} {version}", GREEN) for name, version in told["added"].items()]
    lines += [coloured(f"- {name} {version}", RED) for name, version in told["removed"].items()]
    lines += [f"  {name} {old} → {new}" for name, (old, new) in told["changed"].items()]
    return lines or ["the same versions as before"]
