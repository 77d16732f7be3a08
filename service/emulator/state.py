"""What an emulator remembers: one SQLite database behind one lock, with clock, limits, journal and faults."""

from __future__ import annotations

import base64
import secrets
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, create_engine, delete, event, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.pool import StaticPool

from service.emulator import expiry, macaroons, tables
from service.emulator.clock import Clock, floor_hour, read_instant
from service.emulator.faults import Fault
from service.emulator.journal import JournalFile

JTI_MEMORY = timedelta(minutes=5)
JTI_CAPACITY = 10_000


@dataclass
class Limits:
    """Configured limits of the emulated server; -1 is none (contract-v1 7 and 9.5)."""

    patient_limit: int = -1
    provider_limit: int = -1


@dataclass
class Knobs:
    """What the control surface turns beside the limits; a reset turns it all back.

    `export_polls`: the poll at which an export is done. `failing_batch`: the batch, counted from 1, at which
    exports fail; 0 is none. `waf_budget`: requests per five minutes and caller, -1 is none; `waf_status`: 403 or 429.
    `v2_npi_column`: the longest joined NPIs that an export of version 2 takes (contract-v2 T5), -1 is no limit;
    `v2_bare_addresses`: 1 leaves the scheme out of its addresses (contract-v2 T14).
    """

    export_polls: int = 2
    failing_batch: int = 0
    waf_budget: int = -1
    waf_status: int = 403
    v2_npi_column: int = 50
    v2_bare_addresses: int = 0


@dataclass
class State:
    """Everything the emulator holds; take a connection with `begin`."""

    data: Path | None
    seed: int
    clock: Clock
    limits: Limits
    public_url: str = "http://127.0.0.1:3002/api"
    root_key: bytes = b""
    golden_id: str = ""
    expired_until: datetime | None = None
    journal: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    used_jtis: dict[str, datetime] = field(default_factory=dict)
    knobs: Knobs = field(default_factory=Knobs)
    visits: dict[str, deque[datetime]] = field(default_factory=dict)
    defects: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    closed: bool = False

    def __post_init__(self) -> None:
        url = f"sqlite:///{self.data}" if self.data else "sqlite://"
        self.engine = create_engine(
            url, poolclass=StaticPool, connect_args={"check_same_thread": False}, hide_parameters=True
        )
        event.listen(self.engine, "connect", _prepare_connection)
        with self.begin() as connection:
            tables.metadata.create_all(connection)
            self._load_settings(connection)
        self.journal_file = JournalFile(self.data)
        self.journal.extend(self.journal_file.load())

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction, alone: committed at the end, rolled back when anything is raised."""
        with self.lock:
            if self.closed:
                raise ConnectionAbortedError("the emulator has stopped")
            with self.engine.begin() as connection:
                yield connection

    def is_expiry_due(self) -> bool:
        """Whether a full hour has passed since the hourly job last ran."""
        return self.expired_until is None or floor_hour(self.clock.now()) > self.expired_until

    def run_due_expiry(self, connection: Connection) -> None:
        """Run the hourly job once for all full hours passed since its last run (contract-v1 9.6)."""
        if not self.is_expiry_due():
            return
        hour = floor_hour(self.clock.now())
        self.expired_until = hour
        expiry.expire(connection, hour)
        self.save_settings(connection)

    def change_clock(self, change: Callable[[Clock], None]) -> None:
        """Change the clock, remember it, and run what has become due."""
        with self.begin() as connection:
            change(self.clock)
            hour = floor_hour(self.clock.now())
            if self.expired_until is not None and hour < self.expired_until:
                self.expired_until = hour
            self.run_due_expiry(connection)
            self.save_settings(connection)

    def run_expiry(self) -> expiry.Expired:
        """Run the job at this very instant, whatever the hour."""
        with self.begin() as connection:
            return expiry.expire(connection, self.clock.now())

    def use_jti(self, jti: str, now: datetime) -> bool:
        """Remember a jti; whether it was new (contract-v1 4.5 step 10)."""
        used = {key: at for key, at in self.used_jtis.items() if now - at < JTI_MEMORY}
        is_new = jti not in used
        used[jti] = used.get(jti, now)
        self.used_jtis = dict(list(used.items())[-JTI_CAPACITY:])
        return is_new

    def keep_entry(self, entry: dict[str, Any]) -> None:
        """Keep a journal entry beyond this process, once its request has ended."""
        with self.lock:
            self.journal_file.append(entry)

    def note_defect(self, error: BaseException) -> None:
        """Remember the traceback of what was not foreseen; there should never be one."""
        with self.lock:
            self.defects.append("".join(traceback.format_exception(error)))

    def build_golden(self) -> str:
        """The admin macaroon in its text form, without organisation (contract-v1 4.7)."""
        return macaroons.encode_binary(macaroons.mint(self.root_key, self.golden_id, self.public_url))

    def reset(self) -> None:
        """Forget all organisations, requests, faults and knobs; clock, limits and root key stay."""
        with self.begin() as connection:
            for table in reversed(tables.metadata.sorted_tables):
                if table is not tables.settings:
                    connection.execute(delete(table))
            self.journal.clear()
            self.journal_file.clear()
            self.faults.clear()
            self.used_jtis.clear()
            self.visits.clear()
            self.knobs = Knobs()
            self.save_settings(connection)

    def change_settings(self, wish: Mapping[str, Any]) -> None:
        """Set limits and knobs by name. Raises ValueError for an unknown name or what is no whole number."""
        known = self.list_settings()
        if set(wish) - set(known) or not all(type(number) is int for number in wish.values()):
            raise ValueError(f"{', '.join(known)} are whole numbers")
        if wish.get("waf_status", 403) not in (403, 429):
            raise ValueError("waf_status is 403 or 429")
        with self.begin() as connection:
            for name, number in wish.items():
                setattr(self.limits if hasattr(self.limits, name) else self.knobs, name, number)
            self.save_settings(connection)

    def list_settings(self) -> dict[str, int]:
        """Limits and knobs by name."""
        return {**asdict(self.limits), **asdict(self.knobs)}

    def save_settings(self, connection: Connection) -> None:
        """Write clock, limits and keys into the database."""
        values = {
            "mode": self.clock.mode,
            "offset_us": str(self.clock.offset // timedelta(microseconds=1)),
            "frozen_at": self.clock.frozen_at.isoformat(),
            "patient_limit": str(self.limits.patient_limit),
            "provider_limit": str(self.limits.provider_limit),
            "root_key": base64.b64encode(self.root_key).decode(),
            "golden_id": self.golden_id,
            "expired_until": self.expired_until.isoformat() if self.expired_until else "",
            **{name: str(number) for name, number in asdict(self.knobs).items()},
        }
        statement = upsert(tables.settings)
        statement = statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value})
        connection.execute(statement, [{"name": name, "value": value} for name, value in values.items()])

    def close(self) -> None:
        """Close the database."""
        with self.lock:
            self.closed = True
            self.engine.dispose()

    def _load_settings(self, connection: Connection) -> None:
        rows = connection.execute(select(tables.settings.c.name, tables.settings.c.value))
        known: dict[str, str] = {row.name: row.value for row in rows}
        if known:
            self._restore(known)
        else:
            self.root_key = secrets.token_bytes(24)
            self.golden_id = str(uuid4())
            self.expired_until = floor_hour(self.clock.now())
        self.save_settings(connection)

    def _restore(self, known: dict[str, str]) -> None:
        self.clock.mode = known["mode"]
        self.clock.offset = timedelta(microseconds=int(known["offset_us"]))
        self.clock.frozen_at = read_instant(known["frozen_at"])
        for name in ("patient_limit", "provider_limit"):
            if getattr(self.limits, name) == -1:
                setattr(self.limits, name, int(known[name]))
        self.knobs = Knobs(**{one.name: int(known[one.name]) for one in fields(Knobs) if one.name in known})
        self.root_key = base64.b64decode(known["root_key"])
        self.golden_id = known["golden_id"]
        self.expired_until = read_instant(known["expired_until"]) if known["expired_until"] else None


def _prepare_connection(connection: Any, _record: object) -> None:
    for pragma in ("foreign_keys=ON", "journal_mode=WAL", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")
