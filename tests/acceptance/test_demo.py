"""`rollcall demo`: the whole story over real sockets, in a process of its own, with its numbers compared."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jobs.entry import cli
from service.cli.demo_servers import find_free_port
from service.cli.door import Door
from service.emulator.server import Emulator, EmulatorOptions

ROLLCALL = [sys.executable, "-c", "from jobs.entry import main; main()"]
SIZE = ["--practitioners", "2", "--patients", "10"]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], subprocess.CompletedProcess[str]]:
    """One run of the demo: its folder, its summary and how it ended."""
    folder = tmp_path_factory.mktemp("demo")
    summary = folder / "summary.json"
    command = [*ROLLCALL, "demo", "--no-serve", "--directory", str(folder / "it"), "--summary", str(summary), *SIZE]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder / "it", json.loads(summary.read_text(encoding="utf-8")), ended


def read_environment(folder: Path) -> dict[str, str]:
    """What a shell sees after `set -a; . DIR/env`."""
    script = f'set -a; . "{folder}/env"; env'
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.defpath})
    lines = (line.split("=", 1) for line in shell.stdout.splitlines())
    return {name: value for name, value in lines if name.startswith("ROLLCALL_")}


def test_the_summary_says_exactly_what_happened(played: Any) -> None:
    _, summary, _ = played
    seconds = summary.pop("seconds")
    requests = summary.pop("requests_to_dpc")
    entries = summary["ledger"].pop("entries")
    assert summary == {
        "organizations": 1,
        "deliveries": 7,
        "pairs_accepted": 10 + 13 + 14 + 14 + 1,
        "findings": 4,
        "plans": 4,
        "changes": {
            "register": 2 + 10 + 5 + 1 + 1,
            "create": 2,
            "add": 10 + 5 + 1 + 1,
            "renew": 8,
            "remove": 2,
            "overwrite": 0,
        },
        "attestations": 2 + 2 + 1 + 3,
        "held": 1,
        "ledger": {"verified": True},
        "converged": True,
    }
    assert 0 < seconds < 60
    assert requests > 10
    assert entries > 20


def test_the_story_is_told_without_a_patients_number_or_a_password(played: Any) -> None:
    _, _, ended = played
    assert "held for a person" in ended.stdout
    assert "Second reconcile: nothing" in ended.stdout
    assert "1S7" not in ended.stdout + ended.stderr


def test_every_verb_works_on_what_the_demo_left(played: Any) -> None:
    folder, _, _ = played
    environ = read_environment(folder)
    port = int(environ["ROLLCALL_CLOCK"].rpartition(":")[2])
    with Emulator(EmulatorOptions(data=folder / "emulator.db", port=port)):
        for verb, code in (
            (["doctor"], 0),
            (["ledger", "verify"], 0),
            (["reconcile", "--org", "lakeside", "--dry-run"], 0),
            (["delivery", "list", "--org", "lakeside", "--state", "held"], 0),
            (["report", "expiring", "--org", "lakeside"], 0),
            (["plan", "show", "4"], 0),
            (["receive", str(folder / "rosters" / "06_cut_off.csv"), "--org", "lakeside", "--feed", "ehr-daily"], 11),
        ):
            result = CliRunner().invoke(cli, verb, obj=Door(environ))
            assert result.exit_code == code, result.output


def test_a_folder_that_holds_a_demo_is_not_played_over(played: Any) -> None:
    folder, _, _ = played
    result = CliRunner().invoke(cli, ["demo", "--no-serve", "--directory", str(folder), *SIZE], obj=Door({}))
    assert result.exit_code == 12


def test_too_few_patients_for_the_story_are_refused() -> None:
    result = CliRunner().invoke(cli, ["demo", "--practitioners", "4", "--patients", "10"], obj=Door({}))
    assert result.exit_code == 2
    assert "Next: " in result.stderr


def test_a_served_demo_shows_address_and_logins_and_ends_its_children(tmp_path: Path) -> None:
    port = find_free_port()
    command = [*ROLLCALL, "demo", "--port", str(port), "--directory", str(tmp_path / "it"), *SIZE]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                break
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    text = "".join(said)
    assert f"http://127.0.0.1:{port}" in text
    for email in ("officer@lakeside.example", "reviewer@lakeside.example", "admin@lakeside.example"):
        assert email in text
    assert process.returncode == 0, text + rest
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=2)
