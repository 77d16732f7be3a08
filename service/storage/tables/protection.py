"""What a SQLite connection of the application may not do, whatever statement reaches it."""

from __future__ import annotations

import sqlite3
from typing import Any

_FORBIDDEN = {
    sqlite3.SQLITE_ALTER_TABLE,
    sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
    sqlite3.SQLITE_CREATE_TRIGGER,
    sqlite3.SQLITE_DROP_INDEX,
    sqlite3.SQLITE_DROP_TABLE,
    sqlite3.SQLITE_DROP_TEMP_TRIGGER,
    sqlite3.SQLITE_DROP_TRIGGER,
    sqlite3.SQLITE_DROP_VIEW,
}
_WRITES = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
_SCHEMA_TABLES = {"sqlite_master", "sqlite_schema"}
_PRAGMAS = {
    "data_version",
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "integrity_check",
    "page_count",
    "page_size",
    "query_only",
    "quick_check",
    "table_info",
    "table_xinfo",
    "wal_checkpoint",
}


def forbid_schema_changes(dbapi_connection: Any, _record: object) -> None:
    """Deny every change of the schema and of the protective pragmas on this connection.

    Triggers cannot stop DROP TRIGGER or writable_schema; only SQLite's authorizer can. Whoever opens the file with
    another program is not stopped by anything in it.
    """
    dbapi_connection.set_authorizer(_authorize)


def _authorize(action: int, first: str | None, second: str | None, _database: str | None, _trigger: str | None) -> int:
    if action in _FORBIDDEN:
        return sqlite3.SQLITE_DENY
    if action in _WRITES and first in _SCHEMA_TABLES:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and str(first).lower() not in _PRAGMAS and second is not None:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
