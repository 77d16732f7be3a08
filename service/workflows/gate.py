"""What must be true when a plan is applied, and before each of its calls again: a signature, and the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from service.domain.attribution import Group
from service.domain.authorisation import SIGN_OFF_LASTS
from service.domain.change import Change
from service.domain.errors import StalePlan, Unsigned
from service.domain.guards import hold_changes
from service.runtime import Runtime
from service.storage import organizations, plans
from service.storage.connection import Connection
from service.storage.organizations import Organization
from service.storage.plans import Plan
from service.storage.sealing import OrganizationKeys
from service.workflows.plan import count_releases, measure_exposure
from service.workflows.policies import read_policy
from service.workflows.support import find_unsupported

STANDING = "standing"


def find_approval(connection: Connection, organization: Organization, plan: Plan, now: datetime) -> str | None:
    """Answer the id of the latest sign-off that covers exactly this plan at `now`, None without one.

    A person's counts for a day; a standing authorisation's no longer than the authorisation itself stands, and only
    while the organisation wants its plans approved so.
    """
    active: set[str] = set()
    if organization.approval == STANDING:
        active = {a.id for a in plans.find_active_authorisations(connection, organization.id, now)}
    for sign_off in reversed(plans.find_sign_offs(connection, organization.id, plan.id)):
        covers = sign_off.fingerprint == plan.fingerprint and now - sign_off.signed_at <= SIGN_OFF_LASTS
        if covers and (sign_off.authorisation_id is None or sign_off.authorisation_id in active):
            return sign_off.id
    return None


def is_over_limit(
    connection: Connection,
    keys: OrganizationKeys,
    organization: Organization,
    changes: Sequence[Change],
    groups: Mapping[str, Group],
    now: datetime,
) -> bool:
    """Answer whether the guards would hold any of a plan's changes by now: others have landed since it was drawn, or
    the decision that let it go has run out.
    """
    policy = read_policy(organization)
    exposure = measure_exposure(connection, organization.id, groups, policy, now)
    released = count_releases(connection, organization.id, now)
    _, held = hold_changes(changes, exposure, policy.guards, organization.id, released, keys.conceal)
    return bool(held)


def check_gate(rt: Runtime, keys: OrganizationKeys, organization_id: str, plan_id: str, change: Change) -> None:
    """Raise unless the change may go out now: Unsigned when nobody answers for the plan any more, StalePlan when a
    delivery that came in since has taken away what supports the change.
    """
    with rt.database.read() as connection:
        organization = organizations.load_organization(connection, organization_id)
        plan = plans.load_plan(connection, organization_id, plan_id)
        is_approved = find_approval(connection, organization, plan, rt.now()) is not None
        unsupported = find_unsupported(rt, connection, keys, organization_id, [change])
    if not is_approved:
        raise Unsigned(
            "The sign-off of this plan is no longer valid.", next_action="Draw a new plan and sign that one."
        )
    if unsupported:
        raise StalePlan(f"The rosters no longer support what was planned for practitioner {change.npi}.")
