"""The worker of the web process with the patience of a test: tenths of seconds where it has seconds."""

from __future__ import annotations

from typing import ClassVar

from service.web.worker import Pace, PacedWorker


class QuickWorker(PacedWorker):
    """Gives up soon on whoever sends nothing."""

    pace: ClassVar[Pace] = Pace(head_seconds=1, form_seconds=1, stall_seconds=1, grace_seconds=2)


class SteadyWorker(PacedWorker):
    """Waits long for the next byte of a file, and yet ends what comes by single bytes."""

    pace: ClassVar[Pace] = Pace(stall_seconds=60, grace_seconds=0.3, bytes_per_second=100_000)
