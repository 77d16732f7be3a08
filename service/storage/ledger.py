"""The ledger: an append-only, gapless sequence of entries per organisation, and its signed checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from service.storage.rows import find_values, insert_into, load_value, write_value
from service.storage.tables.proof import checkpoint as checkpoints
from service.storage.tables.proof import ledger_entry as entries
from service.storage.tables.proof import ledger_head as heads

FIRST_PREV_HASH = bytes(32)
_PIECE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One recorded fact; `seq` counts from 1, `leaf` is the exact text, `prev_hash` the hash of the leaf before."""

    seq: int
    kind: str
    at: datetime
    actor: str
    leaf: bytes
    leaf_hash: bytes
    prev_hash: bytes
    sealed_opening: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed root over the first `size` entries; `note` is the text that was published."""

    size: int
    root: bytes
    note: str
    signed_at: datetime


def append_entry(
    connection: Connection,
    organization_id: str,
    *,
    kind: str,
    at: datetime,
    actor: str,
    build_leaf: Callable[[int, bytes], bytes],
    hash_leaf: Callable[[bytes], bytes],
    sealed_opening: bytes | None = None,
) -> LedgerEntry:
    """Append one entry and answer it; `build_leaf` is given its number and the hash before.

    Numbers are taken under a lock that lasts until the transaction ends, so they have no gaps: a transaction that fails
    takes its number back. Raises RecordRefused for an unknown organisation.
    """
    last, prev_hash = _lock_head(connection, organization_id)
    leaf = build_leaf(last + 1, prev_hash)
    entry = LedgerEntry(
        seq=last + 1,
        kind=kind,
        at=at,
        actor=actor,
        leaf=leaf,
        leaf_hash=hash_leaf(leaf),
        prev_hash=prev_hash,
        sealed_opening=sealed_opening,
    )
    write_value(connection, entries, entry, organization_id=organization_id)
    connection.execute(update(heads).where(heads.c.organization_id == organization_id).values(seq=entry.seq))
    return entry


def _lock_head(connection: Connection, organization_id: str) -> tuple[int, bytes]:
    """Take the lock of the ledger and answer its last number and hash, read from the entries and not from the lock."""
    first = insert_into(connection, heads).values(organization_id=organization_id, seq=0)
    connection.execute(first.on_conflict_do_nothing())
    lock = select(heads.c.seq).where(heads.c.organization_id == organization_id).with_for_update()
    connection.execute(lock).one()
    last = (
        select(entries.c.seq, entries.c.leaf_hash)
        .where(entries.c.organization_id == organization_id)
        .order_by(entries.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(last).one_or_none()
    return (0, FIRST_PREV_HASH) if row is None else (row.seq, row.leaf_hash)


def find_entries(
    connection: Connection,
    organization_id: str,
    *,
    after_seq: int = 0,
    limit: int | None = 500,
    kind: str | None = None,
    at: Collection[datetime] | None = None,
) -> list[LedgerEntry]:
    """Answer a page of entries in order; `limit` None answers all that follow, `at` only those of these moments."""
    where = [entries.c.organization_id == organization_id, entries.c.seq > after_seq]
    if kind is not None:
        where.append(entries.c.kind == kind)
    if at is not None:
        where.append(entries.c.at.in_(sorted(at)))
    return find_values(connection, entries, LedgerEntry, *where, order_by=[entries.c.seq], limit=limit)


def load_entry(connection: Connection, organization_id: str, seq: int) -> LedgerEntry:
    """Answer one entry; raises NotFound."""
    where = (entries.c.organization_id == organization_id, entries.c.seq == seq)
    return load_value(connection, entries, LedgerEntry, *where)


def count_entries(connection: Connection, organization_id: str) -> int:
    """Answer how many entries the ledger has, which is the number of the last one."""
    statement = select(func.count()).select_from(entries)
    return int(connection.scalar(statement.where(entries.c.organization_id == organization_id)) or 0)


def read_entries(connection: Connection, organization_id: str, *, after_seq: int = 0) -> Iterator[LedgerEntry]:
    """Yield every entry in order, a piece at a time, so that a ledger of any length fits in memory."""
    while piece := find_entries(connection, organization_id, after_seq=after_seq, limit=_PIECE):
        yield from piece
        after_seq = piece[-1].seq


def read_leaf_hashes(connection: Connection, organization_id: str, *, size: int | None = None) -> Iterator[bytes]:
    """Yield the hashes of the leaves in order, of the first `size` entries or all."""
    last = 0
    while True:
        statement = (
            select(entries.c.seq, entries.c.leaf_hash)
            .where(entries.c.organization_id == organization_id, entries.c.seq > last)
            .order_by(entries.c.seq)
            .limit(_PIECE)
        )
        if size is not None:
            statement = statement.where(entries.c.seq <= size)
        piece = connection.execute(statement).all()
        if not piece:
            return
        yield from (row.leaf_hash for row in piece)
        last = piece[-1].seq


def save_checkpoint(connection: Connection, organization_id: str, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint for good; raises RecordRefused unless it covers more entries than every one before."""
    write_value(connection, checkpoints, checkpoint, organization_id=organization_id)


def find_last_checkpoint(connection: Connection, organization_id: str) -> Checkpoint | None:
    """Answer the checkpoint over the most entries."""
    return next(iter(find_checkpoints(connection, organization_id, limit=1)), None)


def find_checkpoints(
    connection: Connection, organization_id: str, *, before_size: int | None = None, limit: int | None = 50
) -> list[Checkpoint]:
    """Answer a page of checkpoints, newest first; `before_size` is the size of the last one on the page before."""
    where = [checkpoints.c.organization_id == organization_id]
    if before_size is not None:
        where.append(checkpoints.c.size < before_size)
    order = [checkpoints.c.size.desc()]
    return find_values(connection, checkpoints, Checkpoint, *where, order_by=order, limit=limit)
