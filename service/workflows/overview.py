"""What a compliance officer sees first: what lapses when, how full the Groups are, what waits, what the night did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.domain.attribution import Group
from service.domain.capacity import measure_capacity
from service.domain.expiry import BUCKETS, count_expiring
from service.domain.nights import find_next_night
from service.domain.policy import CAPACITY_WARNING_PERCENT
from service.runtime import Runtime
from service.storage import deliveries, intents, job_runs, organizations, panels, people, plans, practitioners
from service.storage.connection import Connection
from service.storage.job_runs import JobRun
from service.storage.people import Incident
from service.storage.sealing import OrganizationKeys
from service.workflows.conflicts import KIND as CONFLICT
from service.workflows.deliveries import DeliveryView, view_deliveries
from service.workflows.holds import HoldView, view_hold
from service.workflows.observe import load_groups
from service.workflows.plan import OPEN_STATES
from service.workflows.plans import PlanHead, view_head
from service.workflows.silence import KIND as SILENT
from service.workflows.silence import find_feed_id, find_silences, is_silent_still

NIGHTLY = "nightly"


@dataclass(frozen=True, slots=True)
class PractitionerRow:
    """One practitioner: attributions by days left, how full the Group is, how many the roster wants."""

    npi: str
    name: str | None
    buckets: Mapping[str, int]
    active: int
    stored: int
    limit: int
    capacity_percent: int
    is_nearly_full: bool
    wanted: int


@dataclass(frozen=True, slots=True)
class RunView:
    """One run of a job for its slot."""

    job: str
    scheduled_for: datetime
    state: str
    started_at: datetime | None
    finished_at: datetime | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class IncidentView:
    """Something that costs an attribution or may."""

    kind: str
    npi: str | None
    cause: str
    n: int
    opened_at: datetime
    feed_id: str | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """One organisation at one moment, from the database alone.

    `open_holds` are about plans; `suspended_removals` are accepted deliveries that let nobody go yet.
    """

    organization: organizations.Organization
    now: datetime
    totals: Mapping[str, int]
    active: int
    practitioners: tuple[PractitionerRow, ...]
    open_holds: tuple[HoldView, ...]
    held_deliveries: tuple[DeliveryView, ...]
    suspended_removals: tuple[DeliveryView, ...]
    waiting_plan: PlanHead | None
    last_run: RunView | None
    next_run_at: datetime
    last_reading_at: datetime | None
    open_attempts: int
    incidents: tuple[IncidentView, ...]


def show_overview(rt: Runtime, organization_id: str) -> Overview:
    """Answer the overview of one organisation; counts only, no patient value, so the look is not logged."""
    now = rt.now()
    keys = rt.load_keys(organization_id)
    with rt.database.read() as connection:
        organization = organizations.load_organization(connection, organization_id)
        rows = _show_practitioners(connection, keys, organization, now)
        unfinished = [p for s in OPEN_STATES for p in plans.find_plans(connection, organization_id, state=s, limit=1)]
        waiting = deliveries.find_deliveries(connection, organization_id, waiting=True, limit=50)
        asked = view_deliveries(connection, organization_id, waiting, now)
        holds = plans.find_holds(connection, organization_id, state="open")
        runs = job_runs.find_runs(connection, organization_id, job=NIGHTLY, limit=1)
        heads = panels.find_panel_heads(connection, organization_id, side="observed")
        readings = [h.read_at for h in heads if h.read_at]
        silences = find_silences(connection, organization_id, now)  # what came a moment ago has ended its silence
        return Overview(
            organization=organization,
            now=now,
            totals={b.name: sum(row.buckets[b.name] for row in rows) for b in BUCKETS},
            active=sum(row.active for row in rows),
            practitioners=tuple(rows),
            open_holds=tuple(view_hold(connection, organization_id, h, now) for h in holds if h.plan_id),
            held_deliveries=tuple(delivery for delivery in asked if delivery.state == "held"),
            suspended_removals=tuple(delivery for delivery in asked if delivery.state != "held"),
            waiting_plan=view_head(unfinished[0]) if unfinished else None,
            last_run=view_run(runs[0]) if runs else None,
            next_run_at=find_next_night(now, organization.time_zone, runs[0].scheduled_for if runs else None),
            last_reading_at=max(readings, default=None),
            open_attempts=len(intents.find_open_attempts(connection, organization_id)),
            incidents=_show_incidents(
                incident
                for incident in people.find_incidents(connection, organization_id, only_open=True)
                if incident.kind != SILENT or is_silent_still(incident.cause, silences)
            ),
        )


def view_run(run: JobRun) -> RunView:
    """Answer a job run as it is shown."""
    return RunView(run.job, run.scheduled_for, run.state, run.started_at, run.finished_at, dict(run.detail or {}))


def _show_practitioners(
    connection: Connection, keys: OrganizationKeys, organization: organizations.Organization, now: datetime
) -> list[PractitionerRow]:
    groups = load_groups(connection, keys, organization.id)
    named = practitioners.find_practitioners(connection, organization.id)
    wanted: Counter[str] = Counter()
    for head in panels.find_panel_heads(connection, organization.id, side="claims"):
        wanted[head.npi] = max(wanted[head.npi], head.n_active)
    rows = []
    for npi in sorted(groups.keys() | wanted.keys()):
        group = groups.get(npi) or Group(npi, None)
        capacity = measure_capacity(group, now, organization.patient_limit)
        known = named.get(npi)
        name = " ".join(part for part in (known.given, known.family) if part) if known else ""
        rows.append(
            PractitionerRow(
                npi,
                name or None,
                count_expiring(group.attributions, now),
                capacity.active,
                capacity.stored,
                capacity.limit,
                capacity.percent,
                capacity.percent >= CAPACITY_WARNING_PERCENT,
                wanted[npi],
            )
        )
    return rows


def _find_feed(kind: str, cause: str) -> str | None:
    """Answer which feed an incident is about, if it is about one."""
    return find_feed_id(cause) if kind in (SILENT, CONFLICT) else None


def _show_incidents(found: Iterable[Incident]) -> tuple[IncidentView, ...]:
    grouped: dict[tuple[str, str | None, str], list[Incident]] = {}
    for incident in found:
        grouped.setdefault((incident.kind, incident.npi, incident.cause), []).append(incident)
    return tuple(
        IncidentView(
            kind,
            npi,
            cause,
            len(some),
            min(i.opened_at for i in some),
            find_feed_id(cause) if kind in (SILENT, CONFLICT) else None,
        )
        for (kind, npi, cause), some in sorted(grouped.items(), key=lambda item: str(item[0]))
    )
