"""Whom a delivery that waits for a person would let go: kept sealed beside the hold that asks about them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from service.storage.rows import in_batches
from service.storage.sealing import OrganizationKeys
from service.storage.tables.plans import departure as departures
from service.storage.tables.rosters import mbi_change as changes

PER_PART = 500
"""So many stand in one sealed body: a page opens one or two of them."""
_LAYOUT = np.dtype([("npi", "<u8"), ("mbi", "<u8"), ("marks", "u1")])
_AT_ONCE, _ELSEWHERE = 1, 2
"""The marks, which are added: the first one alone is what was kept before there was a second."""


@dataclass(frozen=True, slots=True, eq=False)
class Departures:
    """Patients whom a file leaves out, side by side: practitioner, packed MBI, and two marks.

    `at_once` is set when the feed would let the patient go now, `elsewhere` when another feed lists the patient too, so
    that the organisation goes on to claim the pair.
    """

    npi: npt.NDArray[np.uint64] = field(repr=False)
    mbi: npt.NDArray[np.uint64] = field(repr=False)
    at_once: npt.NDArray[np.bool_] = field(repr=False)
    elsewhere: npt.NDArray[np.bool_] = field(repr=False)

    def __len__(self) -> int:
        return len(self.npi)

    def choose(self, chosen: slice | npt.NDArray[np.bool_]) -> Departures:
        """Answer some of them."""
        return Departures(self.npi[chosen], self.mbi[chosen], self.at_once[chosen], self.elsewhere[chosen])


@dataclass(frozen=True, slots=True)
class KeptDepartures:
    """How many are kept for a hold, and the digest of what they were computed from."""

    n: int
    basis: str


def replace_departures(
    connection: Connection, keys: OrganizationKeys, organization_id: str, hold_id: str, found: Departures, basis: str
) -> None:
    """Keep whom a hold asks about, in place of what was kept for it."""
    remove_departures(connection, organization_id, hold_id)
    rows = [
        {
            "organization_id": organization_id,
            "hold_id": hold_id,
            "part": part,
            "n": len(found.choose(slice(start, start + PER_PART))),
            "basis": basis,
            "body": keys.seal(
                "departure", "body", f"{hold_id}:{part}", _write_body(found.choose(slice(start, start + PER_PART)))
            ),
        }
        for part, start in enumerate(range(0, max(1, len(found)), PER_PART))
    ]
    for batch in in_batches(rows):
        connection.execute(insert(departures), batch)


def remove_departures(connection: Connection, organization_id: str, hold_id: str) -> None:
    """Forget whom a hold asked about: it is answered."""
    connection.execute(delete(departures).where(_of_hold(organization_id, hold_id)))


def find_kept_departures(connection: Connection, organization_id: str, hold_id: str) -> KeptDepartures | None:
    """Answer what is kept for a hold without opening it."""
    statement = select(func.sum(departures.c.n), func.max(departures.c.basis))
    n, basis = connection.execute(statement.where(_of_hold(organization_id, hold_id))).one()
    return None if basis is None else KeptDepartures(int(n), basis)


def load_departures(
    connection: Connection, keys: OrganizationKeys, organization_id: str, hold_id: str, start: int, end: int
) -> Departures:
    """Answer those from one place to before another, in their order. Raises SealBroken."""
    first, last = start // PER_PART, max(start, end - 1) // PER_PART
    statement = select(departures.c.part, departures.c.body).where(
        _of_hold(organization_id, hold_id), departures.c.part.between(first, last)
    )
    bodies = [
        keys.unseal("departure", "body", f"{hold_id}:{part}", bytes(body))
        for part, body in connection.execute(statement.order_by(departures.c.part))
    ]
    rows = np.frombuffer(b"".join(bodies), _LAYOUT)[start - first * PER_PART : end - first * PER_PART]
    marks = rows["marks"]
    return Departures(rows["npi"], rows["mbi"], (marks & _AT_ONCE) > 0, (marks & _ELSEWHERE) > 0)


def describe_renames(connection: Connection, organization_id: str) -> tuple[int, str]:
    """Answer how many changes of MBIs are recorded, and when the last one was; nothing is opened."""
    statement = select(func.count(), func.max(changes.c.recorded_at)).where(
        changes.c.organization_id == organization_id
    )
    n, last = connection.execute(statement).one()
    return n, str(last)


def _of_hold(organization_id: str, hold_id: str) -> ColumnElement[bool]:
    return and_(departures.c.organization_id == organization_id, departures.c.hold_id == hold_id)


def _write_body(found: Departures) -> bytes:
    rows = np.empty(len(found), _LAYOUT)
    rows["npi"], rows["mbi"] = found.npi, found.mbi
    rows["marks"] = found.at_once * _AT_ONCE + found.elsewhere * _ELSEWHERE
    return rows.tobytes()
