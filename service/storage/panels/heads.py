"""Versions of panels: what can be known without opening a body, and how a new version is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Subquery, and_, bindparam, delete, func, select, tuple_

from service.domain.errors import Conflict
from service.storage.postgresql import write_ahead
from service.storage.rows import columns_of, in_batches
from service.storage.sealing import OrganizationKeys
from service.storage.tables.rosters import panel


class StaleVersion(Conflict):
    """Somebody else has written a newer version of this panel since it was read."""

    code = "stale_version"
    default_next_action = "Read the panel again and repeat the step."


@dataclass(frozen=True, slots=True)
class PanelHead:
    """One version of one panel without its body.

    `side` is `claims` or `observed`, `source` a feed or `dpc`, `n_active` counts what has not ended or is not inactive,
    `min_end` is the earliest end of those at DPC, `read_at` when DPC last showed exactly this.
    """

    npi: str
    side: str
    source: str
    version: int
    n: int
    n_active: int
    min_end: datetime | None
    group_id: str | None
    created_at: datetime
    read_at: datetime | None


PANELS_PER_STATEMENT = 50
"""Enough to share the cost of each call, few enough that what is worked on stays near the processor."""
_VERSIONS_PER_STATEMENT = 400

_LATEST = (
    select(*columns_of(panel, PanelHead), panel.c.body)
    .where(
        panel.c.organization_id == bindparam("of_organization"),
        panel.c.npi == bindparam("of_npi"),
        panel.c.side == bindparam("of_side"),
        panel.c.source == bindparam("of_source"),
    )
    .order_by(panel.c.version.desc())
    .limit(1)
)
"""Built once: thousands of panels are saved in a night, and building a statement costs more than executing it."""


def find_panel_heads(connection: Connection, organization_id: str, *, side: str | None = None) -> list[PanelHead]:
    """Answer the latest version of every panel without opening it, by practitioner, side and source."""
    rows = _select_latest(organization_id, None, side, None, columns_of(panel, PanelHead))
    return [PanelHead(*row) for row in connection.execute(rows)]


def prune_panels(connection: Connection, organization_id: str, before: datetime) -> int:
    """Remove versions that were replaced before a moment and answer how many; the latest always stays."""
    newer = panel.alias("newer")
    replaced = (
        select(newer.c.version)
        .where(
            newer.c.organization_id == organization_id,
            newer.c.npi == panel.c.npi,
            newer.c.side == panel.c.side,
            newer.c.source == panel.c.source,
            newer.c.version > panel.c.version,
            newer.c.created_at < before,
        )
        .exists()
    )
    return connection.execute(delete(panel).where(panel.c.organization_id == organization_id, replaced)).rowcount


def open_latest(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    side: str,
    npi: str | tuple[str, ...] | None,
    source: str | None = None,
) -> Iterator[tuple[PanelHead, bytes]]:
    """Yield the latest version of each panel of a side with its opened body, of one, some or all practitioners.

    Raises SealBroken.
    """
    columns = [*columns_of(panel, PanelHead), panel.c.body]
    for *head, body in connection.execute(_select_latest(organization_id, npi, side, source, columns)):
        found = PanelHead(*head)
        yield found, keys.unseal("panel", "body", _name_row(found), body)


def open_versions(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    side: str,
    source: str,
    wanted: Mapping[str, int],
) -> Iterator[tuple[PanelHead, bytes]]:
    """Yield given versions of panels, by NPI, with their opened bodies; those that are pruned are missing."""
    columns = [*columns_of(panel, PanelHead), panel.c.body]
    for some in in_batches(wanted.items(), _VERSIONS_PER_STATEMENT):
        where = (
            panel.c.organization_id == organization_id,
            panel.c.side == side,
            panel.c.source == source,
            tuple_(panel.c.npi, panel.c.version).in_(some),
        )
        for *head, body in connection.execute(select(*columns).where(*where)):
            found = PanelHead(*head)
            yield found, keys.unseal("panel", "body", _name_row(found), body)


def find_latest(
    connection: Connection, keys: OrganizationKeys, organization_id: str, npi: str, side: str, source: str
) -> tuple[PanelHead, bytes] | None:
    """Answer the latest version of one panel with its opened body. Raises SealBroken."""
    named = {"of_organization": organization_id, "of_npi": npi, "of_side": side, "of_source": source}
    row = connection.execute(_LATEST, named).one_or_none()
    if row is None:
        return None
    *head, body = row
    found = PanelHead(*head)
    return found, keys.unseal("panel", "body", _name_row(found), body)


def write_version(
    connection: Connection, keys: OrganizationKeys, organization_id: str, head: PanelHead, body: bytes
) -> None:
    """Write the version that follows `head.version`; raises StaleVersion when somebody else has."""
    row = _build_row(keys, organization_id, head, body, _bind_times(connection.dialect))
    if connection.exec_driver_sql(_INSERT[connection.dialect.name], row).rowcount != 1:
        raise_stale()


def write_versions(
    connection: Connection, keys: OrganizationKeys, organization_id: str, panels: Iterable[tuple[PanelHead, bytes]]
) -> int:
    """Write for each panel the version that follows its head's, and answer how many.

    `panels` may be made on the way but must not use the connection, which is at work on the ones before. Raises
    StaleVersion when somebody else has written one of the versions.
    """
    write_time = _bind_times(connection.dialect)
    rows = (_build_row(keys, organization_id, head, body, write_time) for head, body in panels)
    asked = 0

    def cut_rows() -> Iterator[list[tuple[Any, ...]]]:
        nonlocal asked
        for batch in in_batches(rows, PANELS_PER_STATEMENT):
            asked += len(batch)
            yield batch

    if connection.dialect.name == "sqlite":
        written = sum(connection.exec_driver_sql(_INSERT["sqlite"], batch).rowcount for batch in cut_rows())
    else:  # one statement for many rows instead of one for each
        columns = (tuple(map(list, zip(*batch, strict=True))) for batch in cut_rows())
        written = write_ahead(connection, _INSERT_MANY_POSTGRESQL, columns)
    if written != asked:
        raise_stale()
    return written


def raise_stale() -> None:
    """Raise StaleVersion."""
    raise StaleVersion("The panel has changed since it was read.")


def _name_row(head: PanelHead) -> str:
    return _name_version(head, head.version)


def _name_version(head: PanelHead, version: int) -> str:
    return f"{head.npi}/{head.side}/{head.source}/{version}"


def _build_row(
    keys: OrganizationKeys,
    organization_id: str,
    head: PanelHead,
    body: bytes,
    write_time: Callable[[datetime | None], Any],
) -> tuple[Any, ...]:
    """Build the row of the version that follows, in the order in which the statements name its columns."""
    following = head.version + 1
    return (
        organization_id,
        head.npi,
        head.side,
        head.source,
        following,
        head.n,
        head.n_active,
        write_time(head.min_end),
        head.group_id,
        write_time(head.created_at),
        write_time(head.read_at),
        keys.seal("panel", "body", _name_version(head, following), body),
    )


_INSERT = {
    "sqlite": "INSERT INTO panel (organization_id, npi, side, source, version, n, n_active, min_end, group_id,"
    " created_at, read_at, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    "postgresql": "INSERT INTO panel (organization_id, npi, side, source, version, n, n_active, min_end, group_id,"
    " created_at, read_at, body) VALUES (%b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b) ON CONFLICT DO NOTHING",
}
_INSERT_MANY_POSTGRESQL = (
    "INSERT INTO panel (organization_id, npi, side, source, version, n, n_active, min_end, group_id, created_at,"
    " read_at, body) SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::int[], %b::int[],"
    " %b::int[], %b::timestamptz[], %b::text[], %b::timestamptz[], %b::timestamptz[], %b::bytea[])"
    " ON CONFLICT DO NOTHING"
)
"""In the words of the drivers: a million members pass here in a night, and building parameters costs more than a row.

A row that is there already was written by somebody else since: it stays, and the count of rows tells.
"""


def _bind_times(dialect: Dialect) -> Callable[[datetime | None], Any]:
    """Answer what makes of a time that which the driver is given by the columns' own type."""
    write = panel.c.created_at.type.dialect_impl(dialect).bind_processor(dialect)

    @cache
    def write_once(time: datetime | None) -> Any:
        return time if time is None or write is None else write(time)

    return write_once


def _select_latest(
    organization_id: str, npi: str | tuple[str, ...] | None, side: str | None, source: str | None, columns: list[Any]
) -> Any:
    where = [panel.c.organization_id == organization_id]
    if isinstance(npi, tuple):
        where.append(panel.c.npi.in_(npi))
    elif npi is not None:
        where.append(panel.c.npi == npi)
    if side is not None:
        where.append(panel.c.side == side)
    if source is not None:
        where.append(panel.c.source == source)
    latest = _find_last_versions(where)
    same = and_(
        tuple_(panel.c.npi, panel.c.side, panel.c.source, panel.c.version)
        == tuple_(latest.c.npi, latest.c.side, latest.c.source, latest.c.version)
    )
    return (
        select(*columns)
        .join_from(panel, latest, same)
        .where(*where)
        .order_by(panel.c.npi, panel.c.side, panel.c.source)
    )


def _find_last_versions(where: list[ColumnElement[bool]]) -> Subquery:
    return (
        select(panel.c.npi, panel.c.side, panel.c.source, func.max(panel.c.version).label("version"))
        .where(*where)
        .group_by(panel.c.npi, panel.c.side, panel.c.source)
        .subquery()
    )
