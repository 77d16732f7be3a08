"""One way in to SQLite or PostgreSQL: transactions that are durable when they end, and breakages in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, exc, make_url, text
from sqlalchemy.pool import NullPool

from service.storage.errors import AlreadyRecorded, RecordRefused, StorageError, StorageUnavailable
from service.storage.tables.protection import forbid_schema_changes

BUSY_SECONDS = 5
_WRITES = "rollcall_writes"
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA secure_delete=ON",
    f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}",
)
_POSTGRESQL_SETTINGS = (
    "SET synchronous_commit = on",
    "SET TIME ZONE 'UTC'",
    f"SET lock_timeout = '{BUSY_SECONDS}s'",
)
_UNIQUE = {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "23505"}
_SQLITE_OTHER = {"SQLITE_AUTH", "SQLITE_ERROR", "SQLITE_MISMATCH", "SQLITE_RANGE", "SQLITE_TOOBIG"}
_READ_ONLY = ("SQLITE_READONLY", "25006")
_POSTGRESQL_AWAY = ("08", "25006", "40", "53", "55P03", "57", "58")


class Database:
    """A database that is open; connections come only from `begin` and `read`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction that may write; it is on disk when the block ends, or gone when the block raises.

        SQLite takes the write lock at once (BEGIN IMMEDIATE), so nothing read inside can change before the write.
        Raises StorageUnavailable, AlreadyRecorded or RecordRefused.
        """
        with say_in_our_words(), self._engine.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one moment and cannot write. Raises StorageUnavailable."""
        with say_in_our_words(), self._engine.connect() as connection:
            options: dict[str, Any] = {_WRITES: False}
            if self.dialect == "postgresql":
                options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            connection.execution_options(**options)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def open_database(url: str) -> Database:
    """Open `sqlite:///FILE` or `postgresql://...`; the schema must be there already (`service.storage.schema`).

    Connections of the application cannot change the schema on SQLite; migrations use their own.
    """
    engine = open_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", forbid_schema_changes)
    return Database(engine)


def open_engine(url: str, *, pooled: bool = True) -> Engine:
    """Build an engine with our settings on every connection and our words for every breakage."""
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    options: dict[str, Any] = {"hide_parameters": True}
    if parsed.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": BUSY_SECONDS}
    else:
        options["pool_pre_ping"] = pooled
    if not pooled:
        options["poolclass"] = NullPool
    engine = create_engine(parsed, **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", _prepare_postgresql)
    event.listen(engine, "handle_error", _translate, retval=True)
    return engine


def check_writable(connection: Connection) -> None:
    """Raise StorageUnavailable unless this transaction can write: it changes a row that does not exist."""
    with say_in_our_words():
        connection.execute(text("UPDATE lease SET token = token WHERE organization_id = ''"))


def _prepare_sqlite(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None  # the driver must not begin or commit on its own
    for pragma in _SQLITE_PRAGMAS:
        dbapi_connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, True)
    connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED")


def _prepare_postgresql(dbapi_connection: Any, _record: object) -> None:
    with dbapi_connection.cursor() as cursor:
        for setting in _POSTGRESQL_SETTINGS:
            cursor.execute(setting)
    dbapi_connection.commit()


@contextmanager
def say_in_our_words() -> Iterator[None]:
    """Raise every breakage of the database inside as StorageUnavailable, AlreadyRecorded or another StorageError."""
    try:
        yield
    except StorageError as error:
        error.__cause__ = None  # the driver's own text may quote a row
        error.__suppress_context__ = True
        raise
    except exc.DBAPIError as error:
        raise _name_breakage(error.orig) from None
    except exc.TimeoutError:
        raise StorageUnavailable("All connections to the database are in use.") from None


def _translate(context: ExceptionContext) -> BaseException | None:
    original = context.original_exception
    if isinstance(context.sqlalchemy_exception, exc.DBAPIError):
        return _name_breakage(original)
    return original if isinstance(original, (StorageError, ValueError)) else None


def _name_breakage(error: BaseException | None) -> StorageError:
    """Choose our class by the driver's error code; the driver's own text may quote a row and is left behind."""
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    if code in _UNIQUE:
        return AlreadyRecorded(f"A row with this key exists already ({_name_place(error)}).")
    if code and code.startswith(_READ_ONLY):
        return StorageUnavailable(
            f"The database cannot be written ({code}).",
            next_action="Give the account that runs this write access to the database and the folder it is in.",
        )
    if _is_unavailable(error, code):
        return StorageUnavailable(f"The database cannot be used now ({code or type(error).__name__}).")
    if code is None or code == "SQLITE_ERROR" or (code.startswith("42") and code != "42501"):
        return StorageError(
            f"The database does not know what it was asked for ({code or type(error).__name__}).",
            next_action="Run `rollcall migrate`; the schema may be older than the program.",
        )
    return RecordRefused(f"The database refused the statement ({code}, {_name_place(error)}).")


def _is_unavailable(error: BaseException | None, code: str | None) -> bool:
    if code is None:
        return any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)
    if code.startswith("SQLITE_"):
        return not code.startswith("SQLITE_CONSTRAINT") and code not in _SQLITE_OTHER
    return code.startswith(_POSTGRESQL_AWAY)


def _name_place(error: BaseException | None) -> str:
    diagnostic = getattr(error, "diag", None)
    if diagnostic is not None:
        return str(diagnostic.constraint_name or diagnostic.table_name or diagnostic.sqlstate)
    return str(error)  # SQLite names columns and constraints, never values
