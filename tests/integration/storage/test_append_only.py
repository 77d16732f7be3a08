"""What is recorded stays as it was recorded: every way of changing the ledger from inside is refused."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from service.storage.database import Database
from service.storage.errors import RecordRefused, StorageError
from service.storage.ledger import Checkpoint, append_entry, find_entries, save_checkpoint
from service.storage.people import Access, find_accesses, record_access

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
COLUMNS = "organization_id, seq, kind, at, actor, leaf, leaf_hash, prev_hash"

ATTACKS = {
    "update": "UPDATE ledger_entry SET actor = 'somebody else'",
    "update of the key": "UPDATE ledger_entry SET seq = seq + 10",
    "move to another organization": "UPDATE ledger_entry SET organization_id = 'hillside'",
    "delete all": "DELETE FROM ledger_entry",
    "delete the last": "DELETE FROM ledger_entry WHERE seq = 3",
    "a gap": f"INSERT INTO ledger_entry ({COLUMNS}) SELECT organization_id, 99, kind, at, actor, leaf, leaf_hash,"
    " prev_hash FROM ledger_entry WHERE seq = 3",
    "a number used before": f"INSERT INTO ledger_entry ({COLUMNS}) SELECT organization_id, 2, kind, at, 'x', leaf,"
    " leaf_hash, prev_hash FROM ledger_entry WHERE seq = 3",
    "number zero": f"INSERT INTO ledger_entry ({COLUMNS}) SELECT organization_id, 0, kind, at, actor, leaf,"
    " leaf_hash, prev_hash FROM ledger_entry WHERE seq = 3",
    "upsert": f"INSERT INTO ledger_entry ({COLUMNS}) SELECT organization_id, 3, kind, at, 'x', leaf, leaf_hash,"
    " prev_hash FROM ledger_entry WHERE seq = 3 ON CONFLICT (organization_id, seq) DO UPDATE SET actor = 'x'",
    "checkpoint update": "UPDATE checkpoint SET root = leaf_hash FROM ledger_entry WHERE seq = 1",
    "checkpoint delete": "DELETE FROM checkpoint",
    "a smaller checkpoint": "INSERT INTO checkpoint SELECT organization_id, 1, root, note, signed_at FROM checkpoint",
    "access log update": "UPDATE access_log SET actor = 'nobody'",
    "access log delete": "DELETE FROM access_log",
}
SQLITE_ATTACKS = {
    "replace": f"INSERT OR REPLACE INTO ledger_entry ({COLUMNS}) SELECT organization_id, 2, kind, at, 'x', leaf,"
    " leaf_hash, prev_hash FROM ledger_entry WHERE seq = 3",
    "replace of a checkpoint": "INSERT OR REPLACE INTO checkpoint SELECT organization_id, size, root, 'x', signed_at"
    " FROM checkpoint",
    "update or replace": "UPDATE OR REPLACE ledger_entry SET seq = 2 WHERE seq = 3",
    "drop trigger": "DROP TRIGGER ledger_entry_no_update",
    "drop table": "DROP TABLE ledger_entry",
    "rename": "ALTER TABLE ledger_entry RENAME TO old_entry",
    "add column": "ALTER TABLE ledger_entry ADD COLUMN more TEXT",
    "new trigger": "CREATE TRIGGER t BEFORE INSERT ON ledger_entry BEGIN SELECT RAISE(IGNORE); END",
    "temporary trigger": "CREATE TEMP TRIGGER t BEFORE INSERT ON ledger_entry BEGIN SELECT RAISE(IGNORE); END",
    "writable schema": "PRAGMA writable_schema=ON",
    "write to the schema": "DELETE FROM sqlite_master WHERE type = 'trigger'",
    "recursive triggers off": "PRAGMA recursive_triggers=OFF",
    "foreign keys off": "PRAGMA foreign_keys=OFF",
}
POSTGRESQL_ATTACKS = {
    "truncate": "TRUNCATE ledger_entry",
    "truncate of checkpoints": "TRUNCATE checkpoint",
    "truncate through a reference": "TRUNCATE organization CASCADE",
}


@pytest.fixture
def recorded(database: Database) -> Database:
    """Three entries, one checkpoint and one look, all of `lakeside`."""
    with database.begin() as connection:
        for kind in ("plan", "sign-off", "attempt"):
            append_entry(
                connection,
                "lakeside",
                kind=kind,
                at=NOW,
                actor="officer@example.org",
                build_leaf=lambda seq, prev: b"%d %s" % (seq, prev.hex().encode()),
                hash_leaf=lambda leaf: hashlib.sha256(b"\0" + leaf).digest(),
            )
        save_checkpoint(connection, "lakeside", Checkpoint(size=3, root=bytes(32), note="note", signed_at=NOW))
        record_access(
            connection, "lakeside", Access(at=NOW, actor="officer", action="unmask", subject="patient 1", rows=1)
        )
    return database


def _attack(database: Database, statement: str) -> None:
    with database.read() as connection:
        before = find_entries(connection, "lakeside"), find_entries(connection, "hillside")
        looks = find_accesses(connection, "lakeside")
    with pytest.raises(StorageError), database.begin() as connection:
        connection.execute(text(statement))
    with database.read() as connection:
        assert (find_entries(connection, "lakeside"), find_entries(connection, "hillside")) == before
        assert find_accesses(connection, "lakeside") == looks
        assert connection.scalar(text("SELECT count(*) FROM checkpoint")) == 1
    assert len(before[0]) == 3


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_the_record_is_refused(recorded: Database, name: str) -> None:
    _attack(recorded, ATTACKS[name])


@pytest.mark.parametrize("migrated_database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", SQLITE_ATTACKS)
def test_an_attack_that_only_sqlite_knows_is_refused(recorded: Database, name: str) -> None:
    _attack(recorded, SQLITE_ATTACKS[name])


@pytest.mark.parametrize("migrated_database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", POSTGRESQL_ATTACKS)
def test_an_attack_that_only_postgresql_knows_is_refused(recorded: Database, name: str) -> None:
    _attack(recorded, POSTGRESQL_ATTACKS[name])


def test_the_next_number_is_let_in(recorded: Database) -> None:
    with recorded.begin() as connection:
        connection.execute(
            text(
                f"INSERT INTO ledger_entry ({COLUMNS}) SELECT organization_id, 4, kind, at, actor, leaf, leaf_hash,"
                " prev_hash FROM ledger_entry WHERE seq = 3"
            )
        )
        assert len(find_entries(connection, "lakeside")) == 4


@pytest.mark.parametrize("table", ["sign_off", "hold_decision", "intent", "attempt"])
def test_decisions_and_attempts_have_triggers_against_removal(database: Database, table: str) -> None:
    statement = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name = :name"
    if database.dialect == "postgresql":
        statement = "SELECT count(*) FROM pg_trigger WHERE tgname = :name"
    with database.read() as connection:
        assert connection.scalar(text(statement), {"name": f"{table}_no_delete"}) == 1


def test_the_refusal_names_the_rule_and_not_the_row(recorded: Database) -> None:
    with pytest.raises(RecordRefused) as caught, recorded.begin() as connection:
        connection.execute(text("UPDATE ledger_entry SET actor = 'somebody-else'"))
    assert "somebody-else" not in str(caught.value)
    assert caught.value.__cause__ is None
