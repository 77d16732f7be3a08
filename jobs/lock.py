"""Exactly one clock process beside a SQLite database: a file lock that the kernel lets go when the process ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.domain.errors import Busy

LOCK_NAME = "jobs.lock"


@contextmanager
def hold_lock(data_dir: Path) -> Iterator[None]:
    """Hold the lock of a data folder; raises Busy at once when another clock process holds it."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data_dir / LOCK_NAME).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy(
                "Another clock process runs on this data folder already.",
                next_action="Leave it running, or stop it first; SQLite takes one clock process only.",
            ) from None
        yield
