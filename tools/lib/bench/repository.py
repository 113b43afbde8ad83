"""Upstreams without a work tree: commits of any size are written to a bare repository."""

from collections.abc import Mapping

from tools.lib.hosts.commands import run
from tools.lib.hosts.git_server import GitServer

BRANCH = "refs/heads/main"
AUTHOR = "Upstream <upstream@upstream.example>"
FIRST_COMMIT_AT = 1_750_000_000


class Repository:
    """A bare repository on a server."""

    def __init__(self, server: GitServer, name: str) -> None:
        """Create it, empty."""
        self.name = name
        self.bare = server.directory / f"{name}.git"
        self.url = server.url(name)
        self.commits = 0
        run("git", "init", "--quiet", "--bare", "--initial-branch=main", self.bare)
        self.git("config", "uploadpack.allowAnySHA1InWant", "true")

    def commit(self, files: Mapping[str, bytes]) -> str:
        """Commit files in addition to the existing ones (git-fast-import(1)); return the commit."""
        at = FIRST_COMMIT_AT + 60 * self.commits
        message = f"Version {self.commits + 1}".encode()
        stream = [f"commit {BRANCH}\ncommitter {AUTHOR} {at} +0000\n".encode(), _data(message)]
        if self.commits:
            stream.append(f"from {BRANCH}^0\n".encode())
        for path, content in files.items():
            stream += [f"M 100644 inline {path}\n".encode(), _data(content)]
        self.git("fast-import", "--quiet", input=b"".join(stream))
        self.commits += 1
        return self.git("rev-parse", BRANCH)

    def add_refs(self, count: int) -> None:
        """Create this number of branches at the newest commit (git-update-ref(1))."""
        commit = self.git("rev-parse", BRANCH)
        lines = [f"create refs/heads/topic/{number:05d} {commit}\n" for number in range(count)]
        self.git("update-ref", "--stdin", input="".join(lines).encode())
        self.git("pack-refs", "--all")

    def git(self, *arguments: str, input: bytes = b"") -> str:  # noqa: A002 - as in subprocess
        """Run Git in the repository."""
        return run("git", "-C", self.bare, *arguments, input=input).stdout.strip()


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def application(requirements: Mapping[str, str], index: str) -> dict[str, bytes]:
    """Return the files of a small application with requirements from this index."""
    lines = "".join(f"{name}=={version}\n" for name, version in requirements.items())
    modules = {
        f"bench_app/module_{number}.py": module(number) for number in range(40)
    }  # fmt: skip
    return {
        "setup.py": SETUP.encode(),
        "pyproject.toml": b'[build-system]\nrequires = ["setuptools"]\n'
        b'build-backend = "setuptools.build_meta"\n',
        "requirements.txt": lines.encode(),
        # pip and uv read this option from the file, independent of the machine's configuration.
        "index.txt": f"--index-url {index}\n".encode(),
        "bench_app/__init__.py": b"",
        "bench_app/command.py": b"def main():\n    print('bench')\n",
        "bench_app/version.py": b"VERSION = 1\n",
        **modules,
    }


def module(number: int) -> bytes:
    """Return the text of a module that takes about as long to compile as a typical one."""
    function = '''def work_{0}(first, second=None):
    """Do a little."""
    result = [first * number for number in range({0}) if number % 3]
    if second is not None and len(result) > {0}:
        return {{"first": first, "second": second, "result": sorted(result)}}
    return result


'''
    return "".join(function.format(number + part) for part in range(15)).encode()


SETUP = """from setuptools import setup
setup(
    name="bench_app", version="1.0", packages=["bench_app"],
    install_requires=open("requirements.txt").read().split(),
    entry_points={"console_scripts": ["bench-app = bench_app.command:main"]},
)
"""
