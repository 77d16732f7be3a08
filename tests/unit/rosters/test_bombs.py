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


@pytest.mark.parametrize("row", [b"1S00E00AA01,3905293015\n", b'1S00E00AA01,"3905293015\n"\n'], ids=["fast", "careful"])
def test_the_limit_is_one_of_rows_and_not_of_what_stands_around_them(tmp_path: Path, row: bytes) -> None:
    path = tmp_path / "roster.csv"
    for around, error in ((b"", None), (b"\n,\n", None), (b"\nTotal: 2\n\x1a", None), (b"x\n", "too_large")):
        path.write_bytes(ROW + row + around)
        assert read_roster(path, RosterOptions(Environment.SANDBOX, max_rows=2)).file_error == error
    path.write_bytes(ROW + row + b"\n" * 2_000)
    assert read_roster(path, RosterOptions(Environment.SANDBOX, max_rows=2)).file_error == "too_large"
