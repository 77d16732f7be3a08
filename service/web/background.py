"""Work that outlives its request: a small bounded pool that reads deliveries and applies plans."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

from service.web.problems import Problem, describe_error, describe_status

WORKERS = 2
QUEUE_BOUND = 20
SEATS = 2
"""Requests that may wait for work to end."""

_log = logging.getLogger(__name__)


class BackgroundPool:
    """At most two at work and twenty waiting; what fails is remembered under its key and logged without values."""

    def __init__(self, workers: int = WORKERS, bound: int = QUEUE_BOUND) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="background")
        self._bound = bound + workers
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._seats = threading.BoundedSemaphore(SEATS)
        self._pending: set[Hashable] = set()
        self._again: set[Hashable] = set()
        self._failures: dict[Hashable, Problem] = {}
        self._is_closed = False

    def is_pending(self, key: Hashable) -> bool:
        """Answer whether the work of that key waits or runs."""
        with self._lock:
            return key in self._pending

    def find_failure(self, key: Hashable) -> Problem | None:
        """Answer why the last work of that key stopped; None if it did not fail in this process."""
        with self._lock:
            return self._failures.get(key)

    def submit(self, key: Hashable, action: Callable[[], object]) -> bool:
        """Take work unless there is no room. Answers whether it was taken.

        The same key runs once at a time; what comes while it runs makes it run once more, so nothing is overlooked.
        """
        with self._lock:
            if key in self._pending:
                self._again.add(key)
                return True
            if self._is_closed or len(self._pending) >= self._bound:
                return False
            self._pending.add(key)
            self._failures.pop(key, None)
        self._executor.submit(self._run, key, action)
        return True

    def wait(self) -> None:
        """Return once nothing is waiting or running."""
        with self._idle:
            self._idle.wait_for(lambda: not self._pending)

    def wait_for(self, key: Hashable, seconds: float) -> bool:
        """Return once the work of that key is done, or the time is over. Answers whether it is done.

        Few may wait at once, so that those who wait never take all threads that answer; others do not wait at all.
        """
        if not self._seats.acquire(blocking=False):
            return not self.is_pending(key)
        try:
            with self._idle:
                return self._idle.wait_for(lambda: key not in self._pending, seconds)
        finally:
            self._seats.release()

    def close(self) -> None:
        """Take no more work, drop what has not begun and wait for what has; waiting deliveries stay `received`."""
        with self._lock:
            self._is_closed = True
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _run(self, key: Hashable, action: Callable[[], object]) -> None:
        failure = self._try(action)
        with self._idle:
            if failure is not None:
                self._failures[key] = failure
            if key in self._again and not self._is_closed:
                self._again.discard(key)
                self._executor.submit(self._run, key, action)
            else:
                self._again.discard(key)
                self._pending.discard(key)
                self._idle.notify_all()

    def _try(self, action: Callable[[], object]) -> Problem | None:
        try:
            action()
        except Exception as error:  # nobody waits for the answer, so whatever happens is recorded here
            failure = describe_error(error) or describe_status(500)
            # The class and code alone: the text of an unexpected error may quote a patient value.
            _log.error("background work stopped: %s (%s)", type(error).__name__, failure.code)
            return failure
        return None
