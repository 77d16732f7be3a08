"""Plans, the sign-offs that answer for them, and the holds that wait for a person."""

from __future__ import annotations

from service.storage.plans.holds import (
    Hold,
    HoldDecision,
    add_hold_decision,
    find_hold_decisions,
    find_holds,
    find_released_fingerprints,
    load_hold,
    lock_hold,
    save_holds,
    set_hold_state,
)
from service.storage.plans.plans import Plan, find_plans, load_plan, load_plan_body, save_plan, set_plan_state
from service.storage.plans.sign_offs import (
    SignOff,
    StandingAuthorisation,
    add_sign_off,
    add_standing_authorisation,
    find_active_authorisations,
    find_authorisations,
    find_sign_offs,
    load_authorisation,
    revoke_authorisation,
)

__all__ = [
    "Hold",
    "HoldDecision",
    "Plan",
    "SignOff",
    "StandingAuthorisation",
    "add_hold_decision",
    "add_sign_off",
    "add_standing_authorisation",
    "find_active_authorisations",
    "find_authorisations",
    "find_hold_decisions",
    "find_holds",
    "find_plans",
    "find_released_fingerprints",
    "find_sign_offs",
    "load_authorisation",
    "load_hold",
    "load_plan",
    "load_plan_body",
    "lock_hold",
    "revoke_authorisation",
    "save_holds",
    "save_plan",
    "set_hold_state",
    "set_plan_state",
]
