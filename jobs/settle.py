"""The job that finds out, by reading, what became of calls without a usable answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.job import Job
from service.runtime import Runtime
from service.workflows.settle import settle


def settle_one(rt: Runtime, organization_id: str) -> Mapping[str, Any]:
    """Settle the organisation's open attempts whose quiet time has passed; asks DPC only when there are any."""
    report = settle(rt, organization_id)
    counts = {
        "landed": report.landed,
        "not_landed": report.not_landed,
        "still_open": report.still_open,
        "breaches": report.breaches,
    }
    return {name: n for name, n in counts.items() if n}


SETTLE = Job("settle", "find out what became of calls without a usable answer", 30, settle_one)
