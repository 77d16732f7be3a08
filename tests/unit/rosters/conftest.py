"""A folder of one file per test, and the reading of text as a roster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.domain.identifiers import Environment
from service.rosters.read import check_roster, read_roster
from service.rosters.reading import RosterOptions, RosterReading

ReadText = Callable[..., RosterReading]
CheckText = Callable[..., dict[str, Any]]
SANDBOX = {"environment": Environment.SANDBOX}


def save_text(folder: Path, text: str | bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


@pytest.fixture
def read_text(tmp_path: Path) -> ReadText:
    """Reads text or bytes as a roster of the sandbox; keywords are those of RosterOptions."""

    def read(text: str | bytes, name: str = "roster.csv", **options: Any) -> RosterReading:
        return read_roster(save_text(tmp_path, text, name), RosterOptions(**SANDBOX | options))

    return read


@pytest.fixture
def check_text(tmp_path: Path) -> CheckText:
    """Checks text or bytes as a roster of the sandbox; keywords are those of RosterOptions."""

    def check(text: str | bytes, name: str = "roster.csv", **options: Any) -> dict[str, Any]:
        return check_roster(save_text(tmp_path, text, name), RosterOptions(**SANDBOX | options))

    return check
