"""The clock as a process: one per SQLite data folder, ended in good order, and no part of the web."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from jobs.entry import cli
from jobs.lock import hold_lock
from service.cli.door import Door
from service.domain.errors import Busy
from service.runtime import Runtime

ROLLCALL = [sys.executable, "-c", "from jobs.entry import main; main()"]


def test_a_second_clock_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with hold_lock(tmp_path), pytest.raises(Busy), hold_lock(tmp_path):
        pass
    with hold_lock(tmp_path):
        pass


def test_a_second_clock_process_ends_with_12_and_a_sentence(rt: Runtime, environ: dict[str, str]) -> None:
    with hold_lock(rt.settings.data_dir):
        result = CliRunner().invoke(cli, ["jobs"], obj=Door(environ))
    assert result.exit_code == 12
    assert "Another clock process" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_clock_with_0(rt: Runtime, environ: dict[str, str], number: int) -> None:
    process = subprocess.Popen(
        [*ROLLCALL, "jobs"], env={**os.environ, **environ}, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert process.stderr is not None
        assert "the clock runs" in process.stderr.readline()
        process.send_signal(number)
        _, rest = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, rest
    assert "the clock has stopped" in rest


def test_one_job_is_run_by_hand_and_an_unknown_one_is_wrong_use(rt: Runtime, environ: dict[str, str]) -> None:
    def run(*args: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["jobs", *args], obj=Door(environ))
        return result.exit_code, result.output

    code, text = run("--once", "expiry", "--org", "lakeside", "--format", "json")
    assert code == 0
    assert '"state": "done"' in text
    assert run("--once", "checkpoint")[0] == 0
    assert run("--once", "horoscope")[0] == 2
    assert run("--once", "expiry", "--org", "nowhere")[0] == 12
    assert run("--org", "lakeside")[0] == 2


def test_a_night_of_an_unconnected_organisation_run_by_hand_ends_with_12(rt: Runtime, environ: dict[str, str]) -> None:
    result = CliRunner().invoke(cli, ["jobs", "--once", "nightly", "--org", "lakeside"], obj=Door(environ))
    assert result.exit_code == 12
    assert "not_connected" in result.output


def test_the_web_process_has_no_scheduler(environ: dict[str, str]) -> None:
    code = "import sys, service.web.wsgi; sys.exit('apscheduler' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
