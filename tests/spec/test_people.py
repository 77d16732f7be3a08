"""Who may do what, and which roles one person must not hold together."""

from __future__ import annotations

import pytest

from service.domain.errors import NotAllowed
from service.domain.people import Action, Actor, Role, check_may, check_roles, may
from tests.spec.tables import Row, read_table

MATRIX = read_table("""
    step                              | feeder | reviewer | attester | admin | operator | job
    send a delivery                   | yes    | no       | no       | no    | yes      | no
    read rosters and reports          | no     | yes      | yes      | no    | yes      | no
    draw a plan                       | no     | yes      | yes      | no    | yes      | yes
    decide on what is held            | no     | yes      | yes      | no    | no       | no
    sign a plan                       | no     | no       | yes      | no    | no       | no
    apply a signed plan               | no     | yes      | yes      | no    | yes      | yes
    change settings, keys and people  | no     | no       | no       | yes   | yes      | no
""")

ACTORS = {role.value: Actor(role.value, "lakeside", frozenset({role})) for role in Role}
ACTORS |= {"operator": Actor.operator(), "job": Actor.job("nightly")}
CELLS = [(row, who) for row in MATRIX for who in ACTORS]


@pytest.mark.parametrize(("row", "who"), CELLS, ids=[f"{who}, {row['step']}" for row, who in CELLS])
def test_each_step_is_open_to_the_roles_that_the_table_says(row: Row, who: str) -> None:
    actor, action = ACTORS[who], Action(row["step"])
    assert may(actor, action, "lakeside") is (row[who] == "yes")
    if row[who] == "yes":
        check_may(actor, action, "lakeside")
    else:
        with pytest.raises(NotAllowed, match=row["step"]):
            check_may(actor, action, "lakeside")


def test_the_table_names_every_step_and_every_role() -> None:
    assert {row["step"] for row in MATRIX} == {action.value for action in Action}
    assert set(MATRIX[0]) == {"step", *(role.value for role in Role), "operator", "job"}


@pytest.mark.parametrize("action", Action, ids=lambda action: action.value)
def test_nobody_may_do_anything_in_another_organization_or_without_a_role(action: Action) -> None:
    everything = Actor("ann", "lakeside", frozenset(Role))
    assert may(everything, action, "lakeside")
    assert not may(everything, action, "hillside")
    assert not may(Actor("bob", "lakeside"), action, "lakeside")
    assert not may(Actor("cay", None, frozenset(Role)), action, "lakeside")


def test_a_machine_is_bound_by_its_role_like_a_person() -> None:
    machine = Actor("ehr", "lakeside", frozenset({Role.FEEDER}), kind="machine", scopes=frozenset({"deliveries"}))
    assert [action for action in Action if may(machine, action, "lakeside")] == [Action.SEND_DELIVERY]


def test_nobody_is_admin_and_attester_at_once() -> None:
    with pytest.raises(NotAllowed):
        check_roles(frozenset({Role.ADMIN, Role.ATTESTER}))
    with pytest.raises(NotAllowed):
        check_roles(frozenset(Role))


@pytest.mark.parametrize("roles", [{Role.ADMIN, Role.REVIEWER}, {Role.REVIEWER, Role.ATTESTER, Role.FEEDER}, set()])
def test_other_roles_may_be_held_together(roles: set[Role]) -> None:
    check_roles(frozenset(roles))
