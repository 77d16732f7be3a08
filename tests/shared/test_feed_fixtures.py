"""Every fixture of a format that is read gives exactly the result that the feed contract lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.domain.identifiers import Environment
from service.rosters.read import check_roster
from service.rosters.reading import RosterOptions

FEEDS = Path(__file__).resolve().parents[3] / "shared" / "dpc" / "samples" / "feeds"
OPTIONS = RosterOptions(Environment.SANDBOX)
READ_FORMATS = ("csv", "x12")


def load_expected() -> dict[str, dict[str, Any]]:
    files: dict[str, dict[str, Any]] = json.loads((FEEDS / "expected.json").read_text("utf-8"))["files"]
    return files


EXPECTED = load_expected() if FEEDS.is_dir() else {}
READ = sorted(name for name, wanted in EXPECTED.items() if wanted["format"] in READ_FORMATS)


@pytest.mark.parametrize("name", READ)
def test_a_fixture_reads_as_the_contract_lists(name: str) -> None:
    assert check_roster(FEEDS / name, OPTIONS) == EXPECTED[name]


def test_fourteen_csv_fixtures_are_among_them() -> None:
    assert sum(EXPECTED[name]["format"] == "csv" for name in READ) == 14
