"""Asks upstream for one ref, as cheaply as possible: no subprocess module, one exchange.

Over HTTP this uses Git's own helper (gitremote-helpers(7), stateless-connect), because
git-ls-remote(1) makes the server list all its refs, and then selects one itself.
"""

import os
import select
import time

HELPER = "/usr/lib/git-core/git-remote-http"
GIT = "/usr/bin/git"
# Limit for an answer about one ref, in bytes.
LONGEST_ANSWER = 1_000_000
# signal(7); the module of that name costs 3 ms.
SIGKILL = 9
# How long an answer is reused for the same question, in seconds.
RECENT = 2.0
# Answers that the fast path got, for the full check: by URL and ref, the time and the commit.
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
    """Return the commit that a ref points to, or nothing without a clear answer.

    `user`: the user and the group that git runs as. `digits`: the length of a commit hash.
    Faults of upstream or the network raise no error: without an answer the caller asks again by
    git-ls-remote(1), which finds the reason.
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
    """Return whether upstream can be asked for only one ref."""
    return url.startswith(("http://", "https://"))


def remember(url: str, ref: str, commit: str) -> None:
    """Keep an answer for the next caller with the same question."""
    _said[url, ref] = (time.monotonic(), commit)


def recall(url: str, ref: str) -> str | None:
    """Return a recent answer that was kept, and forget it; None if there is none."""
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
        # Anything but an empty line: no server, or one without protocol 2.
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
    """Return the commit of a ref in a server's answer (gitprotocol-common(5), pkt-line)."""
    while answer:
        try:
            length = int(answer[:4], 16)
        except ValueError:
            return ""
        commit, _, found = answer[4:length].rstrip(b"\n").partition(b" ")
        # Lengths below 4 are special packets without content; the capabilities come first.
        if found == ref.encode() and len(commit) == digits:
            return commit.decode(errors="replace")
        answer = answer[max(length, 4) :]
    return ""


class Conversation:
    """A process with pipes; it is killed with its process group at the end of the `with` block."""

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
        """Return the conversation."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the process and its process group."""
        self.say_no_more()
        os.close(self.output)
        # It is not reaped yet, so the process id is still its own; its group may be gone.
        os.kill(self.pid, SIGKILL)
        try:
            os.killpg(self.pid, SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        os.waitpid(self.pid, 0)

    def say(self, words: bytes) -> None:
        """Write to its input; ignored if it has ended."""
        try:
            os.write(self.input, words)
        except BrokenPipeError:
            pass

    def say_no_more(self) -> None:
        """Close its input."""
        if self.input >= 0:
            os.close(self.input)
            self.input = -1

    def line(self) -> bytes:
        """Return the next line; an incomplete one at the end of the output."""
        while b"\n" not in self.unread and self._read():
            pass
        line, end, self.unread = self.unread.partition(b"\n")
        return line + end

    def rest(self) -> bytes:
        """Return the rest of the output; nothing if its end does not come in time."""
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
    """Execute a command in this process; never returns."""
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
