"""A proxy before a server that cuts connections in the middle, a given number of times."""

import socket
import threading
from contextlib import suppress
from types import TracebackType


class Cutting:
    """Passes bytes on and cuts a connection each time that so many have come through it.

    Args:
        to: Host and port of the server.
        after: Bytes of one connection, both ways together, after which it is cut.
        cuts: How many connections are cut at most.
    """

    def __init__(self, to: tuple[str, int], after: int, cuts: int) -> None:
        self.to, self.after, self.left, self.done = to, after, cuts, 0
        self.passed = 0
        self.down_after: float = float("inf")  # bytes of all together, after which nothing passes
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "Cutting":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.to)
            count = [0]
            for one, other in ((client, server), (server, client)):
                passing = threading.Thread(target=self._pass, args=(one, other, count), daemon=True)
                passing.start()

    def _pass(self, source: socket.socket, target: socket.socket, count: list[int]) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                with self._lock:
                    self.passed += len(data)
                    count[0] += len(data)
                    cut = count[0] > self.after and self.left > 0
                    if self.passed > self.down_after:
                        break
                    if cut:
                        self.left, self.done = self.left - 1, self.done + 1
                if cut:
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
