"""What the demo starts: an emulator on a thread, the service in a process of its own; both end with the demo."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from service.cli.set_up import build_serve_command
from service.domain.errors import Refusal
from service.emulator.server import Emulator, EmulatorOptions

HOST = "127.0.0.1"
READY_SECONDS = 40.0
STOP_SECONDS = 35.0
_LOOK_EVERY = 0.1


@contextmanager
def run_emulator(data: Path) -> Iterator[Emulator]:
    """Run the stand-in for DPC on a free port; its clock runs and can be moved."""
    with Emulator(EmulatorOptions(data=data, port=0, clock="real")) as emulator:
        yield emulator


class ServiceProcess:
    """The web process of the demo, and where it listens."""

    def __init__(self, environ: Mapping[str, str], port: int, log_file: Path) -> None:
        self.port = port
        self._log_file = log_file
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter with fixed arguments
                build_serve_command(HOST, port),
                env={**keep_plain_environment(os.environ), **environ},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C is for the demo, which then ends its child in good order
            )

    @property
    def address(self) -> str:
        """Where a browser finds the pages."""
        return f"http://{HOST}:{self.port}"

    def wait_until_ready(self) -> None:
        """Return once the service can work; raises Refusal when it ends or takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if self._is_ready():
                return
            time.sleep(_LOOK_EVERY)
        raise Refusal("The service did not start.", next_action=f"Read {self._log_file}.")

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        """End the process by its id and wait for it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def keep_plain_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Answer an environment without anybody else's ROLLCALL_ settings."""
    return {name: value for name, value in environ.items() if not name.startswith("ROLLCALL_")}


def find_free_port() -> int:
    """Answer a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_port_free(port: int) -> bool:
    """True while nobody listens on that loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
