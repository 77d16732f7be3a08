"""`rollcall receive DIR`: the folder of a bulk export becomes one delivery that says what `rollcall check DIR` says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from export_sets import build_files, join_set, save_export

from service.domain.canonical import write_time

NPI = "3990000002"
MBIS = [f"1S70R00AA{n:02d}" for n in range(20)]
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def lakeside(fresh: Any) -> Any:
    """An organisation whose feed lets patients go at once."""
    fresh.run("org", "add", "lakeside", "--name", "Lakeside", "--npi", "3999999998")
    fresh.run("feed", "add", "ehr", "--org", "lakeside", "--mode", "snapshot", "--absences", "1")
    return fresh


def receive(terminal: Any, path: Path, code: int = 0) -> Any:
    return terminal.ask("receive", str(path), "--org", "lakeside", "--feed", "ehr", code=code)


def save(folder: Path, mbis: list[str], hours: int, **more: Any) -> Path:
    """An export that was made some hours ago."""
    made = {"transactionTime": write_time(NOW - timedelta(hours=hours))}
    return save_export(folder, build_files(mbis, NPI), **made | more)


def test_a_folder_is_delivered_and_the_same_folder_again_is_the_same_delivery(lakeside: Any, tmp_path: Path) -> None:
    folder = save(tmp_path / "export", MBIS, 3)
    checked = lakeside.ask("check", str(folder))
    assert (checked["mode_signal"], checked["present"]) == ("snapshot", [[mbi, NPI] for mbi in MBIS])
    first = receive(lakeside, folder)
    assert (first["state"], first["present_count"], first["remove_count"]) == ("accepted", 20, 0)
    assert first["as_of_at"] == write_time(NOW - timedelta(hours=3))
    again = receive(lakeside, folder)
    assert (again["id"], again["sha256"]) == (first["id"], first["sha256"])
    panel = lakeside.ask("explain", "--org", "lakeside", "--npi", NPI, "--mbi", MBIS[7])
    assert first["id"] in str(panel)


def test_a_later_folder_lets_go_whom_it_leaves_out(lakeside: Any, tmp_path: Path) -> None:
    receive(lakeside, save(tmp_path / "first", MBIS, 3))
    later = receive(lakeside, save(tmp_path / "later", MBIS[:19], 2))
    assert (later["state"], later["absent_count"], later["ended_count"]) == ("accepted", 1, 1)


@pytest.mark.parametrize("more", [{"error": [{"url": "x"}]}, {"request": "x?_since=2026-01-01"}, {"deleted": [{}, {}]}])
def test_a_folder_that_is_not_everybody_lets_nobody_go(lakeside: Any, tmp_path: Path, more: Any) -> None:
    receive(lakeside, save(tmp_path / "first", MBIS, 3))
    later = receive(lakeside, save(tmp_path / "later", MBIS[:19], 2, **more), code=11)
    assert (later["present_count"], bool(later["removals_reason"])) == (19, True)


def test_a_folder_that_lacks_a_file_lets_nobody_go(lakeside: Any, tmp_path: Path) -> None:
    receive(lakeside, save(tmp_path / "first", MBIS, 3))
    folder = save(tmp_path / "later", MBIS, 2)
    (folder / "Practitioner.ndjson").unlink()
    later = receive(lakeside, folder, code=11)
    shown = lakeside.ask("delivery", "show", later["id"], "--org", "lakeside")
    assert (shown["delivery"]["state"], shown["findings"][0]["position"]) == ("held", "Group.ndjson:1#/member/0")


def test_a_joined_folder_is_a_file_like_any_other(lakeside: Any, tmp_path: Path) -> None:
    folder = save(tmp_path / "export", MBIS, 3)
    (tmp_path / "joined").write_bytes(join_set(folder))
    first = receive(lakeside, tmp_path / "joined")
    assert (first["state"], receive(lakeside, folder)["id"]) == ("accepted", first["id"])


def test_a_folder_without_a_manifest_is_refused_with_what_to_do(lakeside: Any, tmp_path: Path) -> None:
    folder = save(tmp_path / "export", MBIS, 3)
    (folder / "manifest.json").unlink()
    answer = lakeside.run("receive", str(folder), "--org", "lakeside", "--feed", "ehr", code=12)
    assert "nobody can tell whether the export is whole" in answer.output and "manifest.json" in answer.output
    assert lakeside.ask("delivery", "list", "--org", "lakeside") == []
