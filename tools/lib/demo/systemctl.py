#!/usr/bin/python3
"""A stand-in for systemctl; tools/demo installs it if systemd does not run, and removes it.

It passes its arguments to the supervisor that the demo runs (tools/lib/demo/supervisor.py).
"""

import json
import socket
import sys

ADDRESS = "/var/lib/autoupdate-demo/supervisor"


def main(arguments: list[str]) -> int:
    """Ask the supervisor; print its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(ADDRESS)
            connection.sendall(json.dumps(arguments).encode() + b"\n")
            answer = json.loads(connection.makefile().readline())
        except (OSError, ValueError) as error:
            print(f"systemctl: the demo's supervisor does not answer: {error}", file=sys.stderr)
            return 1
    print(answer["output"], end="")
    print(answer["error"], end="", file=sys.stderr)
    return int(answer["code"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
