"""Upstream's tags in a release: `git describe` says there what it says in a clone of upstream."""

import os
from pathlib import Path

import pytest

from autoupdate.model.steps import Result
from autoupdate.upstream.git_environment import git_environment
from tests.integration.site import Site
from tools.lib.hosts.commands import run

DESCRIBE = (("--tags", "--long"), ("--always", "--dirty"), ("--tags", "--match", "v*", "--dirty"))
SCM = (
    '[build-system]\nrequires = ["setuptools>=64", "setuptools_scm>=8"]\n'
    'build-backend = "setuptools.build_meta"\n'
    '[project]\nname = "shop"\ndynamic = ["version"]\n'
    '[tool.setuptools]\npackages = ["shop"]\n[tool.setuptools_scm]\n'
)
VERSION = "import importlib.metadata as m, shop; print(m.version('shop'), shop.V)"


def described(site: Site, place: Path) -> list[str]:
    """Return what builds may ask Git in a directory."""
    environment = git_environment(str(site.directory))
    asked = [run("git", "-C", place, "describe", *options, environment=environment, check=False)
             for options in DESCRIBE]  # fmt: skip
    return [said.stdout + said.stderr for said in asked]


def agrees(site: Site) -> list[str]:
    """Check that the release describes itself as a clone does; return how."""
    clone = site.directory / "clone"
    run("rm", "-rf", clone)
    run("git", "clone", "--quiet", site.upstream.bare, clone)
    assert described(site, site.release) == described(site, clone)
    return described(site, clone)


def raw_tags(site: Site, refs: dict[str, str]) -> None:
    """Give upstream tags whose names are not possible as files, or that git would refuse."""
    site.upstream._bare_git("pack-refs", "--all")
    file = site.upstream.bare / "packed-refs"
    lines = file.read_text().splitlines()[1:]
    lines += [f"{commit} refs/tags/{name}" for name, commit in refs.items()]
    kept = sorted({line for line in lines if line[0] != "^"}, key=lambda line: line[41:].encode())
    file.write_text("# pack-refs with: sorted \n" + "".join(f"{line}\n" for line in kept))


def tags(site: Site) -> set[str]:
    """Return the tags of the mirror."""
    return set(site.git("tag", "--list").split())


def test_as_in_a_clone(quick: Site) -> None:
    upstream = quick.upstream
    upstream.tag("v1.0", "HEAD", "--annotate", "--message=1.0")
    upstream.tag("nightly")
    assert quick.updates_to(upstream.commit(2))
    assert "v1.0-1-g" in agrees(quick)[0]
    # On the deployed commit, and on one that is not part of it.
    upstream.tag("twice", "v1.0", "--annotate", "--message=a tag of a tag")
    upstream.git("switch", "--quiet", "--create", "other")
    upstream.commit(8, push=False)
    upstream.tag("v8.0", "HEAD", "--annotate", "--message=8.0")
    upstream.git("switch", "--quiet", "main")
    upstream.tag("v2.5.0", upstream.commit(3), "--annotate", "--message=2.5.0")
    upstream.tag("tree", "HEAD^{tree}")
    assert quick.run().result is Result.UPDATED
    assert agrees(quick)[2] == "v2.5.0\n"
    assert tags(quick) == {"v1.0", "nightly", "twice", "v2.5.0"}
    assert quick.git("cat-file", "-t", "refs/tags/v2.5.0") == "tag"
    # Moved, deleted, and a name below one that is gone.
    upstream.tag("v2.5.0", "HEAD^", "--annotate", "--message=moved")
    upstream.git("push", "--quiet", "origin", ":refs/tags/nightly", ":refs/tags/twice")
    upstream.git("tag", "--delete", "nightly")
    upstream.tag("nightly/4")
    assert quick.updates_to(upstream.commit(4))
    assert "v2.5.0-2-g" in agrees(quick)[2]
    assert tags(quick) == {"v1.0", "nightly/4", "v2.5.0"}


def test_names_that_cannot_harm(quick: Site) -> None:
    """Names of our own refs, of commits, and names that no file can have."""
    first = quick.upstream.published()
    second = quick.upstream.commit(2)
    hostile = {
        "HEAD": first, "stash": first, second: first, second[:8]: first, "main": first,
        "refs/autoupdate/upstream": first, "refs/heads/main": first, "autoupdate/upstream": first,
        "x" * 255: first, "d/" * 600 + "d": first, "a": first, "a/b": first, "a/b/c": first,
        "-x": first, "v1..2": first, "v1 2": first, "v1.lock": first, ".v1": first, "v1~": first,
        "v1\x7f": first, "@{u}": first, "v\u00fc": first, "$(touch x)": first, "v9": "12" * 20,
    }  # fmt: skip
    raw_tags(quick, hostile)
    (quick.release / "README.md").write_text("mine\n")
    assert quick.updates_to(second), quick.log.events[-1].message
    assert quick.git("rev-parse", "refs/autoupdate/upstream") == second
    assert "+mine" in quick.git("stash", "show", "--patch", "stash@{0}")
    assert tags(quick) >= {"a", "v\u00fc", "main", second[:8]}
    assert not {"a/b", "v9", "v1.lock", "stash", "HEAD", second} & tags(quick)
    app = quick.app()
    assert app.worker.resolve(second[:8]) == second
    assert app.worker.relation(first, second) == "descends"
    app.worker.close()
    app.records.close()
    third = quick.upstream.commit(3, push=False)
    # Nobody can push to such a repository.
    objects = f"{quick.upstream.work}/.git/objects/."
    run("cp", "--recursive", "--no-clobber", objects, quick.upstream.bare / "objects")
    run("git", "-C", quick.upstream.bare, "update-ref", "refs/heads/main", third)
    assert quick.updates_to(third)
    assert quick.log.messages("mirror-renewed") == []


def test_thousands_in_a_mirror_that_had_none(quick: Site) -> None:
    """An earlier version fetched no tags: they come with the next fetch, and in one file."""
    first = quick.upstream.published()
    raw_tags(quick, {f"v0.{number}": first for number in range(3000)})
    commit = quick.upstream.commit(2)
    mirror = Path(quick.app_paths.mirror)
    assert tags(quick) == set()
    assert quick.updates_to(commit)
    assert len(tags(quick)) == 3000
    assert [file for _, _, files in os.walk(mirror / "refs/tags") for file in files] == []
    # What a power cut left.
    broken = mirror / "refs/tags/v0.7"
    broken.parent.mkdir(exist_ok=True)
    broken.write_bytes(b"")
    assert quick.updates_to(quick.upstream.commit(3))
    assert len(tags(quick)) == 3000


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_version_of_each_commit(deployed: Site, installer: str) -> None:
    """Also where nothing but the tag differs, and although shared files are not as upstream's."""
    deployed.configure(build__installer=installer)
    files = {"setup.py": None, "pyproject.toml": SCM, "shop/__init__.py": ""}
    upstream = deployed.upstream
    for version, tag in ((2, ""), (3, "v2.5.0"), (4, ""), (5, "v2.6.0"), (6, "")):
        files["shop/__init__.py"] = f"V = {version}\n"
        commit = upstream.commit(version, requirements=("blinker",), files=files, push=False)
        if tag:
            upstream.tag(tag, "HEAD", "--annotate", "--message=a version")
        upstream.push()
        assert deployed.updates_to(commit), [event.message for event in deployed.log.events]
        python = deployed.path / ".venv/bin/python3"
        found, number = run(python, "-I", "-c", VERSION, cwd=deployed.directory).stdout.split()
        wanted = {2: "0.1.dev2+g", 3: "2.5.0", 4: "2.5.1.dev1+g", 5: "2.6.0", 6: "2.6.1.dev1+g"}
        assert number == str(version)
        if tag:
            assert found == wanted[version]
        else:
            assert found.startswith(wanted[version] + commit[:7]), "of this commit"
            assert ".d20" not in found, "nothing was changed"
