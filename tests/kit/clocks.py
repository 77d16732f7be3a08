"""Clocks to which something happens, so that two processes meet at a moment of their work and never by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from practice import Practice

from service.runtime import Runtime
from service.workflows.digest import digest_delivery

LONGER = timedelta(minutes=6)
"""More than anything is kept for."""


@dataclass
class Clock:
    """A clock that something happens to, once, when it is asked for the n-th time; each asking takes a while."""

    at: datetime
    n: int
    happens: Callable[[], object] = lambda: None
    each_takes: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        self.n -= 1
        self.at += self.each_takes
        if self.n == 0:
            self.happens()
        return self.at


def build_later(practice: Practice, by: timedelta = LONGER) -> Runtime:
    """Another process, whose clock shows a later time."""
    at = practice.rt.now() + by
    return replace(practice.rt, clock=lambda: at)


def build_overtaken(practice: Practice, moment: int, quick_one: str) -> Runtime:
    """A process that takes so long at a moment that another one reads and accepts a delivery meanwhile."""
    clock = Clock(practice.rt.now(), moment)

    def overtake() -> None:
        clock.at += LONGER
        assert digest_delivery(build_later(practice), "lakeside", quick_one).state == "accepted"

    clock.happens = overtake
    return replace(practice.rt, clock=clock)
