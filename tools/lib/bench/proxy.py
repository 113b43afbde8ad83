"""A slow network: forwards connections, counts round trips and delays them."""

import selectors
import socket
import threading
import time


class FarAway:
    """Forwards to a port of the loopback interface; `with FarAway(port, seconds) as far`.

    A round trip is the handshake of a connection, or data from the client that follows data from
    the server. Each one takes `seconds` longer.
    """

    def __init__(self, port: int, seconds: float) -> None:
        """Listen; nothing is forwarded before `with`."""
        self.target = ("127.0.0.1", port)
        self.seconds = seconds
        self.round_trips = 0
        self.bytes_received = 0
        """Bytes that servers have sent in their TCP streams."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> "FarAway":
        """Start forwarding."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Accept no more connections."""
        # Wakes the thread, which waits in accept(2).
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def forget(self) -> None:
        """Reset the counters."""
        self.round_trips = self.bytes_received = 0

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _trip(self) -> None:
        with self._counting:
            self.round_trips += 1
        time.sleep(self.seconds)

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection(self.target) as server, \
                selectors.DefaultSelector() as selector:  # fmt: skip
            self._trip()
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            client_spoke = False
            while True:
                for key, _ in selector.select():
                    speaker, listener = key.fileobj, key.data
                    if not isinstance(speaker, socket.socket):
                        raise TypeError(f"no socket: {speaker!r}")
                    data = speaker.recv(1 << 16)
                    if not data:
                        return
                    if speaker is client and not client_spoke:
                        self._trip()
                    if speaker is server:
                        with self._counting:
                            self.bytes_received += len(data)
                    client_spoke = speaker is client
                    listener.sendall(data)
