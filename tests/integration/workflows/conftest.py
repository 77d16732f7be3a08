"""Practices in the states that the verbs start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from changing_mbis import OF_ADA, OF_BRUNO
from photograph import Photograph, restore_photograph, take_photograph
from practice import ADA, BRUNO, OPERATOR, Practice

from service.emulator.server import Emulator
from service.workflows.feeds import add_feed

PANELS = {ADA: range(1, 13), BRUNO: range(20, 26)}


@pytest.fixture(scope="session")
def delivered_photograph(
    emulator_server: Emulator, connected: Photograph, tmp_path_factory: pytest.TempPathFactory
) -> Photograph:
    """Taken when the first roster was accepted."""
    with restore_photograph(emulator_server, connected, tmp_path_factory.mktemp("delivered")) as practice:
        practice.name_practitioners()
        practice.send_roster(PANELS)
        return take_photograph(practice)


@pytest.fixture(scope="session")
def loaded_photograph(
    emulator_server: Emulator, delivered_photograph: Photograph, tmp_path_factory: pytest.TempPathFactory
) -> Photograph:
    """Taken when the first roster was at DPC."""
    folder = tmp_path_factory.mktemp("loaded")
    with restore_photograph(emulator_server, delivered_photograph, folder) as practice:
        assert practice.apply_all().state == "applied"
        return take_photograph(practice)


@pytest.fixture
def delivered(emu: Emulator, delivered_photograph: Photograph, tmp_path: Path) -> Iterator[Practice]:
    """A practice whose first roster is accepted, and nothing is at DPC yet."""
    with restore_photograph(emu, delivered_photograph, tmp_path) as practice:
        yield practice


@pytest.fixture
def loaded(emu: Emulator, loaded_photograph: Photograph, tmp_path: Path) -> Iterator[Practice]:
    """A practice whose first roster is at DPC: twelve patients with one practitioner, six with another."""
    with restore_photograph(emu, loaded_photograph, tmp_path) as practice:
        yield practice


@pytest.fixture(params=["practice", "practice_on_postgresql"])
def told(request: pytest.FixtureRequest) -> Practice:
    """A practice with a roster at DPC, a stream of messages and a feed of changes, on each of the two databases."""
    practice: Practice = request.getfixturevalue(request.param)
    practice.start_with({ADA: OF_ADA, BRUNO: OF_BRUNO})
    for feed in ("adt", "changes"):
        add_feed(practice.rt, "lakeside", feed_id=feed, actor=OPERATOR)
    return practice
