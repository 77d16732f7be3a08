"""Files made to exhaust a reader are refused and kept as rejected, or never taken in, and cost others nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from bombs import BOMBS
from measuring import measure_slowness, read_memory
from web_stage import FEED, FIRST_ROSTER, Stage, write_roster

from service.web.security import UPLOAD_LIMIT

ADDRESS = f"/api/v1/feeds/{FEED}/deliveries"
CPU_SECONDS = 4.0
"""Two for the reader, which has a test of its own, and as much for sealing, hashing and opening 64 MiB."""
GROWTH_BYTES = 64 << 20
NAMES = [
    "count of strings",
    "nested zip", "gzip of zeros", "shared string", "hardly filled rectangle", "row of a million columns",
    "line of 100 MB", "line of 60 MB behind a row", "json depth", "integer of a million digits",
    "keys that are read over", "million laughs", "file entity", "url entity", "entities in a sheet", "nul bytes",
    "utf-16 of lines", "lone returns", "message of many segments",
]  # fmt: skip
"""One of each kind; all of them are read in the test of the readers."""


def post(stage: Stage, path: Path) -> tuple[int, str, dict[str, object]]:
    """Post a file as a machine does that waits; answers the status, the code of a problem, and what became of it."""
    headers = stage.bearer("feeder") | {"Prefer": "wait=30"}
    with path.open("rb") as stream:
        answer = stage.browse().post(ADDRESS, input_stream=stream, content_length=path.stat().st_size, headers=headers)
    stage.settle()
    code = str((answer.json or {}).get("code", ""))
    if "Location" not in answer.headers:
        return answer.status_code, code, {}
    followed = stage.browse().get(answer.headers["Location"], headers=stage.bearer("feeder"))
    return answer.status_code, code, followed.json or {}


@pytest.mark.parametrize("name", NAMES)
def test_a_bomb_is_refused_with_its_reason(stage: Stage, tmp_path: Path, name: str) -> None:
    build, error = BOMBS[name]
    path = tmp_path / "roster"
    path.write_bytes(build())
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    slowness = measure_slowness()
    before, start = read_memory("VmRSS"), time.process_time()
    status, code, found = post(stage, path)
    spent, growth = time.process_time() - start, read_memory("VmHWM") - before
    if path.stat().st_size > UPLOAD_LIMIT:
        assert (status, code, found) == (413, "request_entity_too_large", {})
    else:
        assert (status, code, found["state"], found["file_error"]) == (422, error, "rejected", error)
        assert (found["present_count"], found["remove_count"]) == (0, 0)
    assert spent < CPU_SECONDS * max(slowness, measure_slowness())
    assert growth < GROWTH_BYTES


POISON = {
    "a count that no column holds": (b'{"count":10000000000000000000000,"pairs":[]}', "held"),
    "a trailer with a number that no column holds": (
        b"mbi,npi\n1S00E00AA00,3905293015\nTotal,390529301512\n",
        "held",
    ),
    "a sequence that no index holds": (b'{"sequence":"' + b"7" * 3_000 + b'","pairs":[]}', "rejected"),
    "a sequence that no database holds": (b'{"sequence":"\\u0000","pairs":[]}', "rejected"),
    "a year that no calendar has": (
        b'{"resourceType":"Group","member":[{"entity":{},"period":{"end":"9999999999"}}]}',
        "held",
    ),
    "a total that no column holds": (b'{"resourceType":"Bundle","total":10000000000000000000000,"entry":[]}', "held"),
}
"""Files that once ended in an exception while they were read: they stayed waiting, with all that came behind them."""


@pytest.mark.parametrize("name", POISON)
def test_no_file_keeps_those_behind_it_waiting(stage: Stage, tmp_path: Path, name: str) -> None:
    content, state = POISON[name]
    path = tmp_path / "roster"
    path.write_bytes(content)
    assert post(stage, path)[2]["state"] == state
    path.write_bytes(write_roster(FIRST_ROSTER))
    assert post(stage, path)[2]["state"] == "accepted"
