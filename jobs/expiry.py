"""The hourly job: an incident for every wanted attribution that will lapse or has lapsed, with its cause."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jobs.job import Job
from jobs.slots import Due, LastRun, find_due_hour
from service.runtime import Runtime
from service.workflows.incidents import watch_expiry
from service.workflows.onboard import Organization


def find_due(now: datetime, organization: Organization, last: LastRun | None) -> Due:
    """Answer the present hour unless it was looked at already."""
    return find_due_hour(now, organization.created_at or now, last)


def watch_one(rt: Runtime, organization_id: str) -> Mapping[str, Any]:
    """Compare period ends with what the practice wants; asks nothing of DPC."""
    watch = watch_expiry(rt, organization_id)
    return {"opened": watch.opened, "closed": watch.closed, "open": watch.still_open}


EXPIRY = Job("expiry", "open an incident for each wanted attribution about to lapse", 30, watch_one, find_due)
