"""Changed MBIs of an organisation's patients, sealed; which one is current, `resolve_renames` says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from service.storage.rows import insert_into
from service.storage.sealing import OrganizationKeys
from service.storage.tables.rosters import mbi_change as changes


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

    The last word on a number replaces earlier ones; a delivery that is released late has not the last word.
    """
    for n, (former, new) in enumerate(told):
        index = keys.index_mbi(former)
        body = keys.seal("mbi_change", "body", index.hex(), json.dumps([former, new, n]).encode())
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
) -> list[tuple[str, str]]:
    """Answer every recorded change (former, new), oldest first: by delivery, and in one as it tells them.

    `told` are changes that `delivery` tells and that may not be recorded yet; they stand where they would.
    """
    statement = select(changes.c.old_index, changes.c.body, changes.c.delivery).where(
        changes.c.organization_id == organization_id
    )
    found = [(delivery, n, former, new) for n, (former, new) in enumerate(told)]
    for index, body, number in connection.execute(statement):
        former, new, *place = json.loads(keys.unseal("mbi_change", "body", bytes(index).hex(), body))
        if number != delivery:
            found.append((number, place[0] if place else 0, former, new))
    return [(former, new) for _, _, former, new in sorted(found)]
