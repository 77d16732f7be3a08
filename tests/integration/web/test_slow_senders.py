"""Whoever sends slowly, or stops, is told so and let go, and does not keep others from being answered."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from web_stage import FEED, FIRST_ROSTER, OURS, OWN_NPIS, write_roster

from service.cli.demo_servers import find_free_port
from service.cli.set_up import THREADS, WORKER, build_serve_command
from service.domain.people import Actor
from service.runtime import build_runtime
from service.settings import load_settings
from service.workflows.feeds import add_feed
from service.workflows.onboard import add_organization
from service.workflows.people import add_client
from service.workflows.set_up import migrate, new_settings

HOST = "127.0.0.1"
KIT = Path(__file__).parents[2] / "kit"
PATIENCE_SECONDS = 60
ROSTER = write_roster(FIRST_ROSTER)
TOKEN_HEAD = (
    b"POST /api/v1/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 1000\r\n\r\n"
)
ALIVE = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
MORE_THAN_THREADS = THREADS + 8


@dataclass(frozen=True)
class Site:
    """A practice with one feed and one machine, in a folder of its own."""

    environ: Mapping[str, str]
    client: tuple[str, str]

    @property
    def uploads_dir(self) -> Path:
        return load_settings(self.environ).uploads_dir


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A practice that can be served."""
    environ = new_settings(tmp_path_factory.mktemp("slow")) | {"ROLLCALL_SECURE_COOKIES": "no"}
    settings, operator = load_settings(environ), Actor.operator()
    migrate(settings)
    with build_runtime(settings) as rt:
        add_organization(rt, organization_id=OURS, name="Lakeside Clinic", npi=OWN_NPIS[0], actor=operator)
        add_feed(rt, OURS, feed_id=FEED, mode="snapshot", actor=operator)
        client = add_client(rt, OURS, name="feeder", scopes=["feed:write"], actor=operator)
    return Site(environ, (client.client_id, client.client_secret))


@contextmanager
def serve(site: Site, worker: str) -> Iterator[int]:
    """The service on a port of its own, with another worker in the place of the usual one."""
    port = find_free_port()
    command = [f"quick_worker.{worker}" if part == WORKER else part for part in build_serve_command(HOST, port)]
    path = os.pathsep.join((str(KIT), os.environ.get("PYTHONPATH", "")))
    environ = {**os.environ, **site.environ, "PYTHONPATH": path}
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(OSError):
                assert ask(port, ALIVE)[0] == 200
                break
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def quick(site: Site) -> Iterator[int]:
    """The port of a service that gives up soon."""
    with serve(site, "QuickWorker") as port:
        yield port


@pytest.fixture(scope="module")
def steady(site: Site) -> Iterator[int]:
    """The port of a service that waits long for each byte, but not for many."""
    with serve(site, "SteadyWorker") as port:
        yield port


@pytest.fixture(scope="module")
def usual(site: Site) -> Iterator[int]:
    """The port of a service with its own patience."""
    with serve(site, "PacedWorker") as port:
        yield port


def call(port: int, sent: bytes) -> socket.socket:
    """A connection over which this was sent."""
    connection = socket.create_connection((HOST, port), timeout=PATIENCE_SECONDS)
    connection.sendall(sent)
    return connection


def hear(connection: socket.socket) -> bytes:
    """All that is answered until the other end closes."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def read(answer: bytes) -> tuple[int, Any]:
    """The status and the document of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body or b"null")


def ask(port: int, sent: bytes) -> tuple[int, Any]:
    """The status and the document that are answered before the connection is closed."""
    with call(port, sent) as connection:
        return read(hear(connection))


def get_bearer(site: Site, port: int) -> str:
    """A token for the machine of the practice."""
    form = urlencode({"grant_type": "client_credentials", "client_id": site.client[0], "client_secret": site.client[1]})
    head = TOKEN_HEAD.replace(b"1000", str(len(form)).encode()).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    status, token = ask(port, head + form.encode())
    assert status == 200
    return str(token["access_token"])


def write_upload(bearer: str, size: int) -> bytes:
    """The head of a posted file of that many bytes."""
    lines = (
        f"POST /api/v1/feeds/{FEED}/deliveries HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {bearer}",
        "Content-Type: text/csv",
        "Prefer: wait=30",
        "Connection: close",
        f"Content-Length: {size}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def check_late(answer: bytes) -> None:
    """The answer is a problem that says what was slow, and ends the connection."""
    status, problem = read(answer)
    assert (status, problem["status"], problem["code"]) == (408, 408, "request_timeout")
    assert problem["detail"] == "What was sent came too slowly, or stopped."
    assert problem["next_action"] == "Send it again without pauses; nothing of it was kept."
    assert b"connection: close" in answer.partition(b"\r\n\r\n")[0].lower()


def test_forms_that_do_not_come_are_given_up_and_others_are_answered(quick: int) -> None:
    with ExitStack() as stack:
        waiting = [stack.enter_context(call(quick, TOKEN_HEAD + b"g")) for _ in range(MORE_THAN_THREADS)]
        assert ask(quick, ALIVE)[0] == 200
        for connection in waiting:
            check_late(hear(connection))


def test_heads_that_do_not_come_are_given_up_and_others_are_answered(quick: int) -> None:
    with ExitStack() as stack:
        waiting = [stack.enter_context(call(quick, ALIVE[:-2] + b"X-Long: a")) for _ in range(MORE_THAN_THREADS)]
        assert ask(quick, ALIVE)[0] == 200
        assert {hear(connection) for connection in waiting} == {b""}


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_file_that_stops_is_given_up_and_nothing_of_it_is_kept(site: Site, quick: int, framing: str) -> None:
    before = list(site.uploads_dir.rglob("*.*"))
    head = write_upload(get_bearer(site, quick), len(ROSTER))
    sent = head + ROSTER[:100]
    if framing == "chunks":
        sent = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head) + b"64\r\n" + ROSTER[:100] + b"\r\n"
    with call(quick, sent) as connection:
        check_late(hear(connection))
    assert list(site.uploads_dir.rglob("*.*")) == before


def test_a_file_that_comes_by_single_bytes_is_given_up(site: Site, steady: int) -> None:
    with call(steady, write_upload(get_bearer(site, steady), 1_000_000)) as connection:
        connection.settimeout(0.02)
        answer = b""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not answer and time.monotonic() < deadline:
            connection.sendall(b"1")
            with suppress(TimeoutError):
                answer = connection.recv(65_536)
        connection.settimeout(PATIENCE_SECONDS)
        check_late(answer + hear(connection))


def test_a_file_that_comes_in_pieces_is_taken(site: Site, usual: int) -> None:
    with call(usual, write_upload(get_bearer(site, usual), len(ROSTER))) as connection:
        for start in range(0, len(ROSTER), 400):
            connection.sendall(ROSTER[start : start + 400])
        status, delivery = read(hear(connection))
    assert (status, delivery["size"], delivery["present_count"]) == (202, len(ROSTER), 20)


def test_without_a_token_nobody_waits_for_the_file(usual: int) -> None:
    assert ask(usual, write_upload("nobody", len(ROSTER)))[0] == 401


def test_a_connection_may_be_used_again(usual: int) -> None:
    with call(usual, ALIVE.replace(b"Connection: close\r\n", b"")) as connection:
        answers = b""
        while not answers.endswith(b"}\n"):  # the whole document of the first answer
            answers += connection.recv(65_536)
        connection.sendall(ALIVE)
        answers += hear(connection)
    assert answers.count(b"HTTP/1.1 200") == 2
