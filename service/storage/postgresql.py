"""Writing many rows to PostgreSQL while the next ones are still being made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, exc

from service.storage.database import say_in_our_words


def write_ahead(connection: Connection, statement: str, parameters: Iterable[Sequence[Any]]) -> int:
    """Execute a statement of the driver's once for each parameters and answer how many rows all together changed.

    Nothing is waited for before the end: the server works on what it was sent while the next parameters are made, which
    on that account must not use the connection. When one execution fails, none after it has any effect. Raises
    StorageUnavailable, AlreadyRecorded or RecordRefused.
    """
    driver: Any = connection.connection.driver_connection
    cursors = []
    with say_in_our_words():
        try:
            with driver.pipeline():
                for each in parameters:
                    cursors.append(driver.cursor())
                    cursors[-1].execute(statement, each)
        except connection.dialect.loaded_dbapi.Error as error:
            raise exc.DBAPIError(None, None, error) from None
    return sum(cursor.rowcount for cursor in cursors)
