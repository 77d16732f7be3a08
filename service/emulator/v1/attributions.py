"""The rows of a Group and what each operation does to them, set by set (contract-v1 9.4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, delete, text

from service.emulator.tables import attributions

LIFE_US = timedelta(days=90) // timedelta(microseconds=1)

Member = tuple[str, int, int, int]
"""patient id, begin and end in microseconds, inactive as 0 or 1."""

_LOAD = "SELECT patient_id, begin_us, end_us, inactive FROM attributions WHERE group_id = ? ORDER BY patient_id"
_COUNT_PATIENTS = text(
    "SELECT count(*) FROM patients WHERE organization_id = :organization_id"
    " AND id IN (SELECT value FROM json_each(:ids))"
)
_COUNT_MEMBERS = text(
    "SELECT count(*) FROM attributions WHERE group_id = :group_id AND patient_id IN (SELECT value FROM json_each(:ids))"
)
_ADD = text(
    "INSERT INTO attributions (group_id, patient_id, begin_us, end_us, inactive)"
    " SELECT :group_id, value, :now, :end, 0 FROM json_each(:ids) WHERE true"
    " ON CONFLICT (group_id, patient_id) DO UPDATE SET"
    " begin_us = CASE WHEN inactive THEN :now ELSE begin_us END, end_us = :end, inactive = 0"
)
_REMOVE = text(
    "UPDATE attributions SET inactive = 1, end_us = :now WHERE group_id = :group_id"
    " AND patient_id IN (SELECT value FROM json_each(:ids))"
)


def _to_json(ids: Iterable[str]) -> str:
    return orjson.dumps(sorted(set(ids))).decode()


def load_members(connection: Connection, group_id: str) -> list[Member]:
    """All rows of a Group, active or not, by patient id."""
    rows: list[Any] = list(connection.exec_driver_sql(_LOAD, (group_id,)).fetchall())
    return rows


def count_missing_patients(connection: Connection, organization_id: str, ids: Iterable[str]) -> int:
    """How many distinct patients of a request the organisation does not have."""
    wanted = set(ids)
    found = connection.execute(_COUNT_PATIENTS, {"organization_id": organization_id, "ids": _to_json(wanted)})
    return len(wanted) - int(found.scalar() or 0)


def insert_members(connection: Connection, group_id: str, ids: list[str], now_us: int) -> None:
    """New rows, active for 90 days from now; the ids are distinct."""
    connection.execute(_ADD, {"group_id": group_id, "ids": _to_json(ids), "now": now_us, "end": now_us + LIFE_US})


def replace_members(connection: Connection, group_id: str, ids: Iterable[str], now_us: int) -> None:
    """PUT: every row goes, active and inactive; one fresh row per distinct patient."""
    connection.execute(delete(attributions).where(attributions.c.group_id == group_id))
    insert_members(connection, group_id, sorted(set(ids)), now_us)


def add_members(connection: Connection, group_id: str, ids: Iterable[str], now_us: int) -> None:
    """$add: active rows keep their begin, inactive ones begin anew, all end in 90 days."""
    values = {"group_id": group_id, "ids": _to_json(ids), "now": now_us, "end": now_us + LIFE_US}
    connection.execute(_ADD, values)


def remove_members(connection: Connection, group_id: str, ids: Iterable[str], now_us: int) -> bool:
    """$remove: flagged and ended now, also when already inactive; False, and nothing done, if one has no row."""
    wanted = set(ids)
    values = {"group_id": group_id, "ids": _to_json(wanted)}
    if int(connection.execute(_COUNT_MEMBERS, values).scalar() or 0) < len(wanted):
        return False
    connection.execute(_REMOVE, {**values, "now": now_us})
    return True
