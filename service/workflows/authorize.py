"""Standing authorisations: a person answers in advance for adds and renewals, within bounds and until a date."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domain.authorisation import StandingTerms, check_standing, keep_covered
from service.domain.canonical import write_time
from service.domain.errors import InvalidInput, NotAllowed, Unsigned
from service.domain.identifiers import is_npi
from service.domain.people import Action, Actor, check_may
from service.domain.plan import read_plan
from service.domain.typed_words import read_reason
from service.runtime import Runtime
from service.storage import organizations, plans
from service.storage.plans import SignOff, StandingAuthorisation
from service.workflows.record import record_fact


@dataclass(frozen=True, slots=True)
class AuthorizationView:
    """A standing authorisation: who, why, from when to when, for which practitioners (all when none is listed)."""

    id: str
    person: str
    reason: str
    from_at: datetime
    until_at: datetime
    npis: tuple[str, ...]
    revoked_at: datetime | None


def authorize(
    rt: Runtime, organization_id: str, *, days: int, reason: str, actor: Actor, npis: Iterable[str] = ()
) -> AuthorizationView:
    """Sign a standing authorisation for at most 90 days; it covers adds and renewals of listed practitioners only."""
    check_may(actor, Action.SIGN_PLAN, organization_id)
    npis = list(npis)
    reason = read_reason(reason, "A standing authorisation")
    if wrong := [npi for npi in npis if not is_npi(npi)]:
        raise InvalidInput(f"These are no NPIs: {', '.join(wrong)}.", next_action="Name practitioners by ten digits.")
    now = rt.now()
    until_at = now + timedelta(days=days)
    check_standing(now, until_at)
    listed = sorted(npis)
    added = StandingAuthorisation(
        person=actor.name, reason=reason, from_at=now, until_at=until_at, terms={"npis": listed}
    )
    with rt.database.begin() as connection:
        organizations.load_organization(connection, organization_id)
        plans.add_standing_authorisation(connection, organization_id, added)
        record_fact(
            connection,
            organization_id,
            "standing-authorised",
            at=now,
            actor=actor.name,
            body={"authorisation": added.id, "until": write_time(until_at), "npis": list(listed)},
        )
    return _view(added)


def revoke(rt: Runtime, organization_id: str, authorisation_id: str, actor: Actor) -> AuthorizationView:
    """End a standing authorisation at once; raises NotFound, WrongState."""
    check_may(actor, Action.SIGN_PLAN, organization_id)
    now = rt.now()
    with rt.database.begin() as connection:
        plans.revoke_authorisation(connection, organization_id, authorisation_id, person=actor.name, now=now)
        body = {"authorisation": authorisation_id}
        record_fact(connection, organization_id, "standing-revoked", at=now, actor=actor.name, body=body)
        return _view(plans.load_authorisation(connection, organization_id, authorisation_id))


def find_authorizations(rt: Runtime, organization_id: str) -> list[AuthorizationView]:
    """Answer every standing authorisation there ever was, newest first."""
    with rt.database.read() as connection:
        return [_view(a) for a in plans.find_authorisations(connection, organization_id)]


def find_standing(rt: Runtime, organization_id: str) -> AuthorizationView | None:
    """Answer the standing authorisation in force that lasts longest, None without one."""
    with rt.database.read() as connection:
        found = plans.find_active_authorisations(connection, organization_id, rt.now())
    return _view(found[0]) if found else None


def read_terms(view: AuthorizationView) -> StandingTerms:
    """Answer the bounds of an authorisation as the rules want them."""
    return StandingTerms(view.until_at, frozenset(view.npis))


def sign_by_standing(rt: Runtime, organization_id: str, plan_id: str, view: AuthorizationView, actor: Actor) -> None:
    """Sign a plan that was drawn within the bounds of a standing authorisation; the ledger names both.

    Raises Unsigned when the authorisation has ended, NotAllowed when the plan goes beyond its bounds.
    """
    now = rt.now()
    with rt.database.begin() as connection:
        active = {a.id for a in plans.find_active_authorisations(connection, organization_id, now)}
        if view.id not in active:
            raise Unsigned("The standing authorisation has ended.")
        plan = plans.load_plan(connection, organization_id, plan_id)
        keys = rt.open_keys(connection, organization_id)
        changes = read_plan(json.loads(plans.load_plan_body(connection, keys, organization_id, plan_id))).changes
        if keep_covered(changes, read_terms(view), now) != changes:
            raise NotAllowed("The standing authorisation does not cover this plan.")
        sign_off = SignOff(
            plan_id=plan_id,
            fingerprint=plan.fingerprint,
            person=view.person,
            reason=f"standing authorisation of {write_time(view.from_at)}",
            signed_at=now,
            authorisation_id=view.id,
        )
        plans.add_sign_off(connection, organization_id, sign_off)
        plans.set_plan_state(connection, organization_id, plan_id, "drafted", "signed")
        record_fact(
            connection,
            organization_id,
            "plan-signed",
            at=now,
            actor=actor.name,
            body={"plan": plan_id, "fingerprint": plan.fingerprint, "authorisation": view.id, "sign_off": sign_off.id},
        )


def _view(found: StandingAuthorisation) -> AuthorizationView:
    npis = tuple(str(n) for n in found.terms.get("npis", ()))
    return AuthorizationView(
        found.id, found.person, found.reason, found.from_at, found.until_at, npis, found.revoked_at
    )
