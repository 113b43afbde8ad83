"""Asks upstream for one ref, with as little as that takes: no subprocess module, one exchange.

Over HTTP, Git's own helper is spoken to (gitremote-helpers(7), stateless-connect), because
git-ls-remote(1) has a server list all its refs and picks one itself.
"""

import os
import select
import time

HELPER = "/usr/lib/git-core/git-remote-http"
GIT = "/usr/bin/git"
# An answer about one ref is short.
LONGEST_ANSWER = 1_000_000
# signal(7); the module of that name costs 3 ms.
SIGKILL = 9
# For how long, in seconds, an answer is as good as one to the same question asked again.
RECENT = 2.0
# What upstream said to the shortcut, for the usual way: by address and ref, when, which commit.
_said: dict[tuple[str, str], tuple[float, str]] = {}


def ask(
    url: str,
    ref: str,
    *,
    environment: dict[str, str],
    user: tuple[int, int] | None,
    timeout: float,
    digits: int = 40,
) -> str:
    """Return the commit that a ref points to; nothing if upstream did not say so plainly.

    `user`: the user and the group that git runs as. `digits`: the length of a commit's name.
    Never raises for what upstream or the network does: whoever gets nothing asks anew in the
    usual way, which finds out why.
    """
    deadline = time.monotonic() + timeout
    if is_over_http(url):
        return _ask_helper(url, ref, environment, user, deadline, digits)
    command = [GIT, "ls-remote", "--", url, ref]
    with Conversation(command, environment, user, deadline) as git:
        git.say_no_more()
        for line in git.rest().decode(errors="replace").splitlines():
            commit, _, found = line.partition("\t")
            if found == ref:
                return commit if len(commit) == digits else ""
    return ""


def is_over_http(url: str) -> bool:
    """Tell whether an upstream can be asked for one ref alone."""
    return url.startswith(("http://", "https://"))


def remember(url: str, ref: str, commit: str) -> None:
    """Keep an answer for whoever asks the same next."""
    _said[url, ref] = (time.monotonic(), commit)


def recall(url: str, ref: str) -> str | None:
    """Return an answer of just now that was kept, once; None if nobody asked."""
    moment, commit = _said.pop((url, ref), (0.0, None))
    return commit if time.monotonic() - moment < RECENT else None


def _ask_helper(
    url: str,
    ref: str,
    environment: dict[str, str],
    user: tuple[int, int] | None,
    deadline: float,
    digits: int,
) -> str:
    with Conversation([HELPER, url, url], environment, user, deadline) as helper:
        helper.say(b"stateless-connect git-upload-pack\n")
        # Anything else than an empty line: a server without protocol 2, or no server.
        if helper.line() != b"\n":
            return ""
        helper.say(question(ref, "sha1" if digits == 40 else "sha256"))
        helper.say_no_more()
        return find(helper.rest(), ref, digits)


def question(ref: str, object_format: str) -> bytes:
    """Return the request for one ref (gitprotocol-v2(5), ls-refs)."""
    capabilities = [b"command=ls-refs\n", b"object-format=" + object_format.encode()]
    arguments = [b"ref-prefix " + ref.encode() + b"\n"]
    packets = [*map(_packet, capabilities), b"0001", *map(_packet, arguments), b"0000"]
    return b"".join(packets)


def _packet(content: bytes) -> bytes:
    return b"%04x" % (len(content) + 4) + content


def find(answer: bytes, ref: str, digits: int) -> str:
    """Return the commit of a ref in what a server said (gitprotocol-common(5), pkt-line)."""
    while answer:
        try:
            length = int(answer[:4], 16)
        except ValueError:
            return ""
        commit, _, found = answer[4:length].rstrip(b"\n").partition(b" ")
        # Lengths below 4 are marks without content; the server's capabilities come first.
        if found == ref.encode() and len(commit) == digits:
            return commit.decode(errors="replace")
        answer = answer[max(length, 4) :]
    return ""


class Conversation:
    """A process that is spoken to; with its process group it ends with the `with` block."""

    def __init__(
        self,
        command: list[str],
        environment: dict[str, str],
        user: tuple[int, int] | None,
        deadline: float,
    ) -> None:
        """Start it, in a session of its own."""
        self.deadline = deadline
        self.unread = b""
        theirs, self.input = os.pipe()
        self.output, said = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            _become(command, environment, user, theirs, said)
        os.close(theirs)
        os.close(said)

    def __enter__(self) -> "Conversation":
        """Begin to talk."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it with everything that it started."""
        self.say_no_more()
        os.close(self.output)
        # It is not collected yet, so the number is still its own; its group may be gone already.
        os.kill(self.pid, SIGKILL)
        try:
            os.killpg(self.pid, SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        os.waitpid(self.pid, 0)

    def say(self, words: bytes) -> None:
        """Write; a process that has ended does not hear it."""
        try:
            os.write(self.input, words)
        except BrokenPipeError:
            pass

    def say_no_more(self) -> None:
        """Let it see the end of its input."""
        if self.input >= 0:
            os.close(self.input)
            self.input = -1

    def line(self) -> bytes:
        """Return the next line; without its end when nothing more comes."""
        while b"\n" not in self.unread and self._read():
            pass
        line, end, self.unread = self.unread.partition(b"\n")
        return line + end

    def rest(self) -> bytes:
        """Return everything up to the end; nothing when that does not come in time."""
        while self._read():
            if len(self.unread) > LONGEST_ANSWER:
                return b""
        return self.unread if time.monotonic() < self.deadline else b""

    def _read(self) -> bool:
        left = self.deadline - time.monotonic()
        if left <= 0 or not select.select([self.output], [], [], left)[0]:
            return False
        chunk = os.read(self.output, 1 << 16)
        self.unread += chunk
        return bool(chunk)


def _become(
    command: list[str],
    environment: dict[str, str],
    user: tuple[int, int] | None,
    stdin: int,
    stdout: int,
) -> None:
    """Turn this process into another one; never returns."""
    try:
        os.setsid()
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.umask(0o022)
        os.chdir("/")
        if user:
            os.setgroups([])
            os.setgid(user[1])
            os.setuid(user[0])
        os.execve(command[0], command, environment)
    finally:
        os._exit(127)
