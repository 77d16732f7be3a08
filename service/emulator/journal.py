"""The journal's place on disk: one JSON line a request, beside the database, so that a restart forgets nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson


class JournalFile:
    """Lines beside a database file; with a database in memory, nothing at all."""

    def __init__(self, data: Path | None) -> None:
        self._path = data.with_name(f"{data.name}.log") if data else None

    def load(self) -> list[dict[str, Any]]:
        """The entries of earlier runs; a line that a killed process left half-written is passed over."""
        if self._path is None or not self._path.exists():
            return []
        found = []
        for line in self._path.read_bytes().splitlines():
            try:
                found.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                continue
        return found

    def append(self, entry: dict[str, Any]) -> None:
        """Keep one entry as it is now, when its request has ended."""
        if self._path is not None:
            with self._path.open("ab") as lines:
                lines.write(orjson.dumps(entry) + b"\n")

    def clear(self) -> None:
        """Forget every entry."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
