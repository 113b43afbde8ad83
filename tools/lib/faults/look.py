"""Checks what must be true after every kill and fault."""

import json
import time
from typing import Any

from tools.lib.faults.scene import Scene
from tools.lib.hosts.commands import CommandFailedError
from tools.lib.hosts.demo_app import SERVICES

# States that `status` can show while a transaction has no running process.
INTERRUPTED = ("failed", "probation", "updating")


def right_after(scene: Scene) -> list[str]:
    """Check right after the kill, before any repair; return what is wrong."""
    facts = scene.facts()
    wrong = incomplete(scene, facts)
    status, complaint = scene.status()
    if complaint:
        return [*wrong, complaint]
    wrong += untrue(scene, facts, status)
    # Before the switch nothing has changed yet, but it must be said.
    said = status["state"] in INTERRUPTED or status["interrupted"]
    if facts["unfinished"] and not said:
        wrong.append(f"status says {status['state']} of an unfinished {facts['unfinished']}")
    return wrong


def incomplete(scene: Scene, facts: dict[str, Any]) -> list[str]:
    """Check that the services' path leads to one complete release."""
    release = facts["release"]
    if not release:
        return [f"the path leads to no release: {facts['link']}"]
    commit = next((name for name in scene.trees if release.find(name[:12]) > 0), "")
    version = scene.versions.get(commit, 0)
    wrong = []
    if facts["version_file"] != str(version):
        wrong.append(f"VERSION is {facts['version_file']}, the release's commit has {version}")
    if not facts["version_module"].startswith(f"VERSION = {version}\n"):
        wrong.append(f"version.py has {facts['version_module'][:100]!r}, not {version}")
    if facts["imported"] != str(version):
        wrong.append(f"the application cannot be imported: {facts['imported']}")
    differing = differences(facts["trees"].get(release, {}), scene.trees.get(commit, {}))
    if differing:
        wrong.append(f"release {release} is not its commit: {differing}")
    return wrong


def differences(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Return some of the files of a commit that are missing or different in a release."""
    shared = ("state/", "logs/")
    differing = [
        path
        for path, blob in wanted.items()
        if found.get(path) != blob and not path.startswith(shared)
    ]
    return differing[:3]


def untrue(scene: Scene, facts: dict[str, Any], status: dict[str, Any]) -> list[str]:
    """Compare the current release in `status` with the target of the link."""
    current = status["current"] or {"release": "", "commit": ""}
    wrong = []
    if current["release"] != facts["release"]:
        wrong.append(f"status says release {current['release']}, it is {facts['release']}")
    if current["commit"][:12] not in facts["release"] or not current["commit"]:
        wrong.append(f"status says commit {current['commit']!r} of {facts['release']}")
    if status["state"] == "current" and current["commit"] != scene.upstream.published():
        candidate = (status["candidate"] or {}).get("commit")
        if candidate != current["commit"]:
            wrong.append("status says current, and knows a newer commit")
    return wrong


def service_starts(scene: Scene) -> list[str]:
    """Restart a service, with its gate, as an administrator does; return what is wrong."""
    scene.app.forget_freshness()
    done = scene.host.systemctl("restart", SERVICES[0], check=False, timeout=300)
    if not done.ok:
        return [f"systemctl restart ends with {done.returncode}: {scene.told()}"]
    try:
        scene.app.wait_up(60)
    except (AssertionError, CommandFailedError) as error:
        return [f"services do not come up: {str(error)[:300]}"]
    return []


def recovered(scene: Scene, *, rolled_back: bool = False) -> list[str]:
    """Check after the next run: the newest good commit is current, and nothing is left.

    After a rollback by hand (`rolled_back`), the commit may also be in quarantine and the previous
    one current.
    """
    wrong = []
    try:
        scene.wait_ended(120)
        scene.app.wait_up(60)
    except (AssertionError, CommandFailedError) as error:
        wrong.append(f"services are not up in the end: {str(error)[:300]}")
    facts = scene.facts()
    wrong += incomplete(scene, facts)
    status, complaint = scene.status()
    if complaint:
        return [*wrong, complaint]
    wrong += untrue(scene, facts, status)
    left = rolled_back and scene.good in [row[0] for row in facts["quarantine"]]
    if left:
        if status["state"] != "rolled-back" or status["current"]["commit"] == scene.good:
            wrong.append(f"rolled back by hand, and status says {json.dumps(status)}")
    elif status["state"] != "current" or status["current"]["commit"] != scene.good:
        wrong.append(
            f"state is {status['state']} at {status['current']}, the newest good commit is"
            f" {scene.good}; last run: {status['last_run']}; quarantine: {facts['quarantine']}"
        )
    version = scene.versions.get((status["current"] or {}).get("commit", ""), 0)
    serving = scene.serving()
    if serving != version:
        wrong.append(f"the services run version {serving or 'unknown'}, current is {version}")
    return wrong + traces(scene, facts)


def traces(scene: Scene, facts: dict[str, Any]) -> list[str]:
    """Return what a killed run has left, and what is recorded but does not exist."""
    wrong = []
    if facts["unfinished"]:
        wrong.append(f"a transaction is unfinished: {facts['unfinished']}")
    if isinstance(facts["recorded"], str):
        return [*wrong, f"the state cannot be read: {facts['recorded']}"]
    recorded = {row[0]: row[1] for row in facts["recorded"]}
    for release, tree in facts["trees"].items():
        if release not in recorded:
            wrong.append(f"directory without a record: releases/{release}")
        elif release in facts["python"]:
            differing = differences(tree, scene.trees.get(recorded[release], {}))
            if differing:
                wrong.append(f"release {release} passes for complete, and lacks {differing}")
    if facts["release"] not in recorded:
        wrong.append(f"no record of the current release {facts['release']}")
    known = {row[2] for row in facts["recorded"]}
    # The installer is in the same directory as what it installs.
    stray = [name for name in facts["environments"] if name not in known and name[:3] != "uv-"]
    if stray:
        wrong.append(f"environments of no release: {stray}")
    wrong += [f"left over: {path}" for path in facts["leftovers"]]
    if facts["processes"]:
        time.sleep(2)
        still = scene.facts()["processes"]
        wrong += [f"process of _autoupdate: {process}" for process in still]
    return wrong
