"""A proxy on loopback that does something when a number of bytes has gone to the server."""

import contextlib
import socket
import threading


class Proxy:
    """Passes connections on to a server. Started and stopped by `with`."""

    def __init__(self, server):
        self.connect_to(server)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._plan = []
        self._on_answer = None
        self.passed = 0
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.close()

    def connect_to(self, server):
        """Passes further connections on to this server."""
        host, port = server.rpartition("//")[2].split(":")
        self._server = (host, int(port))

    def at(self, passed, action):
        """Calls `action` with the piece in which so many bytes have passed. It returns what goes on."""
        self._plan.append((passed, action))
        self._plan.sort(key=lambda entry: entry[0])

    def next_answer(self, action):
        """Calls `action` with the next piece that comes from the server. It returns what goes on."""
        self._on_answer = action

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # The listener is closed.
                return
            try:
                server = socket.create_connection(self._server)
            except OSError:  # The server is down.
                client.close()
                continue
            threading.Thread(target=self._pass_on, args=(client, server, self._act), daemon=True).start()
            threading.Thread(
                target=self._pass_on, args=(server, client, self._act_on_answer), daemon=True
            ).start()

    def _pass_on(self, source, target, act):
        with contextlib.suppress(OSError):
            while piece := source.recv(16 * 1024):
                target.sendall(act(piece))
        with source, contextlib.suppress(OSError):  # The other direction closes the target.
            target.shutdown(socket.SHUT_RDWR)

    def _act(self, piece):
        with self._lock:
            self.passed += len(piece)
            if self._plan and self.passed >= self._plan[0][0]:
                piece = self._plan.pop(0)[1](piece)
        return piece

    def _act_on_answer(self, piece):
        action, self._on_answer = self._on_answer, None
        return action(piece) if action else piece


def flip(piece):
    """One bit flips on the way."""
    return piece[: len(piece) // 2] + bytes([piece[len(piece) // 2] ^ 16]) + piece[len(piece) // 2 + 1 :]


def cut(_):
    """The connection breaks."""
    raise ConnectionResetError
