"""A listener on this machine that counts who comes: the proof that a token made nobody fetch anything.

Owns a socket on loopback and the addresses that lead to it. Answers nothing but a closed door, so whoever fetches from
it fails at once and is counted all the same. Called by the tests of forged tokens.
"""

import socket
import threading
from types import TracebackType
from typing import Self


class Listener:
    """Counts connections from construction on until its block is left."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self.heard = 0
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A close alone would leave the thread waiting in `accept`.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(timeout=10)

    @property
    def urls(self) -> list[str]:
        """Every way to write its address that a careless reader of headers might follow."""
        place = f"127.0.0.1:{self.port}"
        return [
            f"http://{place}/keys",
            f"http://localhost:{self.port}/keys",
            f"https://{place}/keys",
            f"//{place}/keys",
            f"http://auth.example.com@{place}/keys",
            f"http://[::ffff:127.0.0.1]:{self.port}/keys",
            f"http://2130706433:{self.port}/keys",
            f"ftp://{place}/keys",
            f"gopher://{place}/_GET%20/keys",
            f"ldap://{place}/o=keys",
        ]

    def settled(self) -> int:
        """How many have come; whoever connected before this call is counted."""
        # Connections are accepted in order: once our own has been, so has every earlier one.
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as ours:
            ours.recv(1)
        self.heard -= 1
        return self.heard

    def _listen(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            self.heard += 1
            caller.close()
