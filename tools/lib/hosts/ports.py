"""TCP ports on the loopback interface, which all test hosts share with the machine."""

import random
import socket
import threading

# Below the kernel's range of ports for outgoing connections.
_FIRST, _LAST = 20000, 32000

_lock = threading.Lock()
# Test processes start at different ports, also in containers that share a network, where they
# may have the same process ID.
_next = random.randrange(_FIRST, _LAST)


def free_port() -> int:
    """Return a port on which nobody listens, and which this process has not returned lately."""
    global _next
    with _lock:
        for _ in range(_LAST - _FIRST):
            _next = _next + 1 if _next < _LAST else _FIRST
            with socket.socket() as trial:
                try:
                    trial.bind(("127.0.0.1", _next))
                except OSError:
                    continue
                return _next
    raise OSError("no free port on the loopback interface")
