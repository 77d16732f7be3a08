"""Changed MBIs of an organisation's patients, sealed; which one is current, `resolve_renames` says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from service.domain.roster import MbiChange
from service.storage.rows import insert_into
from service.storage.sealing import OrganizationKeys
from service.storage.tables.rosters import mbi_change as changes

_Earlier = list[tuple[str, int, int]]
"""What was told of the same former MBI before: the new one, the delivery, and the place there."""


def save_renames(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    told: Iterable[tuple[str, str]],
    delivery: int,
    *,
    now: datetime,
) -> None:
    """Record changes of MBIs (former, new) that a delivery tells, in their order.

    The last word on a number stands, and earlier ones are kept behind it; a delivery that is released late has not the
    last word.
    """
    for n, (former, new) in enumerate(told):
        index = keys.index_mbi(former)
        earlier = _find_earlier(connection, keys, organization_id, index, (new, delivery))
        body = keys.seal("mbi_change", "body", index.hex(), json.dumps([former, new, n, earlier]).encode())
        row = {"body": body, "delivery": delivery, "recorded_at": now}
        statement = insert_into(connection, changes).values(organization_id=organization_id, old_index=index, **row)
        key = [changes.c.organization_id, changes.c.old_index]
        is_last = changes.c.delivery <= delivery
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_=row, where=is_last))


def find_renames(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    *,
    told: Iterable[tuple[str, str]] = (),
    delivery: int = 0,
) -> list[MbiChange]:
    """Answer every change that was ever the last word, oldest first: by delivery, and in one as it tells them.

    `told` are changes that `delivery` tells and that may not be recorded yet; they stand where they would.
    """
    statement = select(changes.c.old_index, changes.c.body, changes.c.delivery).where(
        changes.c.organization_id == organization_id
    )
    found = [(delivery, n, former, new) for n, (former, new) in enumerate(told)]
    for index, body, number in connection.execute(statement):
        former, new, place, earlier = _open_body(keys, bytes(index), body)
        words = [*earlier, (new, number, place)]
        found += [(number, place, former, new) for new, number, place in words if number != delivery]
    return [MbiChange(former, new, number) for number, _, former, new in sorted(found)]


def _find_earlier(
    connection: Connection, keys: OrganizationKeys, organization_id: str, index: bytes, word: tuple[str, int]
) -> _Earlier:
    """Answer what other deliveries told of a number before this word, each other new number once."""
    where = changes.c.organization_id == organization_id, changes.c.old_index == index
    row = connection.execute(select(changes.c.body, changes.c.delivery).where(*where).with_for_update()).one_or_none()
    if row is None:
        return []
    _, last, place, earlier = _open_body(keys, index, row.body)
    words = [*(one for one in earlier if one[0] != last), (last, row.delivery, place)]
    return [one for one in words if one[0] != word[0] and one[1] != word[1]]


def _open_body(keys: OrganizationKeys, index: bytes, body: bytes) -> tuple[str, str, int, _Earlier]:
    """Open a change: former and new MBI, its place in the delivery, and earlier words; the last two came later."""
    former, new, *more = json.loads(keys.unseal("mbi_change", "body", index.hex(), body))
    kept: list[Any] = more[1] if len(more) > 1 else []
    return former, new, more[0] if more else 0, [(number, delivery, n) for number, delivery, n in kept]
