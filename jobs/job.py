"""What a job is: a name, how often to look, which slot is due, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.slots import Due, LastRun
from service.runtime import Runtime
from service.workflows.onboard import Organization

FindDue = Callable[[datetime, Organization, LastRun | None], Due]
Run = Callable[[Runtime, str], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Job:
    """One job of the clock process.

    `run` does the work for one organisation and answers what is worth keeping (counts, never a patient value). With
    `find_due` each slot is one row; without it the job does what it finds at every look and keeps no rows.
    """

    name: str
    summary: str
    every_seconds: int
    run: Run
    find_due: FindDue | None = None
    is_watched: bool = False
