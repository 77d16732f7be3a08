"""Rows of pieces behind one another, put there as they come, so that no row is held twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.rosters.columns.evaluate import Judged

_COLUMNS = ("line", "mbi", "npi", "verdict", "date_code")


class RowStore:
    """Columns for an expected number of rows; memory is taken as rows come, and none when they are too many."""

    def __init__(self, first: Judged, expected: int) -> None:
        sample: dict[str, NDArray[Any]] = {name: getattr(first, name) for name in _COLUMNS}
        self._columns = {name: np.empty(expected if len(part) else 0, part.dtype) for name, part in sample.items()}
        self._room = expected if len(first.line) else 0
        self._count = 0
        self._is_whole = True

    def add(self, part: Judged) -> Judged:
        """Answers the part as rows of the store, or as it is when there is no room left."""
        stop = self._count + len(part.line)
        if not self._is_whole or stop > self._room:
            self._is_whole = False
            return part
        kept: dict[str, Any] = {}
        for name, column in self._columns.items():
            if len(column):
                kept[name] = column[self._count : stop]
                kept[name][:] = getattr(part, name)
        self._count = stop
        return replace(part, **kept)

    def find_whole(self, parts: Sequence[Judged]) -> Judged | None:
        """Answers all parts as one, None if they did not all find room."""
        if not self._is_whole:
            return None
        columns: dict[str, Any] = {name: column[: self._count] for name, column in self._columns.items()}
        return Judged(
            **columns,
            months_over_twelve=sum(part.months_over_twelve for part in parts),
            dead=np.concatenate([part.dead for part in parts]),
        )
