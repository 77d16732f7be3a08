"""The state of each organisation in a few times and counts, for monitors and lists."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from service.domain.intake import REMOVAL_RULES
from service.domain.nights import find_next_night
from service.runtime import Runtime
from service.storage import deliveries, intents, job_runs, organizations, plans
from service.workflows.overview import NIGHTLY
from service.workflows.silence import find_silences


@dataclass(frozen=True, slots=True)
class OrganizationStatus:
    """When the night last ran and changed anything, when it runs next, how much waits for a person, who is silent.

    `open_holds` are all questions that wait; among them are those about `held_deliveries`, whose rows do not count, and
    about `suspended_removals`, accepted deliveries that let nobody go until a person has decided.
    """

    organization_id: str
    name: str
    last_run_at: datetime | None
    last_run_state: str | None
    last_change_at: datetime | None
    next_run_at: datetime
    open_holds: int
    held_deliveries: int
    suspended_removals: int
    silent_feeds: tuple[str, ...]


def show_status(rt: Runtime, organization_ids: Collection[str] | None = None) -> list[OrganizationStatus]:
    """Answer the status of the given organisations, or of all."""
    with rt.database.read() as connection:
        found = []
        for organization in organizations.find_organizations(connection):
            if organization_ids is not None and organization.id not in organization_ids:
                continue
            runs = job_runs.find_runs(connection, organization.id, job=NIGHTLY, limit=1)
            holds = plans.find_holds(connection, organization.id, state="open")
            landed = intents.find_last_landed_at(connection, organization.id)
            last = runs[0] if runs else None
            found.append(
                OrganizationStatus(
                    organization.id,
                    organization.name,
                    last.started_at if last else None,
                    last.state if last else None,
                    landed,
                    find_next_night(rt.now(), organization.time_zone, last.scheduled_for if last else None),
                    len(holds),
                    len(deliveries.find_deliveries(connection, organization.id, state="held", limit=500)),
                    sum(1 for hold in holds if hold.delivery_id and hold.rule in REMOVAL_RULES),
                    tuple(one.feed_id for one in find_silences(connection, organization.id, rt.now())),
                )
            )
    return found
