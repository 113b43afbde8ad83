"""The programs that units start, as systemctl shows them."""

import pytest

from autoupdate.host.services import programs_in

SHOWN = "ExecStart={{ path={0} ; argv[]={1} ; ignore_errors=no ; start_time=[n/a] ; pid=0 }}\n"


@pytest.mark.parametrize(
    ("line", "programs"),
    [
        ("/opt/app/.venv/bin/serve --port 80", ("serve",)),
        ("/opt/app/.venv/bin/python3 -m app.serve", ("python3",)),
        ("/usr/bin/env A=b /opt/app/.venv/bin/serve", ("env", "serve")),
        ('/bin/sh -c "cd /opt/app && exec .venv/bin/serve; true"', ("app", "serve", "sh")),
        ("/usr/bin/nice serve", ("nice",)),
    ],
)
def test_programs(line: str, programs: tuple[str, ...]) -> None:
    assert programs_in(SHOWN.format(line.split()[0], line)) == programs


def test_several_units_and_nothing() -> None:
    shown = SHOWN.format("/bin/b", "/bin/b") + "\n" + 2 * SHOWN.format("/bin/a", "/bin/a x")
    assert programs_in(shown) == ("a", "b")
    assert programs_in("ExecStart=\n") == ()
    assert programs_in("") == ()
