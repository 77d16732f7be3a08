"""Starting and stopping an emulator on a loopback socket, and controlling it from Python."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
from flask import Flask
from sqlalchemy.exc import DBAPIError
from werkzeug.serving import BaseWSGIServer, make_server

from service.emulator.app import build_app
from service.emulator.clock import Clock, move_by
from service.emulator.control.onboarding import create_key, create_organization, create_second_group
from service.emulator.faults import read_fault
from service.emulator.http import KeepAliveHandler, list_connections
from service.emulator.preview.calls import create_token
from service.emulator.state import Limits, State
from service.emulator.v1.exports.outcomes import save_outcome
from service.emulator.v2.access.portal import create_system

DEFAULT_PORT = 3002


@dataclass
class EmulatorOptions:
    """How an emulator starts; `data` None keeps everything in memory, `port` 0 takes a free one.

    A database that exists keeps its clock and, where an option is -1, its limits. `faults` is a JSON file
    with one fault or a list of them (see `service.emulator.faults`).
    """

    data: Path | None = None
    port: int = 0
    clock: str = "real"
    seed: int = 1
    patient_limit: int = -1
    provider_limit: int = -1
    faults: Path | None = None
    host: str = "127.0.0.1"


class Emulator:
    """A stand-in for DPC; a context manager that serves while it is entered."""

    def __init__(self, options: EmulatorOptions | None = None) -> None:
        self.options = options or EmulatorOptions()
        clock = Clock()
        clock.set_mode(self.options.clock)
        limits = Limits(self.options.patient_limit, self.options.provider_limit)
        self.state = State(self.options.data, self.options.seed, clock, limits)
        self.app: Flask = build_app(self.state)
        self.base_url = f"http://{self.options.host}:{self.options.port or DEFAULT_PORT}"
        self.state.public_url = self.base_url + "/api"
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        if self.options.faults:
            wishes = orjson.loads(self.options.faults.read_bytes())
            self.add_faults(wishes if isinstance(wishes, list) else [wishes])

    @property
    def v1_url(self) -> str:
        """The base of version 1, without a final slash."""
        return self.base_url + "/api/v1"

    @property
    def v2_url(self) -> str:
        """The base of version 2, without a final slash."""
        return self.base_url + "/api/v2"

    @property
    def preview_url(self) -> str:
        """The base of the preview, without a final slash."""
        return self.base_url + "/fhir/v1"

    def start(self) -> Self:
        """Listen, and serve on threads of its own."""
        server = make_server(
            self.options.host, self.options.port, self.app, threaded=True, request_handler=KeepAliveHandler
        )
        self._server = server
        self.base_url = f"http://{self.options.host}:{server.server_port}"
        self.state.public_url = self.base_url + "/api"
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="emulator", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening, close every connection and the database; what was committed stays."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is not None:
            self.app.wsgi_app.closing.set()  # type: ignore[attr-defined]
            server.shutdown()
            server.server_close()
            for connection in list_connections(server):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        if thread is not None:
            thread.join()
        self.state.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def now(self) -> datetime:
        """The emulated instant, in UTC."""
        return self.state.clock.now()

    def advance(self, duration: str | timedelta) -> datetime:
        """Move the clock by an ISO 8601 duration or a timedelta; what becomes due runs. Answers the new now."""

        def turn(clock: Clock) -> None:
            now = clock.now()
            clock.set_now(now + duration if isinstance(duration, timedelta) else move_by(now, duration))

        self.state.change_clock(turn)
        return self.now()

    def set_clock(self, at: datetime, mode: str | None = None) -> None:
        """Make `at` the present, and freeze or let run if `mode` is given."""

        def turn(clock: Clock) -> None:
            if mode is not None:
                clock.set_mode(mode)
            clock.set_now(at)

        self.state.change_clock(turn)

    def log(self) -> list[dict[str, Any]]:
        """Copies of the journal's entries, in order of arrival (see GET /_emulator/log)."""
        with self.state.lock:
            return [dict(entry) for entry in self.state.journal]

    def count_connections(self) -> int:
        """How many connections are open; one whose client died stays until its last request is done."""
        return len(list_connections(self._server)) if self._server is not None else 0

    def add_fault(self, wish: dict[str, Any]) -> None:
        """Add one fault. Raises ValueError naming what is wrong (see `service.emulator.faults`)."""
        self.add_faults([wish])

    def add_faults(self, wishes: Iterable[dict[str, Any]]) -> None:
        """Add faults after those already there. Raises ValueError."""
        faults = [read_fault(wish) for wish in wishes]
        with self.state.lock:
            self.state.faults.extend(faults)

    def clear_faults(self) -> None:
        """Back to an honest server."""
        with self.state.lock:
            self.state.faults.clear()

    def set_limits(self, patient_limit: int | None = None, provider_limit: int | None = None) -> None:
        """Change the limits given; -1 is none."""
        with self.state.begin() as connection:
            if patient_limit is not None:
                self.state.limits.patient_limit = patient_limit
            if provider_limit is not None:
                self.state.limits.provider_limit = provider_limit
            self.state.save_settings(connection)

    def change_settings(self, **settings: int) -> None:
        """Set limits and knobs (see `service.emulator.state.Knobs`). Raises ValueError."""
        self.state.change_settings(settings)

    def set_outcome(self, mbi: str, outcome: str) -> None:
        """Script what exports say about a patient: see `service.emulator.v1.exports.outcomes`. Raises ValueError."""
        with self.state.begin() as connection:
            save_outcome(connection, mbi, outcome)

    def create_organization(self, npi: str, name: str) -> tuple[str, str]:
        """An organisation as the portal registers it: its id and its first client token."""
        with self.state.begin() as connection:
            return create_organization(connection, self.state, npi, name)

    def add_key(self, organization_id: str, pem: str, signature: str, label: str | None = None) -> str:
        """The id of a new public key; refused like POST /Key refuses (contract-v1 4.8)."""
        wish = {"key": pem, "signature": signature, "label": label}
        with self.state.begin() as connection:
            key_id: str = create_key(connection, self.state, organization_id, wish)["id"]
            return key_id

    def add_group(self, organization_id: str, npi: str) -> str:
        """The id of one more empty Group for a practitioner: what two racing POSTs leave (contract-v1 9.4)."""
        with self.state.begin() as connection:
            return create_second_group(connection, organization_id, npi)

    def create_v2_system(self, organization_id: str, pem: str, signature: str) -> dict[str, str]:
        """What version 2 asks for: `system_id`, `client_token` and `key_id`; refused with contract-v2 3.1's reasons."""
        wish = {"key": pem, "signature": signature}
        with self.state.begin() as connection:
            return create_system(connection, self.state, organization_id, wish)

    def create_preview_token(self, organization_id: str) -> str:
        """A bearer token for the preview, as its operator hands it out."""
        with self.state.begin() as connection:
            return create_token(connection, organization_id)

    def golden_macaroon(self) -> str:
        """The admin macaroon in its text form."""
        return self.state.build_golden()

    def reset(self) -> None:
        """Forget organisations, requests and faults."""
        self.state.reset()


def _open(options: EmulatorOptions) -> Emulator:
    try:
        return Emulator(options)
    except DBAPIError as error:
        raise ValueError(f"its data file cannot be used ({error.orig})") from None


def serve_forever(options: EmulatorOptions) -> None:
    """Serve until SIGTERM or SIGINT; says its address in one line.

    The signals are blocked in every thread and waited for: one that is delivered to another thread does not wake a main
    thread that waits for a lock, and its handler would never run.
    """
    ends = {signal.SIGTERM, signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        with _open(options) as emulator:
            bases = f"v1 at {emulator.v1_url}, v2 at {emulator.v2_url}, preview at {emulator.preview_url}"
            sys.stdout.write(f"DPC emulator listening on {emulator.base_url} ({bases})\n")
            sys.stdout.flush()
            signal.sigwait(ends)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
