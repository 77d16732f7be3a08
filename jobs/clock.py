"""The clock process: APScheduler only ticks; rows in the database decide what runs."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from types import FrameType

from apscheduler.events import EVENT_SCHEDULER_STARTED
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.blocking import BlockingScheduler

from jobs.lock import hold_lock
from jobs.registry import JOBS
from jobs.runner import fail_unknown_jobs, name_holder, tick
from service.runtime import Runtime

log = logging.getLogger(__name__)


def run_clock(rt: Runtime) -> None:
    """Tick until SIGTERM or SIGINT, then finish what runs. Raises Busy when SQLite has its one clock already."""
    is_alone = rt.settings.database_url.startswith("sqlite")
    with hold_lock(rt.settings.data_dir) if is_alone else nullcontext():
        fail_unknown_jobs(rt)
        scheduler = build_scheduler(rt)
        with _stopping_on_signals(scheduler):
            log.info("the clock runs: %s", ", ".join(JOBS))
            scheduler.start()
        log.info("the clock has stopped")


def build_scheduler(rt: Runtime) -> BlockingScheduler:
    """Answer a scheduler in UTC that calls `tick` for each job and remembers nothing itself (reliability S2.2)."""
    scheduler = BlockingScheduler(
        jobstores={"default": MemoryJobStore()},
        timezone=UTC,
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
    )
    holder = name_holder()
    for job in JOBS.values():
        scheduler.add_job(
            tick,
            "interval",
            args=(rt, job, holder),
            id=job.name,
            seconds=job.every_seconds,
            next_run_time=datetime.now(UTC),
        )
    return scheduler


@contextmanager
def _stopping_on_signals(scheduler: BlockingScheduler) -> Iterator[None]:
    """The scheduler is stopped on a thread of its own: it waits for runs, and a signal's frame may hold its locks.

    A signal may come before the scheduler runs; then it is stopped as soon as it does.
    """
    stoppers: list[threading.Thread] = []
    has_started = threading.Event()
    scheduler.add_listener(lambda _event: has_started.set(), EVENT_SCHEDULER_STARTED)

    def stop_when_started() -> None:
        has_started.wait()
        scheduler.shutdown()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if not stoppers:
            stoppers.append(threading.Thread(target=stop_when_started, name="stop-clock", daemon=True))
            stoppers[0].start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
        for stopper in stoppers:
            stopper.join()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
