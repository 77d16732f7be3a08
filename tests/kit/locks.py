"""Waiting until somebody else waits, which only PostgreSQL can tell."""

from __future__ import annotations

import time

from sqlalchemy import Connection, text

PATIENCE_SECONDS = 60


def wait_until_somebody_waits(connection: Connection) -> None:
    """Go on as soon as another process waits for a lock; SQLite lets nobody begin beside this one, so never waits."""
    if connection.dialect.name != "postgresql":
        return
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.02)
