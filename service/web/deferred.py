"""What runs behind an answer: reading the deliveries of an organisation in order, and applying a plan."""

from __future__ import annotations

import logging

from service.domain.errors import Busy, Unsigned, WrongState
from service.domain.people import Action, Actor, check_may
from service.domain.states import check_move
from service.runtime import Runtime
from service.web.background import BackgroundPool
from service.web.problems import describe_error, describe_status
from service.workflows.apply import apply_plan
from service.workflows.deliveries import DeliveryView, find_deliveries, iter_waiting, load_delivery
from service.workflows.digest import digest_delivery
from service.workflows.onboard import find_organizations
from service.workflows.plan import draw_plan
from service.workflows.plans import PlanHead, load_plan_view

WAITING_BOUND = 20
"""Deliveries of one organisation that may wait to be read; beyond it senders are asked to come back."""

_log = logging.getLogger(__name__)


def may_receive(runtime: Runtime, organization_id: str, arriving: int) -> bool:
    """Answer whether fewer deliveries wait to be read, with those that arrive now, than the bound allows."""
    waiting = find_deliveries(runtime, organization_id, state="received", limit=WAITING_BOUND + 1)
    return len(waiting) + arriving <= WAITING_BOUND


def submit_digest(pool: BackgroundPool, runtime: Runtime, organization_id: str) -> bool:
    """Have the organisation's waiting deliveries read soon, one after the other in order of arrival."""
    return pool.submit(_digest_key(organization_id), lambda: digest_in_order(runtime, organization_id))


def wait_for_reading(
    pool: BackgroundPool, runtime: Runtime, organization_id: str, delivery_id: str, seconds: float
) -> DeliveryView:
    """Answer a delivery as it is once it has been read, or when the time is over."""
    pool.wait_for(_digest_key(organization_id), seconds)
    return load_delivery(runtime, organization_id, delivery_id)


def submit_waiting(pool: BackgroundPool, runtime: Runtime) -> bool:
    """Have every delivery read that an earlier process received but did not come to read."""

    def submit_all() -> None:
        for organization in find_organizations(runtime):
            submit_digest(pool, runtime, organization.id)

    return pool.submit(("digest", None), submit_all)


def digest_in_order(runtime: Runtime, organization_id: str) -> None:
    """Read deliveries, the oldest first, until none is left; one that fails stays `received` and is logged."""
    for delivery_id in iter_waiting(runtime, organization_id):
        _digest_one(runtime, organization_id, delivery_id)


def _digest_key(organization_id: str) -> tuple[str, str]:
    return "digest", organization_id


def apply_key(plan_id: str) -> tuple[str, str]:
    """Answer the key under which the pool knows the applying of a plan."""
    return "apply", plan_id


def submit_apply(pool: BackgroundPool, runtime: Runtime, organization_id: str, plan_id: str, actor: Actor) -> bool:
    """Have a signed plan applied; its progress is the state of the plan. Answers False if there is no room."""
    key = apply_key(plan_id)
    return pool.is_pending(key) or pool.submit(key, lambda: apply_plan(runtime, organization_id, plan_id, actor))


def draw_key(organization_id: str) -> tuple[str, str]:
    """Answer the key under which the pool knows the drawing of an organisation's plan."""
    return "draw", organization_id


def submit_draw(pool: BackgroundPool, runtime: Runtime, organization_id: str, actor: Actor) -> bool:
    """Have a plan drawn; it appears in the list if anything is to change. Answers False if there is no room."""
    key = draw_key(organization_id)
    return pool.is_pending(key) or pool.submit(key, lambda: draw_plan(runtime, organization_id, actor=actor))


def check_applicable(runtime: Runtime, organization_id: str, plan_id: str, actor: Actor) -> PlanHead:
    """Answer the head of a plan that may be applied now by this actor, before it is given to the pool.

    Raises NotFound, NotAllowed, Unsigned or WrongState; the verb checks all of it again when it runs.
    """
    check_may(actor, Action.APPLY_PLAN, organization_id)
    head = load_plan_view(runtime, organization_id, plan_id, actor).head
    if head.state == "drafted":
        raise Unsigned("Nobody has signed this plan yet.")
    check_move("plan", head.state, "applying")
    return head


def _digest_one(runtime: Runtime, organization_id: str, delivery_id: str) -> None:
    try:
        digest_delivery(runtime, organization_id, delivery_id)
    except (Busy, WrongState):
        return  # another process reads it, or has read it
    except Exception as error:  # one bad file must not keep the others waiting
        problem = describe_error(error) or describe_status(500)
        _log.error("delivery %s stays received: %s (%s)", delivery_id, type(error).__name__, problem.code)
