"""A process killed with SIGKILL while it takes a file in: the delivery exists complete, or not at all."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from practice import ADA, OPERATOR, Practice, build_mbi, write_roster
from process import TESTS, write_environ

from service.workflows.deliveries import find_deliveries
from service.workflows.digest import digest_delivery
from service.workflows.receive import Upload, receive
from service.workflows.tidy import LONGEST_UPLOAD, delete_orphans

CHILD = TESTS / "faults" / "child_receive.py"
MEBIBYTE = 1 << 20
HEADINGS, *ROWS = write_roster({ADA: range(800)}).splitlines(keepends=True)
ROSTER = b"".join([b"Note," + HEADINGS, *(b"long" * 1000 + b"," + row for row in ROWS)])
"""A little over three mebibytes, which are sealed in four pieces; most of it is a column of notes."""


def take_in(practice: Practice, path: Path, when: str, n: int) -> subprocess.CompletedProcess[bytes]:
    path.write_bytes(ROSTER)
    return subprocess.run(
        [sys.executable, str(CHILD), str(path), when, str(n)],
        env=write_environ(practice),
        capture_output=True,
        timeout=60,
        check=False,
    )


def list_files(practice: Practice) -> list[Path]:
    return sorted(practice.rt.settings.uploads_dir.glob("lakeside/*"))


NOTHING = [("byte", 0), ("byte", 1), ("byte", MEBIBYTE), ("byte", 2 * MEBIBYTE + 17), ("byte", len(ROSTER) - 1)]
NOTHING += [("before", 1), ("before", 2)]


@pytest.mark.parametrize(("when", "n"), NOTHING, ids=lambda value: str(value))
def test_a_process_killed_too_early_has_received_nothing(practice: Practice, tmp_path: Path, when: str, n: int) -> None:
    child = take_in(practice, tmp_path / "roster.csv", when, n)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    assert find_deliveries(practice.rt, "lakeside") == []
    receipt = receive(practice.rt, "lakeside", "ehr", io.BytesIO(ROSTER), Upload(), OPERATOR)
    assert receipt.is_new
    assert digest_delivery(practice.rt, "lakeside", receipt.delivery.id).present_count == 800
    delete_orphans(practice.rt, "lakeside", before=datetime.now(UTC) + timedelta(minutes=1))
    assert len(list_files(practice)) == 1


def test_a_process_killed_after_the_receipt_is_recorded_has_received_all(practice: Practice, tmp_path: Path) -> None:
    child = take_in(practice, tmp_path / "roster.csv", "after", 2)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    (delivery,) = find_deliveries(practice.rt, "lakeside")
    assert delete_orphans(practice.rt, "lakeside", before=datetime.now(UTC) + timedelta(minutes=1)) == 0
    assert digest_delivery(practice.rt, "lakeside", delivery.id).present_count == 800


def test_the_remains_are_sealed_and_deleted_only_when_nobody_can_be_writing_them(
    practice: Practice, tmp_path: Path
) -> None:
    child = take_in(practice, tmp_path / "roster.csv", "byte", 2 * MEBIBYTE)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    (remains,) = list_files(practice)
    assert remains.suffix == ".partial"
    assert build_mbi(1).encode() not in remains.read_bytes()
    assert delete_orphans(practice.rt, "lakeside") == 0
    long_ago = datetime.now(UTC) - LONGEST_UPLOAD - timedelta(minutes=1)
    os.utime(remains, (long_ago.timestamp(), long_ago.timestamp()))
    assert delete_orphans(practice.rt, "lakeside") == 1
    assert list_files(practice) == []


def test_another_organisations_files_are_left_alone(practice: Practice) -> None:
    folder = practice.rt.settings.uploads_dir / "hillside"
    folder.mkdir(parents=True)
    (folder / "0.sealed").write_bytes(b"x")
    assert delete_orphans(practice.rt, "lakeside", before=datetime.now(UTC) + timedelta(minutes=1)) == 0
    assert (folder / "0.sealed").exists()
