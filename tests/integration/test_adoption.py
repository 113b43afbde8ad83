"""Adoption of a checkout with real git: nothing in it is executed, and nothing is lost."""

import os
import shutil
from pathlib import Path

import pytest

from autoupdate.adoption.adopt import adopt
from autoupdate.adoption.give_back import give_back
from autoupdate.adoption.host_changes import copy_whole, real
from autoupdate.adoption.manifest import manifest
from autoupdate.app import Outcome
from autoupdate.cli.main import main
from autoupdate.cli.verbs import adopt as verb
from autoupdate.host.log import HostLog
from autoupdate.model.errors import Exit
from autoupdate.model.steps import Result
from autoupdate.update.run import by_hand
from tests.integration.site import APP, NoServices, Site
from tools.lib.hosts.commands import run

ENVIRONMENT = {
    "PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
}  # fmt: skip


class Checkout:
    """A checkout at the path where the services look for the app."""

    def __init__(self, site: Site, *options: str) -> None:
        self.site, self.path = site, site.path
        site.builds = False
        run("git", "clone", "--quiet", *options, site.upstream.url, self.path,
            environment=ENVIRONMENT)  # fmt: skip
        self.write(".venv/bin/python", "")
        self.app = site.app()

    def git(self, *words: str) -> str:
        """Run git in it, as its owner does."""
        done = run("git", "-C", self.path, *words, environment=ENVIRONMENT)
        return done.stdout.rstrip("\n")

    def write(self, name: str, content: str) -> Path:
        """Write a file in it."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode())
        return file

    def adopt(self, *, leave_commits: bool = False) -> Outcome:
        """Adopt it."""
        return by_hand(
            self.app,
            lambda: adopt(
                self.app,
                real(self.site.paths, None),
                str(self.path),
                leave_commits=leave_commits,
            ),
        )


def mirror(site: Site, *words: str) -> bytes:
    """Run git in the mirror; return its output as bytes."""
    done = run("git", "-C", site.app_paths.mirror, *words, environment=ENVIRONMENT)
    return done.stdout.encode()


def everything(*places: Path) -> dict[str, object]:
    """Return all that is below some directories: content, owner, mode, and times of changes."""
    return {f"{place}: {name}": (entry, os.lstat(place / name).st_ctime_ns)
            for place in places for name, entry in manifest(str(place)).items()}  # fmt: skip


@pytest.mark.parametrize("deployed_before", [False, True])
def test_a_look_changes_nothing(
    bare: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    *, deployed_before: bool,
) -> None:  # fmt: skip
    """Neither in the checkout, in its .git least of all, nor in our directories, nor in /etc."""
    state = Path(bare.app_paths.home).parent
    if deployed_before:
        bare.builds = False
        bare.run()
        bare.path.unlink()
        Path(bare.app_paths.current).unlink()
    shutil.rmtree(state if not deployed_before else bare.path, ignore_errors=True)
    checkout = Checkout.__new__(Checkout)
    checkout.site, checkout.path = bare, bare.path
    run("git", "clone", "--quiet", bare.upstream.url, bare.path, environment=ENVIRONMENT)
    checkout.write("README.md", "one")
    checkout.git("stash", "--quiet")
    checkout.write("README.md", "two")
    checkout.write("mine", "n")
    checkout.write("state/starts", "77\n")
    state.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(verb, "Systemd", NoServices)
    monkeypatch.setattr("autoupdate.cli.prepare.identity", lambda _: None)
    monkeypatch.setattr(HostLog, "write", lambda *_: None)
    before = everything(bare.path, state, bare.root / "etc")

    assert main(["adopt", "--look", str(bare.path), APP], bare.paths) == Exit.DONE

    shown = capsys.readouterr().out
    assert "would be saved as a stash (README.md, mine)" in shown
    assert shown.endswith(f"{bare.path} can be adopted; nothing was changed\n")
    assert everything(bare.path, state, bare.root / "etc") == before
    assert list((bare.root / "var/tmp").iterdir()) == []
    checkout.write("commit", "x")
    checkout.git("add", "commit")
    checkout.git("commit", "--quiet", "--message=mine")
    before = everything(bare.path, state, bare.root / "etc")
    assert main(["adopt", "--look", str(bare.path), APP], bare.paths) == Exit.USAGE
    assert everything(bare.path, state, bare.root / "etc") == before
    assert list((bare.root / "var/tmp").iterdir()) == []


def test_local_changes_are_a_stash_byte_for_byte(bare: Site) -> None:
    bare.upstream.commit(
        version=2, files={".gitattributes": "* text=auto\n", ".gitignore": "*.o\n"}
    )
    checkout = Checkout(bare)
    text = "ends of lines\r\nof both kinds\n"
    checkout.write("README.md", text)
    checkout.write("of mine/näme", "n")
    checkout.write("built.o", "ignored")
    checkout.write("state/starts", "77\n")
    checkout.git("rm", "--quiet", "docs/index.md")
    checkout.write("staged", "first")
    checkout.git("add", "staged")
    checkout.write("staged", "second")
    checkout.git("update-index", "--assume-unchanged", "setup.py")
    checkout.write("setup.py", "# a change that git was told not to see\n")
    hook = checkout.write(".git/hooks/post-checkout", "#!/bin/sh\ntouch /tmp/adopted-hook\n")
    hook.chmod(0o755)
    checkout.git("config", "core.fsmonitor", f"touch {bare.directory}/executed;")
    checkout.git("config", "filter.bad.clean", f"touch {bare.directory}/executed; cat")
    checkout.write(".git/info/attributes", "* filter=bad\n")
    Path(bare.directory, "executed").unlink(missing_ok=True)

    outcome = checkout.adopt()

    assert outcome.exit_code == Exit.DONE, outcome
    assert not Path(bare.directory, "executed").exists()
    changed = mirror(bare, "-c", "core.quotePath=false", "diff", "--name-only", "stash^", "stash")
    assert changed.decode().split("\n")[:-1] == [
        "README.md", "docs/index.md", "of mine/näme", "setup.py", "staged",
    ]  # fmt: skip
    assert mirror(bare, "show", "stash:README.md") == text.encode()
    assert mirror(bare, "show", "stash:staged") == b"second"
    assert mirror(bare, "show", "stash^2:staged") == b"first"
    assert os.stat(bare.app_paths.mirror).st_mode & 0o077 == 0
    assert Path(bare.app_paths.shared, "state/starts").read_text() == "77\n"
    assert "built.o" in " ".join(bare.log.messages("step"))


def test_commits_and_stashes_of_its_own(bare: Site) -> None:
    base = bare.upstream.head()
    checkout = Checkout(bare)
    checkout.write("README.md", "one")
    checkout.git("stash", "--quiet")
    checkout.write("README.md", "two")
    checkout.git("stash", "--quiet")
    checkout.git("switch", "--quiet", "--create", "aside")
    checkout.write("mine", "never pushed")
    checkout.git("add", "mine")
    checkout.git("commit", "--quiet", "--message=mine")
    own = checkout.git("rev-parse", "HEAD")

    refused = checkout.adopt()

    assert refused.exit_code == Exit.USAGE
    assert "1 commit that branch:main lacks" in refused.reason
    assert not checkout.path.is_symlink()
    done = checkout.adopt(leave_commits=True)
    assert (done.exit_code, done.commit) == (Exit.DONE, base), done
    kept = mirror(bare, "for-each-ref", "--format=%(objectname) %(refname)").decode()
    assert f"{own} refs/autoupdate/adopted/" in kept
    assert "/heads/aside\n" in kept
    stashes = [mirror(bare, "show", f"stash@{{{number}}}:README.md") for number in (0, 1)]
    assert stashes == [b"two", b"one"]
    assert len(mirror(bare, "stash", "list").splitlines()) == 2


@pytest.mark.parametrize(
    "options", [("--depth=1",), ("--filter=blob:none",)], ids=["depth", "filter"]
)
def test_a_checkout_without_its_history(bare: Site, options: tuple[str, ...]) -> None:
    commit = bare.upstream.commit(version=2)
    checkout = Checkout(bare, *options)
    checkout.write("README.md", "mine")
    outcome = checkout.adopt()
    assert (outcome.exit_code, outcome.commit) == (Exit.DONE, commit), outcome
    assert mirror(bare, "show", "stash:README.md") == b"mine"
    # The mirror has the full history of upstream, not the part that the checkout had.
    assert mirror(bare, "rev-parse", "--is-shallow-repository") == b"false\n"
    assert mirror(bare, "rev-list", "--count", commit) == b"2\n"


def test_a_checkout_that_is_behind(bare: Site) -> None:
    """The commit that runs is adopted; the next run updates to a newer one."""
    old = bare.upstream.head()
    checkout = Checkout(bare)
    new = bare.upstream.commit(version=2)
    assert checkout.adopt().commit == old
    assert bare.run().commit == new


def test_a_checkout_without_a_commit_of_upstream(bare: Site) -> None:
    checkout = Checkout(bare)
    shutil.rmtree(checkout.path / ".git")
    checkout.git("init", "--quiet")
    checkout.git("add", "--all")
    checkout.git("commit", "--quiet", "--message=own")
    assert "comes from nowhere" in checkout.adopt().reason
    checkout.git("remote", "add", "origin", bare.upstream.url)
    assert "no commit in common" in checkout.adopt().reason


def test_given_back(bare: Site) -> None:
    """A checkout like a clone, at the release's commit, with every stash."""
    checkout = Checkout(bare)
    checkout.write("README.md", "mine")
    assert checkout.adopt().exit_code == Exit.DONE
    new = bare.upstream.commit(version=2)
    bare.upstream.tag("v2.0")
    assert bare.run().commit == new
    (bare.release / "VERSION").write_text("changed in the release\n")
    Path(bare.app_paths.shared, "state/since").write_text("x")

    app = bare.app()
    outcome = by_hand(app, lambda: give_back(app, real(bare.paths, None)))

    assert (outcome.result, outcome.commit) == (Result.GIVEN_BACK, new), outcome
    assert checkout.git("rev-parse", "HEAD", "origin/main").split() == [new, new]
    assert checkout.git("status", "--porcelain", "--", ":!.venv", ":!state", ":!logs") == ""
    assert checkout.git("remote", "get-url", "origin") == bare.upstream.url
    assert checkout.git("describe", "--tags") == "v2.0"
    shown = [
        checkout.git("diff", "--name-only", f"stash@{{{n}}}^", f"stash@{{{n}}}") for n in (0, 1)
    ]
    assert shown == ["VERSION", "README.md"]
    assert (checkout.path / "state/since").read_text() == "x"
    newer = bare.upstream.commit(version=3)
    checkout.git("pull", "--quiet", "--ff-only")
    assert checkout.git("rev-parse", "HEAD") == newer


def test_a_copy_to_another_file_system_is_whole(tmp_path: Path) -> None:
    source, target = tmp_path / "state", tmp_path / "copy"
    source.mkdir(mode=0o2750)
    (source / "file").write_text("x" * 10_000)
    os.link(source / "file", source / "same")
    (source / "file").chmod(0o600)
    os.utime(source / "file", (1, 1))
    (source / "link").symlink_to("/nowhere")
    target.mkdir()
    (target / "left over").touch()

    copy_whole(str(source), str(target))

    assert manifest(str(target)) == manifest(str(source))
    assert (target / "file").stat().st_ino == (target / "same").stat().st_ino
    assert "left over" not in os.listdir(target)


def test_the_environment_that_is_given_back(deployed: Site) -> None:
    """It works at its new path without an install, and nothing in it points to the release."""
    release, path = deployed.release, deployed.path
    app = deployed.app()

    outcome = by_hand(app, lambda: give_back(app, real(deployed.paths, None)))

    assert outcome.result == Result.GIVEN_BACK, outcome
    assert not path.is_symlink()
    program = (
        "import sys, ipfs_accelerate_py.version as v; print(sys.prefix, v.__file__, v.VERSION)"
    )
    said = run(path / ".venv/bin/python3", "-c", program, cwd=Path("/")).stdout.split()
    assert said == [f"{path}/.venv", f"{path}/ipfs_accelerate_py/version.py", "1"]
    assert (
        run(path / ".venv/bin/pip", "--version", cwd=Path("/"))
        .stdout.split()[3]
        .startswith(str(path))
    )
    run(path / ".venv/bin/python3", "-m", "pip", "check", cwd=Path("/"))
    found = run("grep", "-rIl", "--", str(release), path, check=False).stdout
    assert found == ""
