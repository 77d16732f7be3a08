"""B12: post files of 10 and 60 MB to the real web process, by its real command, and watch its memory.

Run `python tests/benchmarks/bench_upload.py [megabytes ...]`; 64 MiB is the most that is taken. The bytes are a kind
of file that is refused at its first line, and the answer does not wait for that, so that nothing but taking it in is
measured.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent / "kit"))

from measuring import check_equal, print_load, print_target, read_memory

from service.cli.set_up import build_serve_command
from service.domain.people import Actor
from service.runtime import build_runtime
from service.settings import load_settings
from service.storage.raw_files import open_raw_file
from service.workflows.feeds import add_feed
from service.workflows.onboard import add_organization
from service.workflows.people import add_client, issue_token
from service.workflows.set_up import migrate, new_settings

MEGABYTE = 10**6
MEBIBYTE = 2**20
START_SECONDS = 30
OPERATOR = Actor.operator()


class Server(NamedTuple):
    """The web process: where it listens, the token, the worker's pid and the environment it was given."""

    port: int
    token: str
    worker: int
    environ: dict[str, str]


class Upload(NamedTuple):
    """Seconds until the receipt, and by how many bytes the worker's peak has grown by then and until it was read."""

    seconds: float
    grown: int
    grown_later: int


def prepare(folder: Path) -> tuple[dict[str, str], str]:
    environ = new_settings(folder)
    settings = load_settings(environ)
    migrate(settings)
    with build_runtime(settings) as rt:
        add_organization(rt, organization_id="lakeside", name="Lakeside", npi="3905293015", actor=OPERATOR)
        add_feed(rt, "lakeside", feed_id="ehr-daily", mode="snapshot", actor=OPERATOR)
        client = add_client(rt, "lakeside", name="sender", scopes=["feed:write", "status:read"], actor=OPERATOR)
        return environ, issue_token(rt, client.client_id, client.client_secret).access_token


@contextmanager
def serve() -> Iterator[Server]:
    with TemporaryDirectory(prefix="rollcall-bench-") as folder:
        environ, token = prepare(Path(folder))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        command = build_serve_command("127.0.0.1", port)
        process = subprocess.Popen(command, env={**os.environ, **environ}, stderr=subprocess.DEVNULL)
        try:
            wait_until_live(port)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
            yield Server(port, token, int(children.split()[0]), environ)
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def wait_until_live(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/livez")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the web process does not answer")


def ask(server: Server, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    headers = {"Authorization": f"Bearer {server.token}", "Prefer": "respond-async"}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    read = json.loads(answer.read())
    connection.close()
    return answer.status, read


def post(server: Server, body: bytes) -> Upload:
    before = read_memory("VmHWM", server.worker)
    started = time.perf_counter()
    status, receipt = ask(server, "POST", "/api/v1/feeds/ehr-daily/deliveries", body)
    seconds = time.perf_counter() - started
    grown = read_memory("VmHWM", server.worker) - before
    check_equal("status", status, 202)
    while receipt["state"] == "received":
        time.sleep(0.05)
        _, receipt = ask(server, "GET", f"/api/v1/deliveries/{receipt['id']}")
    check_equal("digest", receipt["sha256"], hashlib.sha256(body).hexdigest())
    check_equal("state", receipt["state"], "rejected")
    check_stored(server, str(receipt["id"]), body)
    return Upload(seconds, grown, read_memory("VmHWM", server.worker) - before)


def check_stored(server: Server, delivery_id: str, body: bytes) -> None:
    from service.storage.deliveries import load_delivery

    with build_runtime(load_settings(server.environ)) as rt:
        with rt.database.begin() as connection:
            keys = rt.open_keys(connection, "lakeside")
            stored = load_delivery(connection, "lakeside", delivery_id)
        with open_raw_file(keys, rt.settings.uploads_dir, stored.body_path) as path:
            check_equal("bytes", path.read_bytes() == body, True)


def measure_disk(size: int) -> float:
    """Answers how many megabytes a second the disk takes that the uploads go to, each file on disk when it is done."""
    body = os.urandom(size * MEGABYTE)
    with TemporaryDirectory(prefix="rollcall-bench-") as folder, (Path(folder) / "plain").open("wb") as file:
        started = time.perf_counter()
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
        return size / (time.perf_counter() - started)


def main(sizes: list[int]) -> None:
    print_load("before")
    print(f"the disk alone takes {measure_disk(max(sizes)):.0f} MB/s")
    figures: dict[int, Upload] = {}
    for size in sizes:
        with serve() as server:  # a process of its own for each size: a peak never goes down
            post(server, b"%PDF-1.7\n" + os.urandom(MEGABYTE))  # what is loaded late is loaded now
            figures[size] = figure = post(server, b"%PDF-1.7\n" + os.urandom(size * MEGABYTE))
        grown, later = figure.grown / MEBIBYTE, figure.grown_later / MEBIBYTE
        speed = size / figure.seconds
        print(f"{size} MB in {figure.seconds:.3f} s; peak grew by {grown:.1f} MiB, by {later:.1f} MiB once it was read")
        print_target(f"B12 {size} MB, one client", f"{speed:.0f} MB/s", ">= 200 MB/s", is_met=speed >= 200)
        print_target(f"B12 {size} MB, growth while taken in", f"{grown:.1f} MiB", "<= 64 MiB", is_met=grown <= 64)
    least, most = (figures[edge(sizes)].grown / MEBIBYTE for edge in (min, max))
    spread = abs(most - least)
    print_target("B12 growth does not depend on the size", f"{spread:.1f} MiB", "<= 8 MiB", is_met=spread <= 8)
    print_load("after")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [10, 60])
