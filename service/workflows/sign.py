"""Sign a plan: one person answers for exactly what they were shown."""

from __future__ import annotations

import hmac

from service.domain.authorisation import STATEMENT
from service.domain.errors import NotAllowed, StalePlan, WrongState
from service.domain.ledger import digest_bytes
from service.domain.people import Action, Actor, check_may
from service.domain.typed_words import read_reason
from service.runtime import Runtime
from service.storage import plans
from service.storage.plans import SignOff
from service.workflows.plans import PlanHead, view_head
from service.workflows.record import record_fact

_ANEW = "Draw a new plan."
_AFTER = {"signed": "Apply it; it is signed and has not been sent yet."}
"""What to do with a plan that is not waiting for a signature."""


def sign_plan(
    rt: Runtime, organization_id: str, plan_id: str, *, fingerprint: str, reason: str, actor: Actor
) -> PlanHead:
    """Sign a drafted plan whose fingerprint is the one that was read; sign-off, state and ledger entry are one fact.

    Raises NotAllowed (no attester; or the person who asked for an overwrite), StalePlan (another fingerprint),
    WrongState (not drafted, or nothing in it to sign).
    """
    check_may(actor, Action.SIGN_PLAN, organization_id)
    reason = read_reason(reason, "A sign-off")
    now = rt.now()
    with rt.database.begin() as connection:
        plan = plans.load_plan(connection, organization_id, plan_id)
        if plan.state != "drafted":
            raise WrongState(
                f"The plan is {plan.state} and takes no further signature.",
                next_action=_AFTER.get(plan.state, _ANEW),
                at_terminal=f"Send it: rollcall apply {plan_id}." if plan.state == "signed" else None,
            )
        if not hmac.compare_digest(plan.fingerprint.encode(), fingerprint.strip().lower().encode()):
            raise StalePlan("The fingerprint is not that of this plan: what you read is not what would be signed.")
        if not sum(n for kind, n in plan.counts.items() if kind not in ("held", "left_out")):
            raise WrongState(
                "Everything in this plan is held.", next_action="Decide on what is held; then draw a plan."
            )
        if plan.overwrite and plan.drafted_by == actor.name:
            raise NotAllowed(
                "An overwrite is signed by somebody else than the person who asked for it.",
                next_action="Ask a second attester to read and sign it.",
            )
        sign_off = SignOff(
            plan_id=plan_id, fingerprint=plan.fingerprint, person=actor.name, reason=reason, signed_at=now
        )
        plans.add_sign_off(connection, organization_id, sign_off)
        plans.set_plan_state(connection, organization_id, plan_id, "drafted", "signed")
        record_fact(
            connection,
            organization_id,
            "plan-signed",
            at=now,
            actor=actor.name,
            body={
                "plan": plan_id,
                "fingerprint": plan.fingerprint,
                "sign_off": sign_off.id,
                "reason": digest_bytes(reason.encode()),
                "statement": digest_bytes(STATEMENT.encode()),
            },
        )
        return view_head(plans.load_plan(connection, organization_id, plan_id))
