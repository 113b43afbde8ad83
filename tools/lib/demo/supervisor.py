"""A stand-in for systemd in a container that has none: runs services by their unit files.

It has what an update needs of systemd: start, stop and restart, ExecStartPre= lines before each
start, Restart=always, and the properties of `systemctl show`. When its standard input closes,
because the process that started it has ended, it stops all services and ends.
"""

import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer

from tools.lib.demo import processes, systemctl
from tools.lib.demo.here import LOGS, STAND_IN
from tools.lib.demo.service import Service
from tools.lib.demo.unit_file import load

# struct ucred of unix(7): process, user, group.
_CREDENTIALS = struct.Struct("3i")

Answer = tuple[str, str, int]


class Supervisor:
    """All services that were ever asked for, by name."""

    def __init__(self) -> None:
        """Start without services."""
        self._services: dict[str, Service] = {}
        self._lock = threading.Lock()
        self._verbs: dict[str, Callable[[Service], str]] = {
            "start": Service.start,
            "stop": Service.stop,
            "restart": Service.restart,
            "reset-failed": Service.reset_failed,
        }

    def answer(self, arguments: Sequence[str], user: int) -> Answer:
        """Execute a command line of systemctl; return output, error and exit code."""
        options = [word for word in arguments if word.startswith("--") and word != "--"]
        verb, *names = [word for word in arguments if not word.startswith("--")] or [""]
        names = [name if "." in name else f"{name}.service" for name in names]
        if verb == "show":
            wanted = [word.partition("=")[2] for word in options if word.startswith("--property=")]
            return self._show(names, ",".join(wanted)), "", 0
        if verb == "daemon-reload":  # files are read at each start
            return "", "", 0
        if verb not in self._verbs:
            return "", f"systemctl: the demo's stand-in cannot do {verb!r}\n", 1
        if user != 0:
            return "", "systemctl: only root may do this\n", 4
        return self._order(self._verbs[verb], names, wait="--no-block" not in options)

    def close(self) -> None:
        """Stop everything."""
        with self._lock:
            services = list(self._services.values())
        _each(services, Service.stop)
        processes.end_descendants()

    def _order(self, verb: Callable[[Service], str], names: Sequence[str], wait: bool) -> Answer:
        unknown = [name for name in names if load(name) is None]
        if unknown:
            return "", "".join(f"Unit {name} not found.\n" for name in unknown), 5
        services = [self._service(name) for name in names]
        if not wait:
            if verb is not Service.start:
                for service in services:
                    service.expect_stop()
            threading.Thread(target=_each, args=(services, verb), daemon=True).start()
            return "", "", 0
        faults = [fault for fault in _each(services, verb) if fault]
        return "", "".join(f"{fault}\n" for fault in faults), 1 if faults else 0

    def _service(self, name: str) -> Service:
        with self._lock:
            return self._services.setdefault(name, Service(name, LOGS / name))

    def _show(self, names: Sequence[str], wanted: str) -> str:
        blocks = []
        for name in names:
            file = load(name)
            facts = self._service(name).show()
            facts["LoadState"] = "loaded" if file else "not-found"
            facts["User"] = file.user if file else ""
            keys = wanted.split(",") if wanted else list(facts)
            blocks.append("".join(f"{key}={facts[key]}\n" for key in keys if key in facts))
        return "\n".join(blocks)


def _each(services: Sequence[Service], verb: Callable[[Service], str]) -> list[str]:
    """Do something with all services in parallel; wait for all, and return their errors."""
    faults: list[str] = []
    threads = [
        threading.Thread(target=lambda service: faults.append(verb(service)), args=(service,))
        for service in services
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


class _Conversation(StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        """Answer one command line."""
        size = _CREDENTIALS.size
        peer = self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        _, user, _ = _CREDENTIALS.unpack(peer)
        try:
            arguments = json.loads(self.rfile.readline())
            output, error, code = self.server.supervisor.answer(arguments, user)
        except (ValueError, OSError) as fault:
            output, error, code = "", f"systemctl: {fault}\n", 1
        answer = {"output": output, "error": error, "code": code}
        self.wfile.write(json.dumps(answer).encode() + b"\n")


class _Server(ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        super().__init__(systemctl.ADDRESS, _Conversation)


def main() -> None:
    """Serve until standard input ends."""
    processes.adopt_orphans()
    LOGS.mkdir(parents=True, exist_ok=True)
    Path(systemctl.ADDRESS).unlink(missing_ok=True)
    supervisor = Supervisor()
    with _Server(supervisor) as server:
        # As with systemd, every user may ask for the state of a service.
        os.chmod(systemctl.ADDRESS, 0o666)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with STAND_IN.open("x") as program:  # never replace an existing file
            program.write(Path(systemctl.__file__).read_text())
            os.fchmod(program.fileno(), 0o755)
        try:
            print("ready", flush=True)
            sys.stdin.read()
        finally:
            supervisor.close()
            STAND_IN.unlink()
            server.shutdown()


if __name__ == "__main__":
    main()
