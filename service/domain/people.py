"""Who acts, in which role, and what each role may do; asked and enforced by one rule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from service.domain.errors import NotAllowed


class Role(StrEnum):
    """What a person may do in one organisation; nobody is both admin and attester."""

    FEEDER = "feeder"
    REVIEWER = "reviewer"
    ATTESTER = "attester"
    ADMIN = "admin"


class Action(StrEnum):
    """The steps that need a role."""

    SEND_DELIVERY = "send a delivery"
    READ_ROSTERS = "read rosters and reports"
    DRAW_PLAN = "draw a plan"
    DECIDE_HOLD = "decide on what is held"
    SIGN_PLAN = "sign a plan"
    APPLY_PLAN = "apply a signed plan"
    SET_UP = "change settings, keys and people"


_ALLOWED: dict[Action, frozenset[Role]] = {
    Action.SEND_DELIVERY: frozenset({Role.FEEDER}),
    Action.READ_ROSTERS: frozenset({Role.REVIEWER, Role.ATTESTER}),
    Action.DRAW_PLAN: frozenset({Role.REVIEWER, Role.ATTESTER}),
    Action.DECIDE_HOLD: frozenset({Role.REVIEWER, Role.ATTESTER}),
    Action.SIGN_PLAN: frozenset({Role.ATTESTER}),
    Action.APPLY_PLAN: frozenset({Role.REVIEWER, Role.ATTESTER}),
    Action.SET_UP: frozenset({Role.ADMIN}),
}
_OPERATOR_MAY_NOT = frozenset({Action.SIGN_PLAN, Action.DECIDE_HOLD})
_JOB_MAY = frozenset({Action.DRAW_PLAN, Action.APPLY_PLAN})


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that acts: a person, a machine with a token, a job, or an operator at a terminal."""

    name: str
    organization_id: str | None = None
    roles: frozenset[Role] = frozenset()
    kind: str = "person"
    scopes: frozenset[str] = frozenset()

    @classmethod
    def operator(cls) -> Actor:
        """Somebody with the keys at a terminal: may set up and run, but neither sign nor decide as nobody."""
        return cls("operator", kind="operator")

    @classmethod
    def job(cls, name: str) -> Actor:
        """A scheduled job: may plan and apply what is signed, nothing else."""
        return cls(f"job:{name}", kind="job")


def may(actor: Actor, action: Action, organization_id: str) -> bool:
    """Answer whether the actor may take the step in this organisation."""
    if actor.kind == "operator":
        return action not in _OPERATOR_MAY_NOT
    if actor.kind == "job":
        return action in _JOB_MAY
    return actor.organization_id == organization_id and bool(actor.roles & _ALLOWED[action])


def check_may(actor: Actor, action: Action, organization_id: str) -> None:
    """Raise NotAllowed unless the actor may take the step in this organisation."""
    if not may(actor, action, organization_id):
        raise NotAllowed(f"{actor.name} may not {action.value} here.")


def check_roles(roles: frozenset[Role]) -> None:
    """Raise NotAllowed for a set of roles that one person must not hold together."""
    if {Role.ADMIN, Role.ATTESTER} <= roles:
        raise NotAllowed(
            "Nobody may be admin and attester at once.",
            next_action="Give the two roles to two people.",
        )
