"""Command lines and scripts as people have them: which of them update the app?"""

import pytest

from autoupdate.adoption.command_lines import Shell, Subject

APP = "/home/barberb/ipfs_accelerate_py"
SERVICES = ("ipfs-accelerate.service", "ipfs-accelerate-mcp.service")
SCRIPTS = {
    f"{APP}/up.sh": '#!/bin/bash\nset -e\ncd "$(dirname "$0")"\ngit pull\n',
    f"{APP}/scripts/up.sh": (
        '#!/usr/bin/env bash\nHERE="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"\n'
        'cd "$HERE" || exit 1\n./venv/bin/pip install -e .\n'
    ),
    "/usr/local/bin/deploy": (
        f'#!/bin/sh\nset -e\nAPP_DIR={APP}\n# git pull\ncd "$APP_DIR"\nif git fetch origin; then\n'
        "  git reset --hard origin/main\nfi\n"
    ),
    "/usr/local/bin/with-default": (
        f'#!/bin/sh\nAPP="${{APP:-{APP}}}"\ncd "${{APP}}" && \\\n  git pull\n'
    ),
    "/usr/local/bin/loop": (
        f"#!/bin/sh\nfor d in {APP} /srv/other; do\n  (cd $d && tar c .)\n  git -C $d pull\ndone\n"
    ),
    "/usr/local/bin/by-shell": f"#!/bin/sh\nsu - barberb <<EOF\ncd {APP}\ngit pull\nEOF\n",
    "/usr/local/bin/function": (
        f'#!/bin/bash\nup() {{\n  pushd "{APP}" >/dev/null\n  ! git fetch && return 1\n}}\nup\n'
    ),
    "/usr/local/bin/shows": f"#!/bin/sh\ncat <<'EOF'\ncd {APP}\ngit pull\nEOF\n",
    "/usr/local/bin/subshell": f"#!/bin/sh\n(\n  cd {APP} && tar c .\n)\ngit pull\n",
    "/usr/local/bin/back": f"#!/bin/sh\ncd {APP}\ncd -\npushd {APP}\npopd\ngit pull\npopd\n",
    "/usr/local/bin/outer": "#!/bin/sh\n/usr/local/bin/deploy\n",
    "/usr/local/bin/backup": f"#!/bin/sh\ncd {APP}\ngit bundle create /b/x --all\ntar cf /b/y .\n",
    "/usr/local/bin/of-another": f"#!/bin/sh\ncd {APP}\ncd /srv/other\ngit pull\n",
    "/usr/local/bin/unknown": '#!/bin/sh\ncd "$1"\ngit pull\n',
    "/usr/local/bin/talks": f"#!/bin/sh\ncd {APP}\necho 'run git pull; then'\necho git pull\n",
    "/usr/local/bin/python": f"#!/usr/bin/python3\ncd = '{APP}'\n",
    "/usr/local/bin/open-quote": f"#!/bin/sh\necho 'two\nlines'\ncd {APP}\ngit pull\n",
}
GIT = f"runs git pull in {APP}"
PIP = f"runs pip install in {APP}"


def done(line: str, directory: str = "/home/barberb") -> list[str]:
    """Return why a line counts."""
    subject = Subject(APP, SERVICES, lambda file: SCRIPTS.get(file, ""))
    shell = Shell(subject, directory, {"HOME": "/home/barberb"})
    return [deed.why for deed in shell.deeds(line)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"cd {APP} && git pull", GIT),
        (f"cd {APP}; git pull >> /var/log/pull.log 2>&1", GIT),
        ("cd ipfs_accelerate_py && /usr/bin/git pull -q", GIT),
        ("cd ~/ipfs_accelerate_py || exit 1; git pull", GIT),
        ('cd "$HOME/ipfs_accelerate_py" && git checkout main', f"runs git checkout in {APP}"),
        (f"/usr/bin/git -C {APP} fetch --all", f"runs git fetch in {APP}"),
        (f"git --git-dir={APP}/.git --work-tree {APP} reset --hard", f"runs git reset in {APP}"),
        (f"sudo -u barberb git -C {APP} pull --rebase", GIT),
        (f"sudo -n -H -u barberb -- /usr/bin/git -c a=b -C {APP} pull", GIT),
        (f"sudo -D {APP} git pull", GIT),
        (f"flock -n /tmp/l git -C {APP} pull", GIT),
        (f"flock -n /tmp/l -c 'cd {APP} && git pull'", GIT),
        (f"bash -lc 'cd {APP} && git pull'", GIT),
        (f"nice -n 19 timeout -k 5 10m sh -c \"cd {APP}; git pull\"", GIT),
        (f"su - barberb -c 'cd {APP} && git pull'", GIT),
        (f"runuser -u barberb -- git -C {APP} pull", GIT),
        (f"D={APP}; (cd $D && git pull)", GIT),
        (f"env GIT_SSH=x git -C {APP} pull", GIT),
        (f'test "$(git -C {APP} pull)" = x', GIT),
        (f"cd {APP} && .venv/bin/pip install -r requirements.txt", PIP),
        (f"{APP}/.venv/bin/python -m pip install -U ipfs-kit", PIP),
        (f"cd {APP} && python3 -m pip install -e .", PIP),
        (f"pip install -e {APP}", PIP),
        (f"uv pip install --requirement={APP}/requirements.txt", PIP),
        (f"cd {APP} && uv sync", PIP),
        ("systemctl restart ipfs-accelerate", "restarts ipfs-accelerate.service"),
        ("sudo /bin/systemctl --no-block try-restart ipfs-accelerate-mcp.service nginx",
         "restarts ipfs-accelerate-mcp.service"),
        ("service ipfs-accelerate restart", "restarts ipfs-accelerate.service"),
        (f"{APP}/up.sh", f"runs {APP}/up.sh, whose line 4 {GIT}"),
        ("bash ipfs_accelerate_py/scripts/up.sh -v",
         f"runs {APP}/scripts/up.sh, whose line 4 {PIP}"),
        ("/usr/local/bin/deploy >/dev/null",
         f"runs /usr/local/bin/deploy, whose line 6 runs git fetch in {APP}"),
        ("/usr/local/bin/loop", f"runs /usr/local/bin/loop, whose line 4 {GIT}"),
        ("/usr/local/bin/by-shell", f"runs /usr/local/bin/by-shell, whose line 4 {GIT}"),
        ("/usr/local/bin/function",
         f"runs /usr/local/bin/function, whose line 4 runs git fetch in {APP}"),
        (f"sudo --user barberb --chdir {APP} git pull", GIT),
        (f"systemd-run --user -p X=y git -C {APP} pull", GIT),
        ("/usr/local/bin/with-default", f"runs /usr/local/bin/with-default, whose line 3 {GIT}"),
        ("/usr/local/bin/open-quote", f"runs /usr/local/bin/open-quote, whose line 5 {GIT}"),
    ],
)  # fmt: skip
def test_updaters(line: str, why: str) -> None:
    assert done(line)[:1] == [why]


@pytest.mark.parametrize(
    "line",
    [
        "", "@daily", "true # && git pull", f"# cd {APP} && git pull",
        f"rsync -a {APP}/ /backup/", f"tar czf /b/a.tgz {APP}", f"cd {APP} && tar cf /b/x .",
        f"git -C {APP} bundle create /b/x --all", f"git -C {APP} gc", f"git -C {APP} status",
        f"git -C {APP} log --grep pull", f"cd {APP} && git push backup main",
        f"cd {APP}; cd /srv/other; git pull", "git -C /srv/other fetch",
        f"git -C {APP}-old pull", f"git -C {APP}/../other pull", "cd $WHERE && git pull",
        "cd /home/barberb && git pull", f"echo cd {APP} '&&' git pull",
        f"echo 'cd {APP} && git pull' | mail root",
        f"{APP}/.venv/bin/python -m ipfs_accelerate_py.server --port 9000",
        f"cd {APP} && .venv/bin/python main.py pull", f"{APP}/.venv/bin/pip list",
        "pip install --user black", f"cd {APP} && pip download x",
        "systemctl restart nginx", "systemctl status ipfs-accelerate", "systemctl restart ipfs",
        "systemctl is-active ipfs-accelerate || echo restart",
        "/usr/local/bin/shows", "/usr/local/bin/subshell", "/usr/local/bin/back",
        "systemctl --user restart ipfs-accelerate", f"(cd {APP}; ls); git pull", "for", "for x in",
        "/usr/local/bin/outer", "/usr/local/bin/backup", "/usr/local/bin/of-another",
        "/usr/local/bin/unknown", "/usr/local/bin/talks", "/usr/local/bin/python", "/no/such/file",
        "cd \0", "/x\\Ay; $(", "echo 'an open quote",
        "sudo", "flock", "git", "bash -c", "nice -n", "timeout", "((", "cd",
    ],
)  # fmt: skip
def test_what_does_not_update_the_app(line: str) -> None:
    assert done(line) == []


def test_a_script_with_an_odd_name() -> None:
    text = f'#!/bin/sh\ncd "$(dirname "$0")"; git pull\ncd {APP}; git pull\n'
    shell = Shell(Subject(APP, (), lambda _: text), "/", {})
    assert [deed.line for deed in shell.deeds(r"'/x\A/y'")] == [3]


def test_where_it_begins() -> None:
    assert done("git pull", APP) == [GIT]
    assert done("/usr/bin/git pull", "/") == []
    deeds = list(
        Shell(Subject(APP, SERVICES, lambda _: ""), "/", {}).deeds(
            "systemctl restart ipfs-accelerate"
        )
    )
    assert [deed.restarts_only for deed in deeds] == [True]
