"""Changed MBIs, right and wrong ones: how they are told, and what is seen of them."""

from __future__ import annotations

from collections.abc import Sequence

from practice import ADA, BRUNO, Practice, build_mbi

from service.storage.patients import PatientIdentity, find_patients_by_mbi
from service.workflows.deliveries import DeliveryView
from service.workflows.plans import load_plan_body

FORMER, WRONG, RIGHT = 1, 91, 95
OF_ADA, OF_BRUNO = [*range(1, 13)], [*range(20, 26)]
NOBODY_ELSE = OF_ADA[1:]


def tell_change(practice: Practice, former: int, new: int, feed: str = "adt") -> DeliveryView:
    """An HL7 v2 message: change of patient identifier list."""
    practice.sent += 1
    lines = [
        f"MSH|^~\\&|EHR|CLINIC|||20260302083000||ADT^A47|C{practice.sent}|P|2.5",
        f"PID|1||{build_mbi(new)}^^^CMS^MC",
        f"MRG|{build_mbi(former)}^^^CMS^MC",
    ]
    return practice.deliver("\r".join(lines).encode(), feed=feed)


def accept_change(practice: Practice, former: int, new: int) -> DeliveryView:
    """A change that waits for a person is released by one."""
    delivery = tell_change(practice, former, new)
    assert (delivery.state, delivery.hold_code) == ("held", "joined_patients")
    practice.accept(delivery.id)
    return delivery


def accept_roster(practice: Practice, body: bytes) -> None:
    """A roster that lists both numbers, described as two people, waits for a person; one accepts it."""
    delivery = practice.deliver(body)
    assert (delivery.state, delivery.hold_code) == ("held", "joined_patients")
    practice.accept(delivery.id)


def tell_wrongly(practice: Practice, new: int = WRONG) -> None:
    assert tell_change(practice, FORMER, new).state == "accepted"


def send_roster(practice: Practice, of_ada: Sequence[int], of_bruno: Sequence[int] = OF_BRUNO) -> None:
    practice.send_roster({ADA: of_ada, BRUNO: of_bruno})


def send_change_rows(practice: Practice, *rows: tuple[int, str]) -> None:
    practice.sent += 1
    lines = ["MBI,NPI,Action", *(f"{build_mbi(n)},{ADA},{action}" for n, action in rows), *[""] * practice.sent]
    assert practice.deliver("\r\n".join(lines).encode(), feed="changes").state == "accepted"


def name(*numbers: int) -> set[str]:
    return {build_mbi(n) for n in numbers}


def read_known(practice: Practice, number: int) -> PatientIdentity:
    mbi = build_mbi(number)
    with practice.rt.database.begin() as connection:
        keys = practice.rt.open_keys(connection, "lakeside")
        return find_patients_by_mbi(connection, keys, "lakeside", [mbi])[mbi].identity


def list_planned(practice: Practice) -> list[tuple[str, int, bool]]:
    plan = practice.draw()
    changes = load_plan_body(practice.rt, "lakeside", plan.head.id).changes if plan else ()
    return [(c.kind.value, c.n, c.is_rename) for c in changes if c.npi]


def apply_until_nothing_is_left(practice: Practice) -> list[tuple[str, int, bool]]:
    planned: list[tuple[str, int, bool]] = []
    while found := list_planned(practice):
        planned += found
        practice.apply_all()
    return planned
