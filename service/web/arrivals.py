"""How many files of each organisation are on their way in: they wait to be read as soon as they have come."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Arrivals:
    """Counts, for each organisation, the files whose bodies this process is taking in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    @contextmanager
    def count_in(self, organization_id: str) -> Iterator[int]:
        """Count one more file while the block runs; yields how many others arrive."""
        with self._lock:
            others = self._counts[organization_id]
            self._counts[organization_id] += 1
        try:
            yield others
        finally:
            with self._lock:
                self._counts[organization_id] -= 1
