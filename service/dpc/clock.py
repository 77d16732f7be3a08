"""A clock that follows an emulator's, so that days pass for the service when they pass there."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from service.dpc.errors import DpcError, DpcUnavailable
from service.dpc.portal import read_clock

ASK_EVERY_SECONDS = 1.0
TOLERANCE = timedelta(seconds=1)


class EmulatorClock:
    """Callable that answers the emulator's time (aware, UTC), asking it at most once per second.

    Keeps the last known difference to this machine's clock while the emulator cannot be reached, in `memory` also
    beyond this process, so that what was recorded can still be read when the emulator has ended. Raises DpcUnavailable
    when it was never reached, NotAllowed when it is not on this machine.
    """

    def __init__(
        self, origin: str, *, memory: Path | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._origin = origin
        self._memory = memory
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._asked_at: float | None = None
        self._offset: timedelta | None = None

    def __call__(self) -> datetime:
        with self._lock:
            if self._asked_at is None or self._monotonic() - self._asked_at >= ASK_EVERY_SECONDS:
                self._ask()
            if self._offset is None:
                self._asked_at = None  # the next call asks again at once
                raise DpcUnavailable(
                    "The emulator's clock could not be reached.",
                    next_action="Start the emulator that ROLLCALL_CLOCK names, or set ROLLCALL_CLOCK=system.",
                )
            return datetime.now(UTC) + self._offset

    def forget(self) -> None:
        """Makes the next call ask again, for somebody who has just moved the emulator's clock."""
        with self._lock:
            self._asked_at = None

    def _ask(self) -> None:
        try:
            offset = read_clock(self._origin) - datetime.now(UTC)
            if self._offset is None or abs(offset - self._offset) > TOLERANCE:
                self._remember(offset)
            self._offset = offset
        except DpcError:
            if self._offset is None:
                self._offset = self._recall()
        self._asked_at = self._monotonic()

    def _remember(self, offset: timedelta) -> None:
        if self._memory is not None:
            with contextlib.suppress(OSError):
                self._memory.write_text(str(offset.total_seconds()), encoding="utf-8")

    def _recall(self) -> timedelta | None:
        if self._memory is None:
            return None
        with contextlib.suppress(OSError, ValueError, OverflowError):
            return timedelta(seconds=float(self._memory.read_text(encoding="utf-8")))
        return None
