"""Changed MBIs of an organisation's patients, sealed; which one is current, `resolve_renames` says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from service.domain.renames import MbiChange
from service.storage.rows import Where, insert_into
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

    The last word on a number stands, and earlier ones are kept behind it, also those that another process writes at the
    same moment; a delivery that is released late has not the last word.
    """
    last = {keys.index_mbi(former): (former, new, n) for n, (former, new) in enumerate(told)}
    for index, (former, new, n) in sorted(last.items()):  # in one order, so that no two wait for each other
        this = {"organization_id": organization_id, "old_index": index}
        row = {"body": _seal_body(keys, index, former, new, n, []), "delivery": delivery, "recorded_at": now}
        first = insert_into(connection, changes).values(**this, **row).on_conflict_do_nothing()
        if connection.execute(first.returning(changes.c.delivery)).one_or_none() is None:
            where = (changes.c[name] == value for name, value in this.items())
            _follow_word(connection, keys, index, (former, new, n), row, *where)


def _follow_word(
    connection: Connection,
    keys: OrganizationKeys,
    index: bytes,
    word: tuple[str, str, int],
    row: dict[str, Any],
    *where: Where,
) -> None:
    """Put a word before those that are recorded, each other new number once; unless it comes late."""
    recorded = connection.execute(select(changes.c.body, changes.c.delivery).where(*where).with_for_update()).one()
    if recorded.delivery > row["delivery"]:
        return
    _, last, place, earlier = _open_body(keys, index, recorded.body)
    words = [*(one for one in earlier if one[0] != last), (last, recorded.delivery, place)]
    kept = [one for one in words if one[0] != word[1] and one[1] != row["delivery"]]
    connection.execute(update(changes).where(*where).values(row | {"body": _seal_body(keys, index, *word, kept)}))


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


def _seal_body(keys: OrganizationKeys, index: bytes, former: str, new: str, place: int, earlier: _Earlier) -> bytes:
    return keys.seal("mbi_change", "body", index.hex(), json.dumps([former, new, place, earlier]).encode())


def _open_body(keys: OrganizationKeys, index: bytes, body: bytes) -> tuple[str, str, int, _Earlier]:
    """Open a change: former and new MBI, its place in the delivery, and earlier words; the last two came later."""
    former, new, *more = json.loads(keys.unseal("mbi_change", "body", index.hex(), body))
    kept: list[Any] = more[1] if len(more) > 1 else []
    return former, new, more[0] if more else 0, [(number, delivery, n) for number, delivery, n in kept]
