"""POST /api/v1/feeds/{feed}/deliveries with a bulk export as its body."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from export_sets import build_files, build_manifest, join_set, save_export, write_lines
from web_stage import FEED, WELLS, Stage, write_mbi

from service.domain.canonical import write_time

MBIS = [write_mbi(n) for n in range(12)]
FILES = build_files(MBIS, WELLS)


def post(stage: Stage, body: bytes, content_type: str = "application/fhir+ndjson") -> Any:
    headers = stage.bearer("feeder") | {"Content-Type": content_type}
    answer = stage.browse().post(f"/api/v1/feeds/{FEED}/deliveries", data=body, headers=headers)
    stage.settle()
    followed = stage.browse().get(answer.headers["Location"], headers=stage.bearer("feeder"))
    return followed.json


def concatenate(manifest: Any) -> bytes:
    return b"\n".join([json.dumps(manifest, indent=1).encode(), *map(write_lines, FILES.values())])


@pytest.mark.parametrize("content_type", ["application/fhir+ndjson", "application/x-ndjson", "application/json"])
def test_a_manifest_with_its_files_behind_it_is_accepted(stage: Stage, content_type: str) -> None:
    made = write_time(stage.runtime.now())
    found = post(stage, concatenate(build_manifest(FILES, transactionTime=made)), content_type)
    assert (found["state"], found["present_count"], found["as_of_at"]) == ("accepted", 12, made)


def test_what_is_delivered_of_a_folder_can_be_posted(stage: Stage, tmp_path: Path) -> None:
    folder = save_export(tmp_path / "export", FILES, transactionTime=write_time(stage.runtime.now()))
    found = post(stage, join_set(folder))
    assert (found["state"], found["present_count"], found["error_count"]) == ("accepted", 12, 0)


def test_an_export_since_a_date_lets_nobody_go(begun: Stage) -> None:
    manifest = build_manifest(FILES, transactionTime=write_time(begun.runtime.now()), request="x/$export?_since=2026")
    found = post(begun, concatenate(manifest))
    assert (found["ended_count"], found["state"] == "held" or bool(found["removals_reason"])) == (0, True)


def test_a_manifest_alone_is_refused_with_what_to_send(stage: Stage) -> None:
    found = post(stage, json.dumps(build_manifest(FILES)).encode(), "application/json")
    assert (found["state"], found["file_error"]) == ("rejected", "unsupported_format_ndjson")
