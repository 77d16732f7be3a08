"""Files made to exhaust a reader are refused within little processor time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bombs import BOMBS, ROW

from service.domain.identifiers import Environment
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions

CPU_SECONDS = 2.0
GROWTH_BYTES = 64 << 20
TESTS = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("child_read.py")


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_little_time_and_memory(tmp_path: Path, name: str) -> None:
    build, error = BOMBS[name]
    path = tmp_path / "roster.csv"
    path.write_bytes(build())
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS / "kit"), str(TESTS.parent)])}
    answer = subprocess.run([sys.executable, str(CHILD), str(path)], env=environ, check=True, capture_output=True)
    found = json.loads(answer.stdout)
    assert (found["error"], found["rows"]) == (error, 0)
    assert found["seconds"] < CPU_SECONDS
    assert found["growth"] < GROWTH_BYTES


def test_odd_but_honest_bytes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    for content in (
        ROW.decode().encode("utf-16"),
        b"\xef\xbb\xbf" + ROW,
        ROW.replace(b"\n", b"\r", 1),
        ROW + b"\r\n\r",
    ):
        path.write_bytes(content)
        reading = read_roster(path, RosterOptions(Environment.SANDBOX))
        assert (reading.file_error, len(reading.present)) == (None, 1)


def test_rows_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(ROW + b"1S00E00AA01,3905293015\n" * 10)
    assert read_roster(path, RosterOptions(Environment.SANDBOX, max_rows=10)).file_error == "too_large"
    assert read_roster(path, RosterOptions(Environment.SANDBOX, max_rows=11)).file_error is None
    path.write_bytes(ROW + b'"1S00E00AA01",3905293015\r' * 60_000)
    assert read_roster(path, RosterOptions(Environment.SANDBOX, max_rows=50_000)).file_error == "too_large"
