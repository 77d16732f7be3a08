"""The outside monitor hears from us after a finished night, and only then."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from jobs.deadman import ping
from jobs.job import Job
from jobs.runner import run_claimed
from service.domain.errors import Refusal
from service.runtime import Runtime
from service.workflows import job_runs


@pytest.fixture
def monitor() -> Iterator[tuple[str, list[str]]]:
    """A monitor on loopback: its address, and the paths it was asked for."""
    heard: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(404 if "gone" in self.path else 200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_ping_asks_for_the_whole_address(monitor: tuple[str, list[str]]) -> None:
    address, heard = monitor
    assert ping(f"{address}/abc?m=1") is True
    assert heard == ["/abc?m=1"]


def test_a_monitor_that_is_gone_or_unset_is_never_an_exception(monitor: tuple[str, list[str]]) -> None:
    address, _ = monitor
    assert ping(f"{address}/gone") is False
    assert ping(None) is False
    assert ping("ftp://127.0.0.1/x") is False
    assert ping("http://127.0.0.1:1/x") is False


def test_only_a_finished_run_of_a_watched_job_is_told(rt: Runtime, monitor: tuple[str, list[str]]) -> None:
    address, heard = monitor
    watched = replace(rt, settings=replace(rt.settings, deadman_url=f"{address}/night"))

    def run(name: str, *, is_watched: bool, fails: bool) -> None:
        def work(_rt: Runtime, _organization_id: str) -> dict[str, Any]:
            if fails:
                raise Refusal("No.")
            return {}

        job = Job(name, "for a test", 30, work, None, is_watched)
        token = job_runs.claim_run(rt, "lakeside", name, rt.now(), holder="me")
        assert token is not None
        run_claimed(watched, job, "lakeside", rt.now(), token)

    run("failing", is_watched=True, fails=True)
    run("unwatched", is_watched=False, fails=False)
    assert heard == []
    run("nightly", is_watched=True, fails=False)
    assert heard == ["/night"]
