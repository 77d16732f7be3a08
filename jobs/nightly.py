"""The nightly job: reconcile each organisation once per local date, from 03:30 there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jobs.job import Job
from jobs.slots import Due, LastRun, find_due_nights
from service.domain.people import Actor
from service.runtime import Runtime
from service.workflows.onboard import Organization
from service.workflows.reconcile import reconcile_organization
from service.workflows.sweep import sweep


def find_due(now: datetime, organization: Organization, last: LastRun | None) -> Due:
    """Answer tonight's slot in the organisation's zone, and the missed ones; nothing before it is connected."""
    if not organization.base_url or organization.created_at is None:
        return Due()
    return find_due_nights(now, organization.time_zone, organization.created_at, last)


def reconcile_one(rt: Runtime, organization_id: str) -> Mapping[str, Any]:
    """Settle, read, plan, and apply what a standing authorisation covers; doing it twice finds nothing to do.

    Then every Group is read once more and compared with what is approved, whatever the history says.
    """
    report = reconcile_organization(rt, organization_id, actor=Actor.job("nightly"))
    swept = sweep(rt, organization_id)
    return {
        "outcome": report.outcome,
        "plan": report.plan_id,
        "counts": {kind: n for kind, n in report.counts.items() if n},
        "held": report.held_n,
        "left_out": report.left_out_n,
        "landed": report.applied.landed if report.applied else 0,
        "unexplained": len(swept.findings),
    }


NIGHTLY = Job(
    "nightly", "reconcile each organisation once per local date", 30, reconcile_one, find_due, is_watched=True
)
