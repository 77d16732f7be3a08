"""The worker of the web process: gunicorn's threads, and a pace that whoever sends something has to keep.

A thread answers one request at a time, and by itself gunicorn lets it wait for ever for the next byte. Few clients that
send slowly, or nothing more, would have all threads.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from gunicorn.util import close_graceful  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]
from werkzeug.exceptions import RequestTimeout

_SOCKET = "gunicorn.socket"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long we wait for what is sent; only the waiting counts, not what we do between.

    A request line with its headers has `head_seconds`, a body `form_seconds`. A file may take longer while no wait for
    its next bytes is longer than `stall_seconds`, and all waits together are no longer than `grace_seconds` plus a
    second for each `bytes_per_second` that came.
    """

    head_seconds: float = 10
    form_seconds: float = 15
    stall_seconds: float = 10
    grace_seconds: float = 10
    bytes_per_second: int = 1_000


class PacedSocket:
    """A connected socket whose reading ends when the sender does not keep the pace; all else is the socket's own."""

    def __init__(self, connection: socket.socket, pace: Pace) -> None:
        self._socket = connection
        self._pace = pace
        self._seconds: float | None = None
        self._request: Any = None
        self.expect_nothing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def expect_head(self) -> None:
        """Read a request line and headers from here on; when they do not come, the connection ends."""
        self._start(self._pace.head_seconds)

    def expect_body(self, request: Any) -> None:
        """Read a small body from here on; when it does not come, RequestTimeout is raised and this is the last one."""
        self._start(self._pace.form_seconds)
        self._request = request

    def expect_file(self) -> None:
        """Read a large body, which may take long while it comes at all."""
        self._seconds, self._is_file = self._pace.grace_seconds, True

    def expect_nothing(self) -> None:
        """Leave all waiting to whoever reads."""
        self._start(None)

    def recv(self, size: int) -> bytes:
        """Answer the next bytes, none at the end; raises RequestTimeout for a body that does not keep the pace."""
        if self._seconds is None:
            return self._socket.recv(size)
        patience = self._measure_patience(self._seconds)
        start = time.monotonic()
        try:
            self._socket.settimeout(max(patience, 0.001))
            data = self._socket.recv(size)
        except TimeoutError:
            return self._give_up()
        finally:
            self._socket.settimeout(None)
        self._waited += time.monotonic() - start
        self._received += len(data)
        return data

    def setblocking(self, is_blocking: bool) -> None:
        """Set the mode of the socket; one that is closed already stays as it is."""
        if self._socket.fileno() != -1:
            self._socket.setblocking(is_blocking)

    def _start(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._is_file, self._request = False, None
        self._waited, self._received = 0.0, 0

    def _measure_patience(self, seconds: float) -> float:
        if not self._is_file:
            return seconds - self._waited
        return min(self._pace.stall_seconds, seconds + self._received / self._pace.bytes_per_second - self._waited)

    def _give_up(self) -> bytes:
        if self._request is None:
            return b""  # gunicorn takes it for the end, and closes
        self._request.must_close = True
        raise RequestTimeout


class PacedWorker(ThreadWorker):  # type: ignore[misc]
    """A gunicorn worker with threads whose clients keep the pace, named with --worker-class."""

    pace: ClassVar[Pace] = Pace()

    def handle(self, conn: Any) -> Any:
        """Answer one request of a connection, and close it here if it was the last.

        gunicorn itself closes in the thread that takes in new connections, and waits there for each client to close.
        """
        if not conn.initialized and not self.cfg.is_ssl and not isinstance(conn.sock, PacedSocket):
            conn.sock = PacedSocket(conn.sock, self.pace)
        if not isinstance(conn.sock, PacedSocket):
            return super().handle(conn)
        conn.sock.expect_head()
        stays = super().handle(conn)
        conn.sock.expect_nothing()
        if not stays:
            with suppress(OSError):
                close_graceful(conn.sock)
        return stays

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer one request whose headers have come."""
        if not isinstance(conn.sock, PacedSocket):
            return super().handle_request(req, conn)
        conn.sock.expect_body(req)
        try:
            return super().handle_request(req, conn)
        finally:
            conn.sock.expect_nothing()


def expect_file(environ: Mapping[str, Any]) -> None:
    """Let the body of this request take as long as a file does; without our worker nothing is measured."""
    connection = environ.get(_SOCKET)
    if isinstance(connection, PacedSocket):
        connection.expect_file()
