"""Each kind of value: what it takes, what it refuses."""

import re
from typing import Any

import pytest

from autoupdate import settings
from autoupdate.settings import SETTINGS

GOOD: list[tuple[settings.Check, Any, Any]] = [
    (settings.text, "ü", "ü"),
    (settings.texts, ["a", "b"], ("a", "b")),
    (settings.commands, [["{python}", "-m", "app"]], (("{python}", "-m", "app"),)),
    (settings.boolean, True, True),
    (settings.count, 1, 1),
    (settings.duration, "90s", 90.0),
    (settings.duration, "1h 30min", 5400.0),
    (settings.duration, "1.5h", 5400.0),
    (settings.duration, "250ms", 0.25),
    (settings.duration, "90", 90.0),
    (settings.duration, "7d", 604800.0),
    (settings.share, "25%", 0.25),
    (settings.share, "0.5 %", 0.005),
    (settings.absolute_path, "/home/barberb/app/", "/home/barberb/app"),
    (settings.relative_paths, ["state", "logs/", "data/keep"], ("state", "logs", "data/keep")),
    (settings.service_names, ["a.service", "b@1.service"], ("a.service", "b@1.service")),
    (settings.upstream_url, "https://github.com/a/b.git", "https://github.com/a/b.git"),
    (settings.upstream_url, "git@github.com:a/b.git", "git@github.com:a/b.git"),
    (settings.upstream_url, "file:///srv/b.git", "file:///srv/b.git"),
    (settings.track, "branch:main", "branch:main"),
    (settings.track, "branch:feature/ü+'\"$;&|<>()!#%,=`x", "branch:feature/ü+'\"$;&|<>()!#%,=`x"),
    (settings.track, "commit:" + "0a" * 20, "commit:" + "0a" * 20),
    (settings.track, "commit:" + "0a" * 32, "commit:" + "0a" * 32),
    (settings.one_of("block", "start"), "start", "start"),
    (settings.http_url, "https://[::1]:9000/health?x=1", "https://[::1]:9000/health?x=1"),
    (settings.address, "[::1]:80", "[::1]:80"),
    (settings.address, "localhost:65535", "localhost:65535"),
    (settings.pattern, '"ok": *true', '"ok": *true'),
    (settings.whole, 0, 0),
]  # fmt: skip

BAD: list[tuple[settings.Check, Any, str]] = [
    (settings.text, 1, "string"),
    (settings.text, "a\nb", "control"),
    (settings.text, "a\x7f", "control"),
    (settings.texts, "a", "list"),
    (settings.texts, ["a", 1], "string"),
    (settings.commands, [["a"], "b"], "list of lists"),
    (settings.commands, [[]], "list of lists"),
    (settings.boolean, "true", "true or false"),
    (settings.boolean, 1, "true or false"),
    (settings.count, 0, "whole number"),
    (settings.count, True, "whole number"),
    (settings.count, 1.5, "whole number"),
    (settings.count, "3", "whole number"),
    (settings.duration, 90, "time span"),
    (settings.duration, "", "time span"),
    (settings.duration, "-5s", "time span"),
    (settings.duration, "5 fortnights", "time span"),
    (settings.duration, "s", "time span"),
    (settings.duration, "1e3", "time span"),
    (settings.duration, "1h, 5min", "time span"),
    (settings.share, "101%", "percentage"),
    (settings.share, "25", "percentage"),
    (settings.share, 0.25, "percentage"),
    (settings.absolute_path, "srv/app", "absolute"),
    (settings.absolute_path, "~/app", "absolute"),
    (settings.absolute_path, "/", "below /"),
    (settings.absolute_path, "/srv/../etc", "below /"),
    (settings.absolute_path, "//srv", "below /"),
    (settings.absolute_path, "/srv//app", "below /"),
    (settings.absolute_path, "", "absolute"),
    (settings.relative_paths, ["/state"], "inside the release"),
    (settings.relative_paths, ["../state"], "inside the release"),
    (settings.relative_paths, ["a/./b"], "inside the release"),
    (settings.relative_paths, [""], "inside the release"),
    (settings.relative_paths, [".git"], "belongs to the release"),
    (settings.relative_paths, [".venv/lib"], "belongs to the release"),
    (settings.relative_paths, ["state", "state/"], "named twice"),
    (settings.relative_paths, ["state", "state/web"], "lies in another"),
    (settings.relative_paths, ["state/web", "state"], "lies in another"),
    (settings.service_names, ["app"], "service unit"),
    (settings.service_names, ["app.timer"], "service unit"),
    (settings.service_names, ["-H.service"], "service unit"),
    (settings.service_names, ["a b.service"], "service unit"),
    (settings.service_names, ["../a.service"], "service unit"),
    (settings.upstream_url, "github.com/a/b", "URL"),
    (settings.upstream_url, "--upload-pack=x", "URL"),
    (settings.upstream_url, "ext::sh -c x", "URL"),
    (settings.upstream_url, "-oProxyCommand=x@host:path", "URL"),
    (settings.upstream_url, "https://", "URL"),
    (settings.track, "main", "branch:NAME"),
    (settings.track, "branch:", "branch:NAME"),
    (settings.track, "branch:a..b", "name of a branch"),
    (settings.track, "branch:-x", "name of a branch"),
    (settings.track, "branch:a b", "name of a branch"),
    (settings.track, "branch:a*", "name of a branch"),
    (settings.track, "branch:a:b", "name of a branch"),
    (settings.track, "branch:a@{1}", "name of a branch"),
    (settings.track, "branch:a.lock", "name of a branch"),
    (settings.track, "branch:@", "name of a branch"),
    (settings.track, "branch:a/", "name of a branch"),
    (settings.track, "commit:abc123", "full hexadecimal"),
    (settings.track, "commit:" + "A" * 40, "full hexadecimal"),
    (settings.one_of("block", "start"), "Block", '"block" or "start"'),
    (settings.one_of("block", "start"), ["block"], '"block" or "start"'),
    (settings.http_url, "127.0.0.1:9000/health", "URL such as"),
    (settings.http_url, "ftp://127.0.0.1/", "URL such as"),
    (settings.http_url, "http:///health", "URL such as"),
    (settings.http_url, "http://host:99999/", "URL such as"),
    (settings.http_url, "http://[::1/", "URL such as"),
    (settings.http_url, "http://host:0/", "URL such as"),
    (settings.address, "127.0.0.1", "HOST:PORT"),
    (settings.address, "127.0.0.1:0", "HOST:PORT"),
    (settings.address, "127.0.0.1:65536", "HOST:PORT"),
    (settings.address, "::1:80", "HOST:PORT"),
    (settings.address, ":80", "HOST:PORT"),
    (settings.pattern, "(", "regular expression"),
    (settings.whole, -1, "not negative"),
    (settings.whole, True, "whole number"),
    (settings.probes, [1], "tables"),
    (settings.probes, {"type": "http"}, "[[health.probe]]"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "value", "meant"), GOOD)
def test_good_value(check: settings.Check, value: Any, meant: Any) -> None:
    assert check(value) == meant


@pytest.mark.parametrize(("check", "value", "said"), BAD)
def test_bad_value(check: settings.Check, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        check(value)


HTTP = {"type": "http", "url": "http://127.0.0.1:9000/health"}


def test_probe_with_its_defaults() -> None:
    (probe,) = settings.probes([HTTP])
    assert probe == settings.Probe(
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
        (HTTP | {"expect_body": "("}, "number 2: expect_body is no regular expression"),
        (HTTP | {"service": 1}, "number 2: service must be a string"),
    ],
)
def test_probe_that_cannot_be_used(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        settings.probes([HTTP, table])


def test_table_and_types_name_the_same_settings() -> None:
    for section, kind in settings.Settings.__annotations__.items():
        fields = getattr(kind, "_fields", None)
        if fields and issubclass(kind, tuple):
            keys = [s.key for s in SETTINGS if s.key.startswith(f"{section}.")]
            assert keys == [f"{section}.{field}" for field in fields]
        elif section != "app":
            assert section in [setting.key for setting in SETTINGS]
    assert {setting.key for setting in SETTINGS} >= settings.NOT_YET


@pytest.mark.parametrize(
    "setting", [s for s in SETTINGS if s.default is not settings.REQUIRED], ids=lambda s: s.key
)
def test_default_passes_its_own_check(setting: settings.Setting) -> None:
    setting.check(setting.default)
    assert setting.meaning.endswith(".")
