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
    (settings.probes, [1], "tables"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "value", "meant"), GOOD)
def test_good_value(check: settings.Check, value: Any, meant: Any) -> None:
    assert check(value) == meant


@pytest.mark.parametrize(("check", "value", "said"), BAD)
def test_bad_value(check: settings.Check, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        check(value)


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
