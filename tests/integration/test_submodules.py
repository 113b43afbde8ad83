"""Submodules that the administrator chose are deployed at the recorded commit; others are empty."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from tests.integration.site import Site
from tools.lib.hosts.upstream import Upstream


class Modular:
    """An upstream that refers to another repository on the same server."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.other = Upstream(site.directory / "other", site.server, "other")
        self.first = self.other.commit(version=1, files={"data.txt": "first\n"})
        self.second = self.other.commit(version=2, files={"data.txt": "second\n"})

    def commit(self, version: int, address: str, recorded: str = "", path: str = "vendor") -> str:
        """Commit a version that records a commit of a submodule."""
        text = f'[submodule "{path}"]\n\tpath = {path}\n\turl = {address}\n'
        upstream = self.site.upstream
        upstream.commit(version=version, files={".gitmodules": text}, push=False)
        upstream.git(
            "update-index", "--add", "--cacheinfo", f"160000,{recorded or self.first},{path}"
        )
        upstream.git("commit", "--quiet", "--amend", "--no-edit")
        upstream.push()
        return upstream.head()


@pytest.fixture
def modular(quick: Site) -> Iterator[Modular]:
    """Return a host that is configured for one submodule, which its upstream has."""
    quick.configure(upstream__submodules=["vendor"])
    yield Modular(quick)


def test_recorded_commit(modular: Modular) -> None:
    site = modular.site
    assert site.updates_to(modular.commit(2, "../other.git"))
    vendor = site.release / "vendor"
    assert (vendor / "data.txt").read_text() == "first\n"
    assert not (vendor / ".git").exists()
    # First only the branch of the submodule moves, then the recorded commit.
    assert site.updates_to(modular.commit(3, modular.other.url, modular.second))
    assert (site.release / "vendor/data.txt").read_text() == "second\n"
    # The files of a submodule are not local changes.
    assert site.log.messages("stashed") == []


def test_others_are_empty_and_are_reported(modular: Modular) -> None:
    site = modular.site
    site.configure()
    assert site.updates_to(modular.commit(2, "ext::touch /tmp/never"))
    assert list((site.release / "vendor").iterdir()) == []
    said = site.log.messages("submodules-left-out")
    assert said == [
        "demo: submodules are left empty, because upstream.submodules does not list them: vendor"
    ]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ext::sh -c touch% {owned}", "is not allowed: 'ext::sh -c touch"),
        ("file://{served}/other.git", "is not allowed: 'file:"),
        ("{served}/other.git", "is not allowed: '/"),
        ("--upload-pack=touch {owned}", "is not allowed: '--upload-pack"),
    ],
)
def test_urls_that_are_not_allowed(modular: Modular, address: str, said: str) -> None:
    site = modular.site
    owned = site.directory / "owned"
    modular.commit(2, address.format(owned=owned, served=site.server.directory))
    outcome = site.run()
    assert outcome.result is Result.FAILED
    assert said in outcome.reason
    assert not owned.exists()
    assert site.releases() == [site.current]


def test_submodule_whose_commit_is_missing(modular: Modular) -> None:
    site = modular.site
    modular.commit(2, "../nowhere.git")
    outcome = site.run()
    assert outcome.exit_code == Exit.UNREACHABLE
    assert "submodule vendor: " in outcome.reason
    modular.commit(3, "../other.git", "12" * 20)
    assert "did not send commit 1212" in site.run().reason


def test_commit_without_the_chosen_submodule(modular: Modular) -> None:
    site = modular.site
    site.upstream.commit(version=2)
    outcome = site.run()
    assert outcome.result is Result.DEFERRED
    assert "submodules are missing: vendor" in outcome.reason


def test_submodule_with_links_that_point_outside(modular: Modular) -> None:
    site = modular.site
    link = modular.other.work / "out"
    modular.other.commit(version=3, push=False)
    link.symlink_to("../../../../state.db")
    modular.other.git("add", "out")
    modular.other.git("commit", "--quiet", "--amend", "--no-edit")
    modular.other.push()
    modular.commit(2, "../other.git", modular.other.head())
    outcome = site.run()
    assert "submodule vendor has symbolic links that point outside of it: 'out'" in outcome.reason
    assert not Path(site.app_paths.mirror, "worktrees/vendor").exists()


def nest(modular: Modular, path: str = "deps/b") -> str:
    """Give the submodule one of its own, by a relative URL; return the commit of the submodule."""
    inner = Upstream(modular.site.directory / "inner", modular.site.server, "inner")
    recorded = inner.commit(version=1, files={"data.txt": "inner\n"})
    text = f'[submodule "b"]\n\tpath = {path}\n\turl = ../inner.git\n'
    other = modular.other
    other.commit(3, files={".gitmodules": text, "data.txt": "outer\n"}, push=False)
    other.git("update-index", "--add", "--cacheinfo", f"160000,{recorded},{path}")
    other.git("commit", "--quiet", "--amend", "--no-edit")
    other.push()
    return other.head()


def test_submodule_of_a_submodule(modular: Modular) -> None:
    """It is fetched only if its whole path is listed; the order does not matter."""
    site = modular.site
    commit = modular.commit(2, "../other.git", nest(modular))
    site.configure(upstream__submodules=["vendor/deps/b", "vendor"])
    assert site.updates_to(commit), site.log.events[-1].message
    assert (site.release / "vendor/data.txt").read_text() == "outer\n"
    assert (site.release / "vendor/deps/b/data.txt").read_text() == "inner\n"
    assert not (site.release / "vendor/deps/b/.git").exists()
    site.configure(upstream__submodules=["vendor"])
    assert site.updates_to(modular.commit(3, "../other.git", modular.other.head()))
    assert list((site.release / "vendor/deps/b").iterdir()) == []
    assert site.log.messages("stashed") == []


def test_submodule_of_a_submodule_that_is_refused(modular: Modular) -> None:
    site = modular.site
    modular.commit(2, "../other.git", nest(modular))
    site.configure(upstream__submodules=["vendor/deps/b"])
    outcome = site.run()
    assert "submodules are missing: vendor/deps/b" in outcome.reason
    assert outcome.advice == "add vendor to upstream.submodules"
    site.configure(upstream__submodules=["vendor", "vendor/deps"])
    outcome = site.run(force=True)
    assert "the .gitmodules of submodule vendor has no submodule deps" in outcome.reason
    assert site.releases() == [site.current]
