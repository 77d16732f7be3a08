"""Panels as DPC last showed them: the attributions of one practitioner's Group."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, update

from service.storage.panel_codec import ObservedColumns, are_same, decode_observed, encode_observed
from service.storage.panels.heads import PanelHead, find_latest, open_latest, write_version
from service.storage.sealing import OrganizationKeys
from service.storage.tables.rosters import panel

SIDE = "observed"
SOURCE = "dpc"


@dataclass(frozen=True, slots=True)
class ObservedPanel:
    """What DPC showed of one Group at `read_at`; `group_id` is None while there is no Group."""

    npi: str
    group_id: str | None
    version: int
    read_at: datetime
    columns: ObservedColumns


def save_observed(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    npi: str,
    group_id: str | None,
    observed: ObservedColumns,
    *,
    now: datetime,
) -> bool:
    """Write what DPC shows at `now` as a new version and answer True.

    When DPC shows the same as before only the time of reading is renewed, and the answer is False. Raises StaleVersion
    when somebody else saves the same panel at the same time.
    """
    latest = find_latest(connection, keys, organization_id, npi, SIDE, SOURCE)
    body = encode_observed(observed)
    if latest and latest[0].group_id == group_id and _is_same(latest[1], body):
        _renew_reading(connection, organization_id, npi, latest[0].version, now)
        return False
    running = ~observed.inactive
    min_end = _to_time(int(observed.end_at[running].min())) if running.any() else None
    version = latest[0].version if latest else 0
    n, n_active = len(observed), int(running.sum())
    head = PanelHead(npi, SIDE, SOURCE, version, n, n_active, min_end, group_id, now, now)
    write_version(connection, keys, organization_id, head, body)
    return True


def load_observed(
    connection: Connection, keys: OrganizationKeys, organization_id: str, npi: str | tuple[str, ...] | None = None
) -> list[ObservedPanel]:
    """Answer what DPC last showed of one Group, some or all. Raises SealBroken with other keys."""
    return [
        ObservedPanel(head.npi, head.group_id, head.version, head.read_at or head.created_at, decode_observed(body))
        for head, body in open_latest(connection, keys, organization_id, SIDE, npi)
    ]


def _is_same(stored: bytes, body: bytes) -> bool:
    return stored == body or are_same(decode_observed(stored), decode_observed(body))


def _renew_reading(connection: Connection, organization_id: str, npi: str, version: int, now: datetime) -> None:
    statement = update(panel).where(
        panel.c.organization_id == organization_id,
        panel.c.npi == npi,
        panel.c.side == SIDE,
        panel.c.source == SOURCE,
        panel.c.version == version,
    )
    connection.execute(statement.values(read_at=now))


def _to_time(seconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
