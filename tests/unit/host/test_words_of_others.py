"""Parsing the output of git, pip and systemctl, which may contain anything."""

import pytest

from autoupdate.host.services import Service
from autoupdate.host.services import parse as parse_service
from autoupdate.model.track import branch_ref
from autoupdate.upstream.git_environment import complaint, git_environment, host_of, redact
from autoupdate.upstream.ls_remote import parse
from autoupdate.worker.packages.installer import summary

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_answer_of_ls_remote() -> None:
    answer = (
        f"{COMMIT}\trefs/heads/main\n"
        f"{'ab' * 32}\trefs/heads/sha256\n"
        "warning: something else\n"
        "\n"
        f"{COMMIT[:12]}\trefs/heads/short\n"
        f"{COMMIT} refs/heads/space\n"
        "<html>\trefs/heads/page\n"
    )
    assert parse(answer) == {"refs/heads/main": COMMIT, "refs/heads/sha256": "ab" * 32}


@pytest.mark.parametrize(
    ("track", "ref"),
    [
        ("branch:main", "refs/heads/main"),
        ("branch:feature/a:b", "refs/heads/feature/a:b"),
        (f"commit:{COMMIT}", ""),
    ],
)
def test_branch_ref(track: str, ref: str) -> None:
    assert branch_ref(track) == ref


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("https://user:secret@host/a.git", "https://***@host/a.git"),
        ("https://user:se@cret@host/a.git", "https://***@host/a.git"),
        ("https://token@host", "https://***@host"),
        ("at 'https://u:p@host/a/': no", "at 'https://***@host/a/': no"),
        ("ssh://git@host/a and https://x:y@z/", "ssh://***@host/a and https://***@z/"),
        ("https://host/a@b", "https://host/a@b"),
        ("git@host:a.git", "git@host:a.git"),
    ],
)
def test_redact(words: str, shown: str) -> None:
    assert redact(words) == shown


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("", "git gave no reason"),
        ("warning: x\nfatal: repository not found\n", "repository not found"),
        ("remote: denied\nfatal: 'https://u:p@h/a' no", "'https://***@h/a' no"),
        ("something\nerror: RPC failed\n", "error: RPC failed"),
        ("only this\nand that", "only this"),
        (
            "u@h: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\n"
            "Please make sure you have the correct access rights\n",
            "u@h: Permission denied (publickey).",
        ),
        (
            "@@@\nHost key verification failed.\nfatal: Could not read from remote repository.\n",
            "the host key is not in upstream.known_hosts",
        ),
        ("fatal: Could not read from remote repository.", "Could not read from remote repository."),
    ],
)
def test_complaint(stderr: str, said: str) -> None:
    assert complaint(stderr) == said


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("", "no output"),
        ("a\nb\nc\n", "b; c"),
        (
            "Collecting x\nERROR: No matching distribution\nERROR: for x\nNotice: new pip\n",
            "ERROR: No matching distribution; ERROR: for x",
        ),
        (
            "error: No solution found\n  cause: Of two\n  cause: there is no x==9\n",
            "error: No solution found; cause: there is no x==9",
        ),
        ("error: " + "x" * 1000, "error: " + "x" * 293),
    ],
)
def test_summary(output: str, said: str) -> None:
    assert summary(output) == said


def test_git_is_confined() -> None:
    environment = git_environment("/home/of/builds")
    pairs = {
        environment[f"GIT_CONFIG_KEY_{index}"]: environment[f"GIT_CONFIG_VALUE_{index}"]
        for index in range(int(environment["GIT_CONFIG_COUNT"]))
    }
    assert pairs["core.hooksPath"] == "/dev/null"
    assert environment["GIT_CONFIG_NOSYSTEM"] == "1"
    assert environment["GIT_CONFIG_GLOBAL"] == "/dev/null"
    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert "ext" not in environment["GIT_ALLOW_PROTOCOL"].split(":")
    assert environment["HOME"] == "/home/of/builds"


def test_block_of_systemctl() -> None:
    block = "Id=a.service\nLoadState=loaded\nActiveState=active\nSubState=running\n"
    block += "Result=success\nMainPID=12\nNRestarts=3\nInvocationID=ab\nUser=app"
    service = parse_service("a.service", block)
    assert service == Service(
        "a.service", "loaded", "active", "running", "success", 12, 3, "ab", "app"
    )
    assert parse_service("a.service", f"{block}\nJob=76").has_job
    assert not parse_service("a.service", f"{block}\nJob=").has_job
    assert not parse_service("b.service", "LoadState=not-found\nMainPID=\nNRestarts=").exists


@pytest.mark.parametrize(
    ("active", "sub", "runs", "waits"),
    [
        ("active", "running", True, False),
        ("reloading", "reload", True, False),
        ("activating", "start", True, False),
        ("activating", "auto-restart", True, False),
        ("activating", "start-pre", False, True),
        ("activating", "condition", False, True),
        ("inactive", "dead", False, False),
        ("failed", "failed", False, False),
        ("deactivating", "stop-sigterm", False, False),
    ],
)
def test_which_services_run(active: str, sub: str, runs: bool, waits: bool) -> None:
    service = Service("a.service", "loaded", active, sub, "success", 1, 0, "ab", "")
    assert (service.runs, service.waits_for_gate) == (runs, waits)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://user:secret@git.example/x.git", "git.example"),
        ("http://127.0.0.1:8080/x", "127.0.0.1:8080"),
        ("ssh://git@git.example:22/x", "git.example:22"),
        ("git@git.example:team/x.git", "git.example"),
        ("file:///srv/x", "file:///srv/x"),
        ("/srv/x", "/srv/x"),
    ],
)
def test_host_of_a_url(url: str, host: str) -> None:
    assert host_of(url) == host
