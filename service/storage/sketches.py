"""Sketches of rosters: the smallest keyed marks of a feed's patients, by which a file is seen to belong elsewhere.

Marks are keyed hashes (blake2b) of MBIs under a key of the installation. The smallest of them are a random sample of
the patients, the same sample for the same patients wherever they occur, which is what bottom-k MinHash rests on.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from service.storage.rows import insert_into
from service.storage.sealing import OrganizationKeys
from service.storage.tables.organizations import organization
from service.storage.tables.rosters import roster_sketch as sketches

MOST_MARKS = 1_024
"""Of a larger roster only so many are kept; the share of a file's patients on it is then an estimate."""
FEWEST_COMPARED = 20
"""An estimate that rests on fewer patients is none."""

Marks = NDArray[np.uint64]


def mark_patients(keys: OrganizationKeys, mbi: NDArray[np.uint64]) -> Marks:
    """Answer the marks of packed MBIs, each once and in order."""
    marks = np.frombuffer(keys.mark_patients(np.ascontiguousarray(mbi, "<u8").tobytes()), ">u8")
    return np.unique(marks).astype(np.uint64)


def save_sketch(connection: Connection, organization_id: str, feed_id: str, marks: Marks, *, replaces: bool) -> None:
    """Keep the sketch of a feed's roster; a delivery that is not everybody adds to what is kept."""
    if not replaces:
        marks = np.union1d(marks, _find_marks(connection, organization_id, feed_id))
    row = {"patients": len(marks), "marks": marks[:MOST_MARKS].astype("<u8").tobytes()}
    statement = insert_into(connection, sketches).values(organization_id=organization_id, feed_id=feed_id, **row)
    key = [sketches.c.organization_id, sketches.c.feed_id]
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=row))


def count_shared(connection: Connection, organization_id: str, environment: str, marks: Marks) -> int:
    """Answer how many of these patients are on the roster of the one other organisation that has most of them.

    An estimate where that roster is large. This is the one reading that looks beyond an organisation: it compares keyed
    marks, answers a number, and does not say of whom.
    """
    others = (
        select(sketches.c.organization_id, sketches.c.marks)
        .join(organization, organization.c.id == sketches.c.organization_id)
        .where(sketches.c.organization_id != organization_id, organization.c.environment == environment)
    )
    by_organization: dict[str, list[Marks]] = defaultdict(list)
    for other_id, kept in connection.execute(others):
        by_organization[other_id].append(np.frombuffer(kept, "<u8"))
    return max((_estimate_shared(marks, feeds) for feeds in by_organization.values()), default=0)


def _estimate_shared(marks: Marks, feeds: list[Marks]) -> int:
    """Unite the sketches of an organisation's feeds; below the end of each that is cut off they know everybody."""
    kept = np.unique(np.concatenate(feeds))
    ends = [feed[-1] for feed in feeds if len(feed) >= MOST_MARKS]
    if not ends:
        return int(np.isin(marks, kept).sum())
    compared = marks[marks <= min(ends)]
    if len(compared) < min(FEWEST_COMPARED, len(marks)):
        return 0
    return round(len(marks) * float(np.isin(compared, kept).mean())) if len(compared) else 0


def _find_marks(connection: Connection, organization_id: str, feed_id: str) -> Marks:
    statement = select(sketches.c.marks).where(
        sketches.c.organization_id == organization_id, sketches.c.feed_id == feed_id
    )
    kept = connection.scalar(statement)
    return np.frombuffer(kept or b"", "<u8").astype(np.uint64)
