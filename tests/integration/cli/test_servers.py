"""The verbs that stay: they say wrong settings at once, answer on their port, and end with 0 on SIGTERM."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from service.cli.demo_servers import find_free_port
from service.cli.set_up import build_serve_command

ROLLCALL = [sys.executable, "-c", "from jobs.entry import main; main()"]
PATIENCE_SECONDS = 60


def wait_for(port: int, path: str, process: subprocess.Popen[str]) -> int:
    """The status of a GET once somebody answers on that port."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            continue
        finally:
            connection.close()
    raise AssertionError(f"nobody answers: {process.communicate(timeout=5)}")


def run_until_asked(command: list[str], environ: dict[str, str], port: int, path: str) -> tuple[int, int]:
    """The status of one request to what a command starts, and the exit code after SIGTERM."""
    process = subprocess.Popen(
        command, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        status = wait_for(port, path, process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()
    return status, process.returncode


def test_the_service_answers_and_ends_on_sigterm(fresh: Any) -> None:
    port = find_free_port()
    serve = [*ROLLCALL, "serve", "--port", str(port)]
    assert run_until_asked(serve, dict(fresh.environ), port, "/readyz") == (200, 0)


def test_the_service_is_not_started_with_wrong_settings(bare: Any) -> None:
    assert "ROLLCALL_MASTER_KEY" in bare.run("serve", code=15).stderr


def test_the_service_is_one_process_with_a_thread_for_each_of_dozens() -> None:
    command = build_serve_command("127.0.0.1", 8080)
    assert command[:4] == [sys.executable, "-m", "gunicorn", "service.web.wsgi:build_wsgi_app()"]
    assert " ".join(command[4:]).startswith(
        "--worker-class service.web.worker.PacedWorker --workers 1 --threads 64 --graceful-timeout 30"
    )
    assert command[-2:] == ["--bind", "127.0.0.1:8080"]


def test_the_emulator_needs_no_settings_and_ends_on_sigterm(tmp_path: Path) -> None:
    port = find_free_port()
    emulator = [*ROLLCALL, "emulator", "--port", str(port), "--data", str(tmp_path / "emulator.db")]
    assert run_until_asked(emulator, {}, port, "/_emulator/clock") == (200, 0)


def test_an_emulator_that_cannot_start_says_why_in_a_sentence(bare: Any, tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text("{ not json", encoding="utf-8")
    result = bare.run("emulator", "--port", "0", "--faults", str(faults), code=12)
    assert "Traceback" not in result.output
    assert "Next: " in result.stderr
