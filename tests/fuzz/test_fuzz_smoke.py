"""The fuzzer finds nothing in a short run on every reader, and does find a fault that was planted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

SCRIPT = Path(__file__).with_name("fuzz_readers.py")
RUNS = 2_000
PLANTED_RUNS = 20_000
"""At most: it ends with the fault, which comes far earlier."""
PLANTED = {
    "delimited": "mbi_missing",
    "workbook": "npi_format",
    "json_pairs": "npi_format",
    "fhir": "mbi_length",
    "hl7v2": "dob_unparseable",
}
"""Codes that no input to begin with earns: the fuzzer must come by them itself."""


def run_fuzzer(folder: Path, *arguments: str, runs: int = RUNS) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments, "--keep", str(folder), f"-runs={runs}", "-seed=7"]
    environ = os.environ | {"PYTHONHASHSEED": "0"}  # the same run every time
    return subprocess.run(command, env=environ, capture_output=True, text=True, errors="replace", timeout=240)


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_finds_nothing(tmp_path: Path, name: str) -> None:
    answer = run_fuzzer(tmp_path, name)
    assert answer.returncode == 0, answer.stderr[-2_000:]
    assert f"Done {RUNS} runs" in answer.stderr
    assert "WARNING: no interesting inputs" not in answer.stderr


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_and_kept(tmp_path: Path, name: str) -> None:
    answer = run_fuzzer(tmp_path, name, "--planted", PLANTED[name], runs=PLANTED_RUNS)
    assert answer.returncode != 0
    assert "PlantedFault" in answer.stdout + answer.stderr
    assert list((tmp_path / name).glob("crash-*"))
