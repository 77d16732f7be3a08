"""Around every request: head limit, journal, faults, compression, and the emulator's own Date."""

from __future__ import annotations

import gzip
import io
import socket
import threading
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from werkzeug.datastructures import Headers
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.test import run_wsgi_app

from service.emulator.answers import refuse_by_container
from service.emulator.faults import Fault, find_fault
from service.emulator.state import State
from service.emulator.wall import find_refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEAD_LIMIT = 8 * 1024
GZIP_FROM = 256
UNLIMITED = "/api/v2"  # another server, whose contract names no limit for the head
CONTROL = "/_emulator"
ENTRY = "emulator.entry"
MARKS = "emulator.marks"  # a set in which the application may leave the two below
DROPPED = "dropped"  # the emulated server itself crashes
PLAIN = "plain"  # the answer is never compressed

Answer = tuple[int, Headers, bytes]


class Wire:
    """WSGI middleware between the socket and the Flask application."""

    def __init__(self, inner: WSGIApplication, state: State) -> None:
        self.inner = inner
        self.state = state
        self.closing = threading.Event()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_readable = _read_whole_body(environ)
        if environ["PATH_INFO"].startswith(CONTROL):
            return self._send(environ, start_response, self._ask(environ))
        entry = self._open_entry(environ)
        try:
            return self._answer(environ, start_response, entry, is_readable=is_readable)
        finally:
            self.state.keep_entry(entry)

    def _answer(
        self, environ: WSGIEnvironment, start_response: StartResponse, entry: dict[str, Any], *, is_readable: bool
    ) -> Iterable[bytes]:
        status = 431 if _has_long_head(environ) else 200 if is_readable else 400
        if status != 200:
            refusal = refuse_by_container(status, HTTP_STATUS_CODES[status]).to_response()
            entry["status"] = status
            return self._send(environ, start_response, (status, Headers(list(refusal.headers)), refusal.get_data()))
        return self._serve(environ, start_response, entry)

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse, entry: dict[str, Any]) -> Iterable[bytes]:
        refusal = find_refusal(self.state, environ.get("REMOTE_ADDR", ""))
        if refusal is not None:
            entry["fault"], entry["status"] = "waf_budget", refusal.status
            return self._send(environ, start_response, _build_spoiled(refusal))
        with self.state.lock:
            fault = find_fault(self.state.faults, environ["REQUEST_METHOD"], environ["PATH_INFO"])
        entry["fault"] = fault.name if fault else None
        if fault and fault.when == "before":
            self._wait(fault)
        replaced = fault if fault and (fault.cut or fault.status is not None) else None
        is_early = replaced is not None and replaced.when == "before"
        answer = _build_spoiled(replaced) if replaced and is_early else self._ask(environ)
        if fault and fault.when == "after":
            self._wait(fault)
            answer = _build_spoiled(replaced) if replaced else answer
        if DROPPED in environ[MARKS]:
            _cut(environ)
        entry["status"] = None if fault and fault.cut else answer[0]
        return self._send(environ, start_response, answer, fault)

    def _wait(self, fault: Fault) -> None:
        if fault.latency:
            self.closing.wait(fault.latency)

    def _ask(self, environ: WSGIEnvironment) -> Answer:
        body, status, headers = run_wsgi_app(self.inner, environ, buffered=True)
        return int(status.split(" ", 1)[0]), headers, b"".join(body)

    def _send(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        answer: Answer,
        fault: Fault | None = None,
    ) -> Iterable[bytes]:
        if fault and fault.cut:
            _cut(environ)
        status, headers, body = answer
        body = _compress(environ, headers, body)
        promised = _find_promised(environ, headers, body)
        headers["Content-Length"] = str(max(promised, len(body)))
        headers["Date"] = format_date(self.state.clock.now())
        headers["X-Request-Id"] = str(uuid4())
        start_response(f"{status} {HTTP_STATUS_CODES.get(status, 'Unknown')}", list(headers))
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        if fault and fault.truncate:
            return _send_part(environ, body[: len(body) // 2])
        return _send_part(environ, body) if promised > len(body) else [body]

    def _open_entry(self, environ: WSGIEnvironment) -> dict[str, Any]:
        provenance = environ.get("HTTP_X_PROVENANCE")
        with self.state.lock:
            entry: dict[str, Any] = {
                "n": len(self.state.journal) + 1,
                "at": self.state.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "method": environ["REQUEST_METHOD"],
                "path": environ["PATH_INFO"],
                "query": environ.get("QUERY_STRING", ""),
                "status": None,
                "effect": False,
                "organization_id": None,
                "provenance": provenance is not None,
                "provenance_text": provenance,
                "patients": None,
                "request_id": environ.get("HTTP_X_REQUEST_ID"),
                "fault": None,
            }
            self.state.journal.append(entry)
        environ[ENTRY] = entry
        environ[MARKS] = set()
        return entry


def format_date(now: datetime) -> str:
    """An HTTP date, whole seconds in GMT."""
    return format_datetime(now, usegmt=True)


def _read_whole_body(environ: WSGIEnvironment) -> bool:
    """Take the body off the socket, so that a spoiled answer leaves a usable connection, and inflate it.

    False, with an empty body, when it cannot be inflated or its length is no number.
    """
    stream = environ["wsgi.input"]
    try:
        if environ.get("wsgi.input_terminated"):
            body = stream.read()
        else:
            body = stream.read(max(0, int(environ.get("CONTENT_LENGTH") or 0)))
        is_gzip = environ.pop("HTTP_CONTENT_ENCODING", "") == "gzip"
        body, is_readable = gzip.decompress(body) if is_gzip and body else body, True
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile):
        body, is_readable = b"", False
    environ["wsgi.input"] = io.BytesIO(body)
    environ["wsgi.input_terminated"] = True
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    if body or environ.get("CONTENT_LENGTH"):
        environ["CONTENT_LENGTH"] = str(len(body))
    return is_readable


def _has_long_head(environ: WSGIEnvironment) -> bool:
    return _measure_head(environ) > HEAD_LIMIT and not environ["PATH_INFO"].startswith(UNLIMITED)


def _measure_head(environ: WSGIEnvironment) -> int:
    """Bytes of request line and headers as they came over the wire."""
    target = environ.get("REQUEST_URI") or f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
    size = len(environ["REQUEST_METHOD"]) + len(target) + len(" HTTP/1.1\r\n") + 1
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            size += len(name) - len("HTTP_") + len(value) + len(": \r\n")
        elif name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
            size += len(name) + len(value) + len(": \r\n")
    return size


def _build_spoiled(fault: Fault) -> Answer:
    return fault.status or 500, Headers(list(fault.headers.items())), fault.body


def _compress(environ: WSGIEnvironment, headers: Headers, body: bytes) -> bytes:
    settled = "Content-Encoding" in headers or "Content-Range" in headers or PLAIN in environ.get(MARKS, ())
    if settled or len(body) < GZIP_FROM or "gzip" not in environ.get("HTTP_ACCEPT_ENCODING", ""):
        return body
    headers["Content-Encoding"] = "gzip"
    headers["Vary"] = "Accept-Encoding"
    return gzip.compress(body, compresslevel=1, mtime=0)


def _find_promised(environ: WSGIEnvironment, headers: Headers, body: bytes) -> int:
    """The length an answer states although its body is shorter: any HEAD, and a range past the end of a file."""
    if environ["REQUEST_METHOD"] == "HEAD" or "Content-Range" in headers:
        return int(headers.get("Content-Length", len(body)))
    return len(body)


def _cut(environ: WSGIEnvironment) -> None:
    """Close the connection without an answer; the server takes the error for a vanished client."""
    connection: socket.socket | None = environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("the connection was cut on demand")


def _send_part(environ: WSGIEnvironment, part: bytes) -> Iterator[bytes]:
    """Send less than the head promised, and hang up."""
    yield part
    _cut(environ)
