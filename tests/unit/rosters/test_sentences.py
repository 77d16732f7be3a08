"""What a refused file is told: what is wrong, where the limits are, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from workbooks import build_workbook, write_row

from service.domain.identifiers import Environment
from service.rosters.findings import describe_finding
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions

WORKBOOK = build_workbook({"S": write_row(1, "MBI", "NPI") + write_row(2, "1S00E00AA00", "3990000002")})


def refuse(tmp_path: Path, content: bytes, encoding: str | None = None) -> str:
    path = tmp_path / "roster"
    path.write_bytes(content)
    return describe_finding(read_roster(path, RosterOptions(Environment.SANDBOX, encoding=encoding)).file_error or "")


def test_a_file_that_is_too_large_is_told_the_limits(tmp_path: Path) -> None:
    told = refuse(tmp_path, b"mbi,npi\n" + b"x" * 5_000 + b",\n")
    limits = ("1,000,000 rows", "4,000 columns", "4,096 characters", "65,536 bytes", "256 MiB", "100,000 mostly",
              "4,500,000 values of JSON", "32 levels")  # fmt: skip
    for limit in limits:
        assert limit in told


@pytest.mark.parametrize(
    ("encoding", "content"),
    [("utf-16", b"mbi,npi\n"), ("windows-1252", b"\xef\xbb\xbfmbi,npi\n"), ("utf-8", b"mbi,npi,name\n,,\xd1\n")],
)
def test_another_encoding_than_is_set_speaks_of_the_feed(tmp_path: Path, encoding: str, content: bytes) -> None:
    assert "encoding that its feed is set to" in refuse(tmp_path, content, encoding)


@pytest.mark.parametrize("part", [0.5, 0.75, 0.99])
def test_a_workbook_whose_end_is_lost_is_a_damaged_workbook(tmp_path: Path, part: float) -> None:
    assert "workbook is damaged" in refuse(tmp_path, WORKBOOK[: int(len(WORKBOOK) * part)])
