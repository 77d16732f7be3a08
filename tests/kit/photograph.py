"""A practice at one moment, with the emulator it talks to, restored as often as tests want it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from shutil import copyfile, copytree
from typing import Any

from practice import Practice, follow

from service.emulator.server import Emulator
from service.runtime import Runtime, build_runtime


@dataclass(frozen=True)
class Photograph:
    """The emulator's memory, clock and journal, our settings with the database to copy, and what the test noted."""

    memory: sqlite3.Connection
    now: datetime
    journal: list[dict[str, Any]]
    rt: Runtime
    sent: int
    note: Any


def take_photograph(practice: Practice, note: Any = None) -> Photograph:
    """Keep the practice as it is now; it is closed by this, and its database must not be used any more."""
    emulator = practice.emu
    practice.rt.close()  # on SQLite this folds the write-ahead log into the file
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    with emulator.state.lock, closing(emulator.state.engine.raw_connection()) as source:
        assert isinstance(source.driver_connection, sqlite3.Connection)
        source.driver_connection.backup(memory)
    return Photograph(memory, emulator.now(), emulator.log(), practice.rt, practice.sent, note)


@contextmanager
def restore_photograph(
    emulator: Emulator, taken: Photograph, folder: Path, database_url: str | None = None
) -> Iterator[Practice]:
    """Put the emulator back to that moment and open the practice on copies of its database and files in `folder`.

    A database of PostgreSQL is copied by the caller, who gives its address.
    """
    settings = taken.rt.settings
    if database_url is None:
        database_url = f"sqlite:///{folder / 'rollcall.db'}"
        copyfile(settings.database_url.removeprefix("sqlite:///"), folder / "rollcall.db")
    copytree(settings.data_dir, folder / "installation")
    emulator.reset()
    with emulator.state.lock, closing(emulator.state.engine.raw_connection()) as target:
        assert isinstance(target.driver_connection, sqlite3.Connection)
        taken.memory.backup(target.driver_connection)
        emulator.state.journal.extend(dict(entry) for entry in taken.journal)
    emulator.set_clock(taken.now, "real")
    opened = build_runtime(replace(settings, database_url=database_url, data_dir=folder / "installation"))
    rt = replace(follow(emulator, opened), _private_keys=taken.rt._private_keys)
    practice = Practice(emulator, rt)
    practice.sent = taken.sent
    try:
        yield practice
    finally:
        practice.rt.close()
