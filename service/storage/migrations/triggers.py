"""Triggers that keep what is recorded as it was recorded, in the words of each database.

Steps of the schema use them; like the steps they are not changed after a release.
"""

from __future__ import annotations

from collections.abc import Iterable

from alembic import op

Edge = tuple[str, str]

_REFUSE = """
CREATE FUNCTION rollcall_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is not allowed', TG_OP, TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""

_REFUSE_GAP = """
CREATE FUNCTION rollcall_refuse_gap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq <> (SELECT COALESCE(MAX(seq), 0) + 1 FROM ledger_entry WHERE organization_id = NEW.organization_id) THEN
        RAISE EXCEPTION 'the next entry has the next number' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$
"""

_REFUSE_OLD_SIZE = """
CREATE FUNCTION rollcall_refuse_old_size() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.size <= (SELECT COALESCE(MAX(size), -1) FROM checkpoint WHERE organization_id = NEW.organization_id) THEN
        RAISE EXCEPTION 'checkpoints only grow' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$
"""


def create_functions() -> None:
    """Create what the triggers of PostgreSQL call; SQLite's need nothing."""
    if not _is_sqlite():
        for function in (_REFUSE, _REFUSE_GAP, _REFUSE_OLD_SIZE):
            op.execute(function)


def forbid_changes(table: str) -> None:
    """Make a table append-only: no UPDATE, no DELETE, no TRUNCATE."""
    _refuse(f"{table}_no_update", f"BEFORE UPDATE ON {table}", f"{table} is append-only")
    forbid_removal(table)


def forbid_removal(table: str) -> None:
    """Let rows of a table be changed but not removed."""
    _refuse(f"{table}_no_delete", f"BEFORE DELETE ON {table}", f"rows of {table} are not removed")
    if not _is_sqlite():
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION rollcall_refuse()"
        )


def forbid_gaps() -> None:
    """Let only the next number into the ledger; this also stops INSERT OR REPLACE, which no other trigger does."""
    next_seq = "(SELECT COALESCE(MAX(seq), 0) + 1 FROM ledger_entry WHERE organization_id = NEW.organization_id)"
    _check(
        "ledger_entry_gapless",
        "ledger_entry",
        f"NEW.seq IS NOT {next_seq}",
        "the next entry has the next number",
        "rollcall_refuse_gap",
    )


def forbid_old_sizes() -> None:
    """Let only a checkpoint over more entries than all before into the table."""
    largest = "(SELECT COALESCE(MAX(size), -1) FROM checkpoint WHERE organization_id = NEW.organization_id)"
    _check(
        "checkpoint_grows",
        "checkpoint",
        f"NEW.size <= {largest}",
        "checkpoints only grow",
        "rollcall_refuse_old_size",
    )


def allow_moves(table: str, first: str, edges: Iterable[Edge]) -> None:
    """Let a row begin in state `first` and move only along the edges."""
    allowed = " OR ".join(f"(OLD.state = '{old}' AND NEW.state = '{new}')" for old, new in edges)
    _refuse(
        f"{table}_begins_{first}",
        f"BEFORE INSERT ON {table}",
        f"{table} begins as {first}",
        when=f"NEW.state <> '{first}'",
    )
    _refuse(
        f"{table}_moves",
        f"BEFORE UPDATE ON {table}",
        f"this move of {table} is not allowed",
        when=f"NEW.state <> OLD.state AND NOT ({allowed})",
    )


def fix_columns(table: str, *columns: str) -> None:
    """Let nobody change these columns once the row is written."""
    differs = "IS NOT" if _is_sqlite() else "IS DISTINCT FROM"
    changed = " OR ".join(f"NEW.{name} {differs} OLD.{name}" for name in columns)
    _refuse(f"{table}_fixed", f"BEFORE UPDATE ON {table}", f"{table} was written with other words", when=changed)


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _refuse(name: str, moment: str, message: str, *, when: str | None = None) -> None:
    condition = f" WHEN ({when})" if when else ""
    if _is_sqlite():
        op.execute(f"CREATE TRIGGER {name} {moment}{condition} BEGIN SELECT RAISE(ABORT, '{message}'); END")
    else:
        op.execute(f"CREATE TRIGGER {name} {moment} FOR EACH ROW{condition} EXECUTE FUNCTION rollcall_refuse()")


def _check(name: str, table: str, sqlite_when: str, message: str, function: str) -> None:
    if _is_sqlite():
        _refuse(name, f"BEFORE INSERT ON {table}", message, when=sqlite_when)
    else:
        op.execute(f"CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()")
