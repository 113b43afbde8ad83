"""OpenSSH's own server on the loopback interface, for Git, as the user who runs the tests."""

import getpass
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.lib.hosts.commands import CLEAN_ENVIRONMENT, run
from tools.lib.hosts.ports import free_port

PROGRAM = "/usr/sbin/sshd"
SETTINGS = """\
ListenAddress 127.0.0.1:{port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
# The directories above belong to whoever runs the tests.
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""


class SshServer:
    """Accepts the key `key`; `with SshServer(directory) as server`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.key = self.make_key("key")
        self.host_key = self.make_key("host_key")
        (directory / "authorized_keys").write_text(self.public(self.key))
        (directory / "config").write_text(SETTINGS.format(port=self.port, directory=directory))
        self._process: subprocess.Popen[bytes] | None = None

    def make_key(self, name: str) -> Path:
        """Create a pair of keys; return the file of the private key."""
        file = self.directory / name
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file)
        return file

    def public(self, key: Path) -> str:
        """Return the line of a public key."""
        return Path(f"{key}.pub").read_text()

    def known_as(self, host_key: Path) -> str:
        """Return the line of known_hosts(5) that gives this server a key."""
        kind, key, _ = self.public(host_key).split()
        return f"[127.0.0.1]:{self.port} {kind} {key}\n"

    def url(self, repository: Path) -> str:
        """Return the address to clone from."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{repository}"

    def __enter__(self) -> Self:
        """Listen."""
        # sshd needs this directory, independent of its settings (sshd(8), FILES).
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._process = subprocess.Popen(
            [PROGRAM, "-D", "-e", "-f", self.directory / "config"],
            stdin=subprocess.DEVNULL, stderr=(self.directory / "log").open("wb"),
            env=CLEAN_ENVIRONMENT,
        )  # fmt: skip
        while "Server listening" not in self.log():
            if self._process.poll() is not None:
                raise OSError(f"sshd does not start: {self.log()}")
            time.sleep(0.01)
        return self

    def log(self) -> str:
        """Return the server's log so far."""
        return (self.directory / "log").read_text(errors="replace")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Accept no more connections."""
        assert self._process
        self._process.terminate()
        self._process.wait()
