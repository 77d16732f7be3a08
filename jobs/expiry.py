"""The hourly job: an incident for every wanted attribution that lapses, and for every feed that has fallen silent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jobs.job import Job
from jobs.slots import Due, LastRun, find_due_hour
from service.runtime import Runtime
from service.workflows.incidents import watch_expiry
from service.workflows.onboard import Organization
from service.workflows.silence import watch_feeds


def find_due(now: datetime, organization: Organization, last: LastRun | None) -> Due:
    """Answer the present hour unless it was looked at already."""
    return find_due_hour(now, organization.created_at or now, last)


def watch_one(rt: Runtime, organization_id: str) -> Mapping[str, Any]:
    """Compare period ends with what the practice wants, and deliveries with their cadence; asks nothing of DPC."""
    watches = (watch_expiry(rt, organization_id), watch_feeds(rt, organization_id))
    return {
        "opened": sum(watch.opened for watch in watches),
        "closed": sum(watch.closed for watch in watches),
        "open": sum(watch.still_open for watch in watches),
    }


EXPIRY = Job(
    "expiry", "open an incident for each attribution about to lapse and each silent feed", 30, watch_one, find_due
)
