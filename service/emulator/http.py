"""One connection: HTTP/1.1 with keep-alive, which werkzeug's own handler does not do, and no chatter."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.serving import WSGIRequestHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger("rollcall.emulator")

IDLE_SECONDS = 30  # contract-v1 1.1


class KeepAliveHandler(WSGIRequestHandler):
    """Relies on the wire middleware: bodies are read whole and every answer has its length."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        _connections(self.server).add(self.connection)

    def finish(self) -> None:
        _connections(self.server).discard(self.connection)
        try:
            super().finish()
        except OSError:
            log.debug("a connection was already closed")

    def make_environ(self) -> WSGIEnvironment:
        environ = super().make_environ()
        provenance = self.headers.get("X-Provenance")
        if provenance is not None:  # of a repeated header only the first counts (contract-v1 9.1)
            environ["HTTP_X_PROVENANCE"] = provenance
        return environ

    def run_wsgi(self) -> None:
        """Answer one request and leave the connection usable, unless something was cut."""
        if self.headers.get("Expect", "").strip().lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        self.environ = self.make_environ()
        try:
            self._write_answer(self.server.app(self.environ, self._start_response))
        except ConnectionError:
            self.close_connection = True
        except Exception:
            self.close_connection = True
            log.exception("unforeseen")

    def _start_response(self, status: str, headers: list[tuple[str, str]], _exc_info: object = None, /) -> Any:
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        return self.wfile.write

    def _write_answer(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            self.wfile.write(chunk)
            self.wfile.flush()
        self.wfile.flush()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: the journal remembers."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing about connections that break: that is what faults do."""


def _connections(server: Any) -> set[socket.socket]:
    connections: set[socket.socket] = server.__dict__.setdefault("open_connections", set())
    return connections


def list_connections(server: Any) -> list[socket.socket]:
    """The connections open at this moment."""
    return list(_connections(server))
