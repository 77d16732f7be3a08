"""One scenery per run, one stage per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from web_stage import Scenery, Stage, build_scenery, open_stage, plan_later, play_on


@pytest.fixture(scope="session")
def scenery(tmp_path_factory: pytest.TempPathFactory) -> Scenery:
    return build_scenery(tmp_path_factory.mktemp("scenery"))


@pytest.fixture(scope="session")
def begun_scenery(scenery: Scenery, tmp_path_factory: pytest.TempPathFactory) -> Scenery:
    return play_on(scenery, tmp_path_factory.mktemp("begun"), Stage.begin)


@pytest.fixture(scope="session")
def planned_scenery(begun_scenery: Scenery, tmp_path_factory: pytest.TempPathFactory) -> Scenery:
    return play_on(begun_scenery, tmp_path_factory.mktemp("planned"), plan_later)


@pytest.fixture
def stage(scenery: Scenery, tmp_path: Path) -> Iterator[Stage]:
    """Two practices on their first day: nothing has arrived yet."""
    with open_stage(scenery, tmp_path / "stage") as opened:
        yield opened


@pytest.fixture
def begun(begun_scenery: Scenery, tmp_path: Path) -> Iterator[Stage]:
    """The first roster is attributed at DPC: twelve patients of Wells, eight of Rivers."""
    with open_stage(begun_scenery, tmp_path / "stage") as opened:
        yield opened


@pytest.fixture
def planned(planned_scenery: Scenery, tmp_path: Path) -> Iterator[Stage]:
    """A plan waits for a signature: renewals and five adds; six removals are held and need two people."""
    with open_stage(planned_scenery, tmp_path / "stage") as opened:
        yield opened
