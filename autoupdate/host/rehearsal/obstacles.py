"""Why the service of a unit cannot be started a second time, in a sandbox."""

from autoupdate.host.rehearsal.units import Unit

# Each has a file system of its own, in which the release would have to be looked for.
OWN_ROOT = (
    "RootDirectory", "RootImage", "RootImageOptions", "RootVerity", "MountImages",
    "ExtensionImages", "ExtensionDirectories", "RootMStack",
)  # fmt: skip


def obstacle(unit: Unit) -> str:
    """Return why a unit cannot be rehearsed; empty if it can be tried."""
    load = unit.get("LoadState")
    if load == "masked":
        return "its unit is masked"
    if load != "loaded":
        return "this host has no such unit"
    sockets = [name for name in unit.get("TriggeredBy").split() if name.endswith(".socket")]
    if sockets:
        return f"it gets its connections from {', '.join(sockets)}"
    if unit.get("Type") == "dbus":
        return "it takes a name on the system bus (Type=dbus)"
    for key in OWN_ROOT:
        if unit.last(key):
            return f"it has a file system of its own ({key}=)"
    if unit.last("PAMName"):
        return "it opens a session of a user (PAMName=)"
    given = unit.last("StandardInput").partition(":")[0]
    if given not in ("", "null", "data"):
        return f"it reads from StandardInput={given}"
    return ""
