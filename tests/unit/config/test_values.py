"""Each kind of value: what it takes, what it refuses."""

import re
from typing import Any

import pytest

from autoupdate.config import sections, settings, values
from autoupdate.config.settings import SETTINGS

GOOD: list[tuple[values.Check, Any, Any]] = [
    (values.text, "ü", "ü"),
    (values.texts, ["a", "b"], ("a", "b")),
    (values.commands, [["{python}", "-m", "app"]], (("{python}", "-m", "app"),)),
    (values.boolean, True, True),
    (values.count, 1, 1),
    (values.duration, "90s", 90.0),
    (values.duration, "1h 30min", 5400.0),
    (values.duration, "1.5h", 5400.0),
    (values.duration, "250ms", 0.25),
    (values.duration, "90", 90.0),
    (values.duration, "7d", 604800.0),
    (values.share, "25%", 0.25),
    (values.share, "0.5 %", 0.005),
    (values.size, "500MB", 500_000_000),
    (values.size, "2GiB", 2 << 30),
    (values.size, "1.5 KiB", 1536),
    (values.size, "4096B", 4096),
    (values.absolute_path, "/home/barberb/app/", "/home/barberb/app"),
    (values.relative_paths, ["state", "logs/", "data/keep"], ("state", "logs", "data/keep")),
    (values.link_patterns, ["a/", "a/b", "**/*.so"], ("a", "a/b", "**/*.so")),
    (values.service_names, ["a.service", "b@1.service"], ("a.service", "b@1.service")),
    (values.upstream_url, "https://github.com/a/b.git", "https://github.com/a/b.git"),
    (values.upstream_url, "git@github.com:a/b.git", "git@github.com:a/b.git"),
    (values.upstream_url, "file:///srv/b.git", "file:///srv/b.git"),
    (values.track, "branch:main", "branch:main"),
    (values.track, "branch:feature/ü+'\"$;&|<>()!#%,=`x", "branch:feature/ü+'\"$;&|<>()!#%,=`x"),
    (values.track, "commit:" + "0a" * 20, "commit:" + "0a" * 20),
    (values.track, "commit:" + "0a" * 32, "commit:" + "0a" * 32),
    (values.track, "semver:>=1.2, <2", "semver:>=1.2, <2"),
    (values.fingerprints, ["ab12 " * 10], ("AB12" * 10,)),
    (values.fingerprints, ["SHA256:" + "a/+" * 14 + "Z"], ("SHA256:" + "a/+" * 14 + "Z",)),
    (values.one_of("block", "start"), "start", "start"),
    (values.http_url, "https://[::1]:9000/health?x=1", "https://[::1]:9000/health?x=1"),
    (values.address, "[::1]:80", "[::1]:80"),
    (values.address, "localhost:65535", "localhost:65535"),
    (values.pattern, '"ok": *true', '"ok": *true'),
    (values.whole, 0, 0),
    (values.track, "commit:" + "AB" * 20, "commit:" + "ab" * 20),
]  # fmt: skip

BAD: list[tuple[values.Check, Any, str]] = [
    (values.text, 1, "string"),
    (values.text, "a\nb", "control"),
    (values.text, "a\x7f", "control"),
    (values.texts, "a", "list"),
    (values.texts, ["a", 1], "string"),
    (values.commands, [["a"], "b"], "list of lists"),
    (values.commands, [[]], "list of lists"),
    (values.boolean, "true", "true or false"),
    (values.boolean, 1, "true or false"),
    (values.count, 0, "whole number"),
    (values.count, True, "whole number"),
    (values.count, 1.5, "whole number"),
    (values.count, "3", "whole number"),
    (values.duration, 90, "time span"),
    (values.duration, "", "time span"),
    (values.duration, "-5s", "time span"),
    (values.duration, "5 fortnights", "time span"),
    (values.duration, "s", "time span"),
    (values.duration, "1e3", "time span"),
    (values.duration, "1h, 5min", "time span"),
    (values.size, "5", "size"),
    (values.size, 5, "size"),
    (values.size, "5iB", "size"),
    (values.size, "-5MB", "size"),
    (values.size, "1e3MB", "size"),
    (values.size, "0GB", "more than 0"),
    (values.size, "0.1B", "more than 0"),
    (values.share, "101%", "percentage"),
    (values.share, "25", "percentage"),
    (values.share, 0.25, "percentage"),
    (values.absolute_path, "srv/app", "absolute"),
    (values.absolute_path, "~/app", "absolute"),
    (values.absolute_path, "/", "below /"),
    (values.absolute_path, "/srv/../etc", "below /"),
    (values.absolute_path, "//srv", "below /"),
    (values.absolute_path, "/srv//app", "below /"),
    (values.absolute_path, "", "absolute"),
    (values.link_patterns, ["../*"], "inside the release"),
    (values.link_patterns, ["a[z-a]"], "not a valid glob"),
    (values.relative_paths, ["/state"], "inside the release"),
    (values.relative_paths, ["../state"], "inside the release"),
    (values.relative_paths, ["a/./b"], "inside the release"),
    (values.relative_paths, [""], "inside the release"),
    (values.relative_paths, [".git"], "belongs to the release"),
    (values.relative_paths, [".venv/lib"], "belongs to the release"),
    (values.relative_paths, ["state", "state/"], "contains state twice"),
    (values.relative_paths, ["state", "state/web"], "a path that contains it"),
    (values.duration, "3661d", "ten years"),
    (values.duration, "9" * 400 + "d", "ten years"),
    (values.relative_paths, ["state/web", "state"], "a path that contains it"),
    (values.service_names, ["app"], "service unit"),
    (values.service_names, ["app.timer"], "service unit"),
    (values.service_names, ["-H.service"], "service unit"),
    (values.service_names, ["a b.service"], "service unit"),
    (values.service_names, ["../a.service"], "service unit"),
    (values.upstream_url, "github.com/a/b", "URL"),
    (values.upstream_url, "--upload-pack=x", "URL"),
    (values.upstream_url, "ext::sh -c x", "URL"),
    (values.upstream_url, "-oProxyCommand=x@host:path", "URL"),
    (values.upstream_url, "https://", "URL"),
    (values.track, "main", "branch:NAME"),
    (values.track, "branch:", "branch:NAME"),
    (values.track, "branch:a..b", "name of a branch"),
    (values.track, "branch:-x", "name of a branch"),
    (values.track, "branch:a b", "name of a branch"),
    (values.track, "branch:a*", "name of a branch"),
    (values.track, "branch:a:b", "name of a branch"),
    (values.track, "branch:a@{1}", "name of a branch"),
    (values.track, "branch:a.lock", "name of a branch"),
    (values.track, "branch:@", "name of a branch"),
    (values.track, "branch:a/", "name of a branch"),
    (values.track, "commit:abc123", "all 40 (or 64) hexadecimal digits"),
    (values.track, "semver:latest", "range"),
    (values.fingerprints, ["AB12"], "not a fingerprint"),
    (values.fingerprints, ["MD5:" + "a" * 43], "not a fingerprint"),
    (values.one_of("block", "start"), "Block", '"block" or "start"'),
    (values.one_of("block", "start"), ["block"], '"block" or "start"'),
    (values.http_url, "127.0.0.1:9000/health", "URL such as"),
    (values.http_url, "ftp://127.0.0.1/", "URL such as"),
    (values.http_url, "http:///health", "URL such as"),
    (values.http_url, "http://host:99999/", "URL such as"),
    (values.http_url, "http://[::1/", "URL such as"),
    (values.http_url, "http://host:0/", "URL such as"),
    (values.address, "127.0.0.1", "HOST:PORT"),
    (values.address, "127.0.0.1:0", "HOST:PORT"),
    (values.address, "127.0.0.1:65536", "HOST:PORT"),
    (values.address, "::1:80", "HOST:PORT"),
    (values.address, ":80", "HOST:PORT"),
    (values.pattern, "(", "regular expression"),
    (values.whole, -1, "at least 0"),
    (values.whole, True, "whole number"),
    (settings.probes, [1], "tables"),
    (settings.probes, {"type": "http"}, "[[health.probe]]"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "value", "meant"), GOOD)
def test_good_value(check: values.Check, value: Any, meant: Any) -> None:
    assert check(value) == meant


@pytest.mark.parametrize(("check", "value", "said"), BAD)
def test_bad_value(check: values.Check, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        check(value)


HTTP = {"type": "http", "url": "http://127.0.0.1:9000/health"}


def test_probe_with_its_defaults() -> None:
    (probe,) = settings.probes([HTTP])
    assert probe == sections.Probe(
        type="http", service="", url=HTTP["url"], expect_status=200, expect_body="",
        verify_tls=True, address="", command=(), interval=2.0, timeout=5.0, retries=2, grace=10.0,
    )  # fmt: skip


def test_probe_of_each_type() -> None:
    found = settings.probes(
        [
            HTTP | {"expect_status": 204, "verify_tls": False, "grace": "0s", "retries": 0},
            {"type": "tcp", "address": "localhost:9000", "service": "a.service"},
            {"type": "command", "command": ["{python}", "-m", "app"], "interval": "1min"},
        ]
    )
    assert [probe.type for probe in found] == ["http", "tcp", "command"]
    assert (found[0].expect_status, found[0].grace, found[0].retries) == (204, 0, 0)
    assert (found[1].address, found[1].service) == ("localhost:9000", "a.service")
    assert (found[2].command, found[2].interval) == (("{python}", "-m", "app"), 60)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "number 2 has no type"),
        ({"type": "ping"}, 'number 2: type must be "http" or "tcp" or "command"'),
        ({"type": "http"}, "number 2 is of type http and has no url"),
        ({"type": "tcp", "url": HTTP["url"]}, "number 2 is of type tcp and has no address"),
        ({"type": "command", "command": []}, "number 2 is of type command and has no command"),
        (HTTP | {"urls": "x"}, "number 2 has an unknown key 'urls'; known: type, service, url"),
        (HTTP | {"url": ""}, "number 2: url must be a URL"),
        (HTTP | {"timeout": "0s"}, "number 2: timeout must be more than 0s"),
        (HTTP | {"interval": 5}, "number 2: interval must be a time span"),
        (HTTP | {"retries": -1}, "number 2: retries must be a whole number"),
        (HTTP | {"verify_tls": "no"}, "number 2: verify_tls must be true or false"),
        (HTTP | {"expect_body": "("}, "number 2: expect_body is not a valid regular expression"),
        (HTTP | {"service": 1}, "number 2: service must be a string"),
    ],
)
def test_probe_that_cannot_be_used(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        settings.probes([HTTP, table])


def test_table_and_types_name_the_same_settings() -> None:
    for section, kind in sections.Settings.__annotations__.items():
        fields = getattr(kind, "_fields", None)
        if fields and issubclass(kind, tuple):
            keys = [s.key for s in SETTINGS if s.key.startswith(f"{section}.")]
            assert keys == [f"{section}.{field}" for field in fields]
        elif section not in ("app", "files"):
            assert section in [setting.key for setting in SETTINGS]


@pytest.mark.parametrize(
    "setting", [s for s in SETTINGS if s.default is not settings.REQUIRED], ids=lambda s: s.key
)
def test_default_passes_its_own_check(setting: settings.Setting) -> None:
    setting.check(setting.default)
    assert setting.meaning.endswith(".")
