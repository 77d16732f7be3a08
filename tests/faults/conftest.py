"""A practice in the middle of its life: the signed plan that waits holds a call of every scheduled kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile

import pytest
from databases import copy_database, execute, name_database
from photograph import Photograph, restore_photograph, take_photograph
from practice import ADA, BRUNO, CORA, KeyPair, Practice, open_practice

from service.emulator.server import Emulator

FIRST = {ADA: range(1, 13), BRUNO: range(20, 26)}
LATER = {ADA: [*range(1, 11), 30], BRUNO: range(20, 26), CORA: [40, 41]}


@dataclass(frozen=True)
class Waiting:
    """A practice with a signed plan of seven calls: register twice, create, remove, add, renew twice."""

    practice: Practice
    plan_id: str


@pytest.fixture(scope="session")
def photograph(
    emulator_server: Emulator, migrated_file: Path, tmp_path_factory: pytest.TempPathFactory, first_key: KeyPair
) -> Photograph:
    """The practice 76 days after its first load on SQLite, kept once for all tests."""
    folder = tmp_path_factory.mktemp("photograph")
    copyfile(migrated_file, folder / "rollcall.db")
    return _prepare(emulator_server, f"sqlite:///{folder / 'rollcall.db'}", folder, first_key)


@pytest.fixture(scope="session")
def postgresql_photograph(
    emulator_server: Emulator,
    practice_postgresql: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    first_key: KeyPair,
) -> Photograph:
    """The same in a database of PostgreSQL."""
    server, template = practice_postgresql
    execute(server, f"CREATE DATABASE photograph TEMPLATE {template}")
    url = name_database(server, "photograph")
    return _prepare(emulator_server, url, tmp_path_factory.mktemp("photograph"), first_key)


@pytest.fixture
def waiting(emu: Emulator, photograph: Photograph, tmp_path: Path) -> Iterator[Waiting]:
    """A fresh copy of that practice on SQLite."""
    with restore_photograph(emu, photograph, tmp_path) as practice:
        yield Waiting(practice, photograph.note)


@pytest.fixture
def waiting_on_postgresql(
    emu: Emulator, postgresql_photograph: Photograph, practice_postgresql: tuple[str, str], tmp_path: Path
) -> Iterator[Waiting]:
    """A fresh copy of that practice on PostgreSQL."""
    with (
        copy_database(practice_postgresql[0], "photograph") as url,
        restore_photograph(emu, postgresql_photograph, tmp_path, url) as practice,
    ):
        yield Waiting(practice, postgresql_photograph.note)


def _prepare(emulator: Emulator, database_url: str, folder: Path, key_pair: KeyPair) -> Photograph:
    emulator.reset()
    emulator.set_clock(datetime.now(UTC), "real")
    with open_practice(emulator, database_url, folder) as practice:
        practice.add_organization("lakeside", key_pair)
        practice.start_with(FIRST)
        practice.pass_time("P76D")
        practice.send_roster(LATER)  # the first absence of two patients
        practice.send_roster(LATER)  # the second one lets them go
        plan = practice.draw_some()
        counts = {kind: n for kind, n in plan.head.counts.items() if n}
        assert counts == {"register": 4, "create": 1, "add": 3, "remove": 2, "renew": 16}
        return take_photograph(practice, practice.sign(plan))
