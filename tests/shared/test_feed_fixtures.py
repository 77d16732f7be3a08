"""Every fixture gives exactly the result that the feed contract lists, from the reader and from the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from service.domain.identifiers import Environment
from service.rosters.read import check_roster
from service.rosters.reading import RosterOptions

FEEDS = Path(__file__).resolve().parents[3] / "shared" / "dpc" / "samples" / "feeds"
OPTIONS = RosterOptions(Environment.SANDBOX)


def load_expected() -> dict[str, dict[str, Any]]:
    files: dict[str, dict[str, Any]] = json.loads((FEEDS / "expected.json").read_text("utf-8"))["files"]
    return files


EXPECTED = load_expected() if FEEDS.is_dir() else {}
READ = sorted(EXPECTED)


@pytest.mark.parametrize("name", READ)
def test_a_fixture_reads_as_the_contract_lists(name: str) -> None:
    assert check_roster(FEEDS / name, OPTIONS) == EXPECTED[name]


@pytest.mark.parametrize("name", READ)
def test_the_command_prints_what_the_contract_lists(name: str) -> None:
    from service.cli.main import cli

    result = CliRunner().invoke(cli, ["check", str(FEEDS / name), "--format", "json"])
    assert json.loads(result.stdout) == EXPECTED[name]
    assert result.exit_code == (12 if EXPECTED[name]["file_error"] else 0)


def test_all_thirty_three_fixtures_are_among_them() -> None:
    assert len(READ) == 33
