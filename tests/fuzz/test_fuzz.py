"""Whatever is read may be anything: it is parsed, or refused by an error that says why.

An exception of any other kind is a bug. Each test takes CASES inputs; to run more, for a night:
AUTOUPDATE_FUZZ_CASES=100000 tools/test tests/fuzz
"""

import base64
import json
import os
import sqlite3
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from autoupdate.cli import moments
from autoupdate.config import load
from autoupdate.config.load import Value
from autoupdate.config.settings import PROBE_SETTINGS, SETTINGS
from autoupdate.gates import calendar
from autoupdate.host.log_sinks import printable
from autoupdate.model import findings, track
from autoupdate.model.errors import AutoupdateError, UpdateFailedError
from autoupdate.model.paths import AppPaths, Paths
from autoupdate.model.signatures import Keys, State
from autoupdate.records import public
from autoupdate.records.database import StateError
from autoupdate.records.records import Records
from autoupdate.records.second_copy import facts_file, open_state
from autoupdate.service_start import fast_path_facts
from autoupdate.upstream import ls_refs
from autoupdate.upstream.credentials import split
from autoupdate.upstream.ls_remote import parse
from autoupdate.worker.link import result, storable, understand
from autoupdate.worker.repository.inspection import commit_time, is_misleading, leaving
from autoupdate.worker.repository.submodules import resolve
from autoupdate.worker.signatures.openpgp import Keyring
from autoupdate.worker.signatures.ssh import Signers
from autoupdate.worker.signatures.verification import parse_commit, parse_tag

CASES = int(os.environ.get("AUTOUPDATE_FUZZ_CASES", "150"))
QUICK = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
# The same cases each time, unless more are asked for: unrelated changes must not fail by chance.
fuzz = settings(
    max_examples=CASES, deadline=None, suppress_health_check=QUICK, database=None,
    derandomize="AUTOUPDATE_FUZZ_CASES" not in os.environ,
)  # fmt: skip

# Lone surrogates come from names that are not UTF-8, and from JSON.
words = some.text(some.characters(), max_size=60)
plain = some.one_of(some.none(), some.booleans(), some.integers(), some.floats(), words)


def nested(inner: some.SearchStrategy[Any]) -> some.SearchStrategy[Any]:
    """Return lists and tables of something."""
    return some.lists(inner, max_size=4) | some.dictionaries(words, inner, max_size=4)


anything = some.recursive(plain, nested, max_leaves=12)
LIKE_OURS = (
    "25%", "5min", "1h 30min", "2GiB", "/srv/app", "../x", "a/b", "branch:main", "tag:v*",
    "semver:", "semver:>=1.2 <2", "commit:" + "a" * 40, "https://u:p@h:99999/x", "git@h:x",
    "http://[::1",
    "credential:x", "credential:../x", "Mon..Fri 02:00-05:00 Europe/Berlin", "127.0.0.1:80", "[",
    "*", "http", "tcp", "command", "off", "auto", "\x00", "\u202e", "9" * 400, "1" * 30 + "GB",
)  # fmt: skip
likely = some.one_of(
    some.sampled_from(LIKE_OURS),
    some.lists(some.sampled_from(LIKE_OURS), max_size=3),
    some.lists(some.lists(some.sampled_from(LIKE_OURS), max_size=2), max_size=2),
    anything,
)
keys = some.sampled_from([setting.key for setting in SETTINGS])
probe_keys = some.sampled_from([setting.key for setting in PROBE_SETTINGS])


@given(values=some.dictionaries(keys, likely, max_size=6))
@fuzz
def test_values_of_settings(values: dict[str, Any]) -> None:
    merged = {
        setting.key: Value(values.get(setting.key, setting.default), "file") for setting in SETTINGS
    }
    try:
        load.build("demo", merged)
    except AutoupdateError as error:
        assert error.message


@given(probes=some.lists(some.dictionaries(probe_keys, likely, max_size=5), max_size=2))
@fuzz
def test_settings_of_probes(probes: list[dict[str, Any]]) -> None:
    test_values_of_settings.hypothesis.inner_test({"health.probe": probes})  # type: ignore[attr-defined]


TOML = some.lists(
    some.sampled_from(
        ["path = '/srv'", "[upstream]", "url = 'https://h/x'", "[guard]", "keep = 1",
         "[[health.probe]]", "required = ['a']", "=", "'''", "\\u", "[a.b]",
         "upstream = 1", "path.x = 1", "0001-01-01",
         "[[upstream]]", "x = {", "\ufeff", "a = inf", "keep = 1e99", "[health]", "probe = 1"]
    ) | words,
    max_size=8,
).map("\n".join)  # fmt: skip


@given(
    content=TOML.map(lambda text: text.encode(errors="surrogatepass")) | some.binary(max_size=200)
)
@fuzz
def test_configuration_files(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as root:
        paths = Paths(root)
        file = Path(paths.etc, "apps/demo.toml")
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        try:
            load.load(paths, "demo")
        except AutoupdateError as error:
            assert str(file) in error.message or "demo" in error.message


MANY_DIGITS = "refs/tags/" + "9" * 5000
REFS = some.lists(
    some.tuples(
        some.sampled_from(["a" * 40, "A" * 40, "a" * 64, "a" * 39, "", "ref: x"]) | words,
        some.sampled_from(["\t", " ", ""]),
        some.sampled_from(
            ["refs/heads/main", "refs/tags/v1.2.3", "refs/tags/v1.2.3^{}", "HEAD", MANY_DIGITS]
        ) | words,
    ).map("".join), max_size=6,
).map("\n".join)  # fmt: skip


@given(answer=REFS, followed=some.sampled_from(["tag:v*", "tag:[", "semver:>=1", "semver:^1.2"]))
@fuzz
def test_answers_to_ls_remote(answer: str, followed: str) -> None:
    found = parse(answer)
    assert all(len(commit) in (40, 64) for commit in found.values())
    tags = track.tags(found)
    for tag in tags:
        track.admits("tag:*", tag.name)
    if followed != "tag:[":
        track.choose(followed, tags)


PACKETS = some.lists(
    some.sampled_from([b"0000", b"0001", b"0002", b"003d", b"ffff", b"zzzz", b"-001", b"+0x1", b""])
    | some.binary(max_size=80)
    | some.just(b"003d" + b"a" * 40 + b" refs/heads/main\n"),
    max_size=6,
).map(b"".join)


@given(answer=PACKETS)
@fuzz
def test_answers_about_one_ref(answer: bytes) -> None:
    found = ls_refs.find(answer, "refs/heads/main", 40)
    assert found == "" or len(found) == 40


MESSAGES = some.one_of(
    anything,
    some.fixed_dictionaries({"done": anything}),
    some.fixed_dictionaries({"failed": anything, "kind": anything, "advice": anything}),
    some.fixed_dictionaries({"output": anything}),
)


@given(said=MESSAGES.map(lambda item: json.dumps(item).encode()) | some.binary(max_size=80))
@fuzz
def test_messages_of_a_worker(said: bytes) -> None:
    """Its texts may be stored, logged and printed."""
    try:
        message = understand(said)
        storable(str(message.get("output"))).encode()
        result(message)
    except AutoupdateError as error:
        error.message.encode()
        error.advice.encode()


@given(answer=some.dictionaries(some.sampled_from(findings.Findings._fields) | words, anything))
@fuzz
def test_findings_of_a_worker(answer: dict[str, Any]) -> None:
    try:
        findings.read(answer)
    except UpdateFailedError:
        return


@cache
def state() -> bytes:
    """Return the file of a state with something in each table that matters."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "state.db")
        fill(Records(str(file)))
        return file.read_bytes()


def fill(records: Records) -> None:
    """Start a transaction."""
    number = records.begin("timer", "a" * 40, "", "2026-01-01T00:00:00Z")
    records.set_target(number, "a" * 40, "release")
    records.set_candidate("a" * 40, "2026-01-01T00:00:00Z")
    records.close()


@given(data=some.data())
@fuzz
def test_contents_of_the_state(data: some.DataObject) -> None:
    """Bytes of the file change or get lost: the state is read, or is damaged and replaced."""
    content = bytearray(state())
    for _ in range(data.draw(some.integers(1, 4))):
        place = data.draw(some.integers(0, len(content) - 1))
        piece = data.draw(some.binary(min_size=1, max_size=40))
        content[place : place + len(piece)] = piece
    del content[data.draw(some.integers(0, len(state()) * 3)) :]
    with tempfile.TemporaryDirectory(dir="/dev/shm") as home:
        paths = AppPaths(home, f"{home}/run")
        Path(paths.state).write_bytes(content)
        try:
            records = open_state(paths, lambda _: None)
        except StateError as error:
            assert error.message
            return
        try:
            records.candidate()
            records.unfinished()
            records.history(10)
            records.releases()
            records.quarantined()
            records.all_attempts()
        except (StateError, sqlite3.Error) as error:
            assert isinstance(error, StateError)
        finally:
            records.close()


rows = some.lists(some.lists(plain, max_size=9) | anything, max_size=3)
tables = some.dictionaries(some.sampled_from([*public.TABLES]) | words, rows | anything)


@given(
    copy=some.fixed_dictionaries({"schema": some.integers(-1, 3) | plain, "tables": tables})
    | anything
)
@example(copy={"schema": float("inf"), "tables": {}})
@fuzz
def test_contents_of_the_copy_for_other_users(copy: Any) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as home:
        file = f"{home}/state.db"
        Path(public.file_beside(file)).write_text(json.dumps(copy))
        try:
            public.connect(file).close()
        except StateError as error:
            assert error.message


FACTS = ("releases", "quarantine", "transaction", "hold", "pin", "high_water")
FIELDS = ("id", "commit", "step", "reason", "since", "until", "at", "tag", "environment", "bytes")


@given(
    facts=some.fixed_dictionaries(
        {"releases": some.just([]) | anything, "quarantine": some.just([]) | anything},
        optional={
            name: anything | some.dictionaries(some.sampled_from(FIELDS), plain)
            for name in FACTS[2:]
        },
    )
)
@fuzz
def test_contents_of_the_second_copy_of_the_state(facts: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as home:
        paths = AppPaths(home, f"{home}/run")
        Path(facts_file(paths.state)).write_text(json.dumps(facts))
        records = open_state(paths, lambda _: None)
        records.releases()
        records.unfinished()
        records.close()


STATUS = some.lists(
    some.tuples(
        some.sampled_from(["[GNUPG:] ", "", "gpg: "]),
        some.sampled_from(
            ["NEWSIG", "GOODSIG", "BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG",
             "VALIDSIG", "GOODSIG " + "A" * 16 + " name",
             "ERRSIG " + "A" * 16 + " 1 8 00 1600000000 9 -",
             "VALIDSIG " + "A" * 40 + " 2026-01-01 1 0 4 0 1 8 00 " + "A" * 40]
        ) | words,
    ).map("".join) | some.sampled_from(
        ['Good "git" signature for a@b with ED25519 key SHA256:x', "Could not verify signature."]
    ),
    max_size=5,
).map("\n".join)  # fmt: skip
ARMORS = some.binary(max_size=80) | some.binary(max_size=80).map(
    lambda blob: (
        b"-----BEGIN SSH SIGNATURE-----\n"
        + base64.b64encode(b"SSHSIG\0\0\0\1" + blob)
        + b"\n-----END SSH SIGNATURE-----"
    )
)


@given(said=STATUS, armor=ARMORS)
@example(said="[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG", armor=b"")
@fuzz
def test_output_about_signatures(said: str, armor: bytes) -> None:
    """No signature is good without a line that says so."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as home:
        signers = Signers(home, Keys((), "a@b ssh-ed25519 AAAA", ""))
        assert signers.judge(said, armor, good=False).state is not State.GOOD
        signers.judge(said, armor, good=True)
    keyring = Keyring("/nonexistent", ())
    assert keyring.judge(said, armor, good=False).state is not State.GOOD


HEADERS = some.lists(
    some.sampled_from(
        [b"tree ", b"gpgsig -----BEGIN PGP SIGNATURE-----", b"gpgsig-sha256 x", b" ", b"",
         b"-----BEGIN SSH SIGNATURE-----", b"object ", b"tag v1"]
    ) | some.binary(max_size=20),
    max_size=8,
).map(b"\n".join)  # fmt: skip


@given(content=HEADERS)
@fuzz
def test_signed_objects(content: bytes) -> None:
    for read in (parse_commit, parse_tag):
        read(content).header(b"tag")


@given(text=words | some.sampled_from(LIKE_OURS), moment=some.floats(0, 4e9))
@fuzz
def test_windows_and_moments(text: str, moment: float) -> None:
    if not calendar.fault([text]):
        calendar.next_opening([calendar.parse(text)], moment)
    try:
        moments.read(text, moment, direction=1)
    except ValueError:
        return


@given(content=some.binary(max_size=200) | words.map(lambda text: text.encode(errors="replace")))
@fuzz
def test_what_the_last_run_left_for_the_next(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as home:
        file = Path(home, "known")
        file.write_bytes(content)
        fast_path_facts.read(str(file))


@given(address=words | some.sampled_from(LIKE_OURS), upstream=some.sampled_from(
    ["https://h/a/b.git", "git@h:a/b", "ssh://h:22/x", "file:///srv/x"]))  # fmt: skip
@fuzz
def test_urls_of_submodules(address: str, upstream: str) -> None:
    try:
        found = resolve(address, upstream)
    except UpdateFailedError:
        return
    assert not found.startswith("-")
    assert "ext::" not in found.partition("://")[0]
    assert found.isprintable()


@given(url=words | some.sampled_from(LIKE_OURS))
@fuzz
def test_secrets_in_urls(url: str) -> None:
    """Only URLs that the settings accept get here."""
    address = f"https://user:canary@{url.replace('@', '')}"
    try:
        clean, _, password = split(address)
    except ValueError:
        return
    if password == "canary":
        assert "canary" not in clean


NAMES = some.lists(some.sampled_from(["a", "b", "..", ".", "", "/", ".git"]) | words, max_size=5)


@given(links=some.dictionaries(NAMES.map("/".join), NAMES.map("/".join), max_size=5))
@fuzz
def test_links_and_names_of_a_tree(links: dict[str, str]) -> None:
    for path in leaving(links):
        assert path in links
    for path in links:
        is_misleading(path)


@given(content=some.binary(max_size=200))
@fuzz
def test_headers_of_commits(content: bytes) -> None:
    assert commit_time(content) >= 0


@given(text=words)
@fuzz
def test_whatever_is_logged_is_one_printable_line(text: str) -> None:
    assert printable(text).isprintable()
    printable(text).encode()
