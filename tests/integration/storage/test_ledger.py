"""The ledger has no gaps, also when several write at once and some fail, and each entry holds the hash before it."""

from __future__ import annotations

import hashlib
import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from service.domain.errors import NotFound
from service.storage.database import Database
from service.storage.errors import RecordRefused
from service.storage.ledger import (
    FIRST_PREV_HASH,
    Checkpoint,
    LedgerEntry,
    append_entry,
    count_entries,
    find_checkpoints,
    find_entries,
    find_last_checkpoint,
    load_entry,
    read_entries,
    read_leaf_hashes,
    save_checkpoint,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def _hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def _append(connection: Connection, organization_id: str, kind: str = "plan") -> LedgerEntry:
    return append_entry(
        connection,
        organization_id,
        kind=kind,
        at=NOW,
        actor="officer",
        build_leaf=lambda seq, prev: f"{organization_id} {seq} {prev.hex()}".encode(),
        hash_leaf=_hash,
        sealed_opening=b"sealed",
    )


def test_entries_are_numbered_from_one_and_chained(database: Database) -> None:
    with database.begin() as connection:
        first, second = _append(connection, "lakeside"), _append(connection, "lakeside")
    assert (first.seq, first.prev_hash) == (1, FIRST_PREV_HASH)
    assert (second.seq, second.prev_hash) == (2, first.leaf_hash)
    assert second.leaf == f"lakeside 2 {first.leaf_hash.hex()}".encode()
    with database.read() as connection:
        assert find_entries(connection, "lakeside") == [first, second]
        assert load_entry(connection, "lakeside", 2) == second


def test_each_organization_has_a_ledger_of_its_own(database: Database) -> None:
    with database.begin() as connection:
        _append(connection, "lakeside")
        assert _append(connection, "hillside").seq == 1
        assert count_entries(connection, "lakeside") == 1
        with pytest.raises(NotFound):
            load_entry(connection, "hillside", 2)


def test_a_transaction_that_fails_leaves_no_gap(database: Database) -> None:
    with database.begin() as connection:
        _append(connection, "lakeside")
    with pytest.raises(KeyError), database.begin() as connection:
        assert _append(connection, "lakeside").seq == 2
        raise KeyError
    with database.begin() as connection:
        assert _append(connection, "lakeside").seq == 2


def test_writers_at_once_leave_no_gap_and_no_fork(database: Database) -> None:
    started = threading.Barrier(4)
    failures: list[BaseException] = []

    def work() -> None:
        started.wait()
        try:
            for _ in range(10):
                with database.begin() as connection:
                    _append(connection, "lakeside")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as connection:
        entries = find_entries(connection, "lakeside")
    assert [entry.seq for entry in entries] == list(range(1, 41))
    hashes = [FIRST_PREV_HASH, *(entry.leaf_hash for entry in entries)]
    assert [entry.prev_hash for entry in entries] == hashes[:-1]


def test_an_unknown_organization_has_no_ledger(database: Database) -> None:
    with pytest.raises(RecordRefused), database.begin() as connection:
        _append(connection, "nowhere")


def test_entries_are_paged_and_chosen_by_kind(database: Database) -> None:
    with database.begin() as connection:
        for kind in ("plan", "attempt", "plan", "outcome"):
            _append(connection, "lakeside", kind)
        assert [e.seq for e in find_entries(connection, "lakeside", after_seq=1, limit=2)] == [2, 3]
        assert [e.seq for e in find_entries(connection, "lakeside", kind="plan")] == [1, 3]
        everything = list(read_entries(connection, "lakeside"))
        assert [e.seq for e in everything] == [1, 2, 3, 4]
        assert list(read_leaf_hashes(connection, "lakeside")) == [e.leaf_hash for e in everything]
        assert list(read_leaf_hashes(connection, "lakeside", size=2)) == [e.leaf_hash for e in everything[:2]]


def test_checkpoints_only_grow(database: Database) -> None:
    small, large = (Checkpoint(size=n, root=bytes([n] * 32), note=f"note {n}", signed_at=NOW) for n in (2, 5))
    with database.begin() as connection:
        assert find_last_checkpoint(connection, "lakeside") is None
        save_checkpoint(connection, "lakeside", small)
        save_checkpoint(connection, "lakeside", large)
        save_checkpoint(connection, "hillside", small)
    with database.read() as connection:
        assert find_last_checkpoint(connection, "lakeside") == large
        assert find_checkpoints(connection, "lakeside", before_size=5) == [small]
    for again in (small, large):
        with pytest.raises(RecordRefused), database.begin() as connection:
            save_checkpoint(connection, "lakeside", again)
