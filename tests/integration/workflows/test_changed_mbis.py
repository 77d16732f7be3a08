"""A changed MBI from the message that tells it to DPC: no churn, no second patient, nothing lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from asking import list_wanted
from practice import ADA, OPERATOR, RUTH, Practice, build_mbi, write_roster

from service.storage.patients import find_patients_by_mbi
from service.workflows.deliveries import DeliveryView, find_findings
from service.workflows.feeds import add_feed, set_feed
from service.workflows.holds import decide_delivery
from service.workflows.plans import load_plan_body

FORMER, PRESENT = 1, 90
EVERYBODY = [*range(1, 13)]
AFTER = [PRESENT, *EVERYBODY[1:]]


def write_change(former: int, new: int, control_id: str = "M1") -> bytes:
    """An HL7 v2 message: change of patient identifier list."""
    return "\r".join(
        [
            f"MSH|^~\\&|EHR|CLINIC|||20260302083000||ADT^A47|{control_id}|P|2.5",
            f"PID|1||{build_mbi(new)}^^^CMS^MC",
            f"MRG|{build_mbi(former)}^^^CMS^MC",
        ]
    ).encode()


def write_changes(changes: list[tuple[int, int]]) -> bytes:
    return b"\r".join(write_change(former, new, f"M{n}") for n, (former, new) in enumerate(changes))


def tell_change(practice: Practice, former: int = FORMER, new: int = PRESENT, control_id: str = "M1") -> DeliveryView:
    delivery = practice.deliver(write_change(former, new, control_id), feed="adt")
    assert delivery.state == "accepted", delivery.hold_reason
    return delivery


@pytest.fixture
def told(loaded: Practice) -> Iterator[Practice]:
    """Twelve patients are at DPC with one practitioner, and a stream of messages is a feed of its own."""
    add_feed(loaded.rt, "lakeside", feed_id="adt", actor=OPERATOR)
    yield loaded


def list_found(practice: Practice, delivery: DeliveryView) -> list[tuple[str, str]]:
    """Position and code of everything that a person is shown of a delivery."""
    return [(one.position, one.code) for one in find_findings(practice.rt, "lakeside", delivery.id)]


def list_planned(practice: Practice) -> list[tuple[str, int, bool]]:
    plan = practice.draw()
    changes = load_plan_body(practice.rt, "lakeside", plan.head.id).changes if plan else ()
    return [(c.kind.value, c.n, c.is_rename) for c in changes if c.npi]


def test_a_message_alone_is_a_delivery(told: Practice) -> None:
    assert tell_change(told).present_count == 0


def test_the_new_number_is_attested_first_and_the_former_one_removed_then(told: Practice) -> None:
    tell_change(told)
    assert list_planned(told) == [("add", 1, True)]
    told.apply_all()
    assert told.read_active()[ADA] == {build_mbi(n) for n in [FORMER, *AFTER]}
    assert list_planned(told) == [("remove", 1, True)]
    told.apply_all()
    assert told.read_active()[ADA] == {build_mbi(n) for n in AFTER}
    assert told.draw() is None


def test_a_roster_with_the_new_numbers_is_neither_short_nor_strange(told: Practice) -> None:
    moved = {n: n + 80 for n in EVERYBODY[:8]}
    for n, new in moved.items():
        tell_change(told, n, new, f"M{n}")
    roster = {ADA: [moved.get(n, n) for n in EVERYBODY], "3990000010": range(20, 26)}
    delivery = told.send_roster(roster)
    assert delivery.state == "accepted"
    assert [c for c in list_planned(told) if not c[2]] == []


def test_the_same_roster_without_the_message_waits_for_a_person(told: Practice) -> None:
    roster = {ADA: [n + 80 for n in EVERYBODY[:8]] + EVERYBODY[8:], "3990000010": range(20, 26)}
    delivery = told.deliver(write_roster(roster))
    assert (delivery.state, delivery.hold_code) == ("held", "patients_missing")


def test_a_feed_that_still_sends_the_former_number_means_the_same_patient(told: Practice) -> None:
    tell_change(told)
    for _ in range(2):
        told.send_roster({ADA: EVERYBODY, "3990000010": range(20, 26)})
    assert list_planned(told) == [("add", 1, True)]


def test_who_had_the_former_number_is_known_under_the_new_one(told: Practice) -> None:
    tell_change(told)
    with told.rt.database.begin() as connection:
        keys = told.rt.open_keys(connection, "lakeside")
        numbers = [build_mbi(FORMER), build_mbi(PRESENT)]
        former, new = (find_patients_by_mbi(connection, keys, "lakeside", numbers)[mbi].identity for mbi in numbers)
    assert (former.given, former.family, former.birth_on) == (new.given, new.family, new.birth_on)
    assert former.birth_on is not None


def test_a_change_of_somebody_who_is_no_patient_here_is_not_kept(told: Practice) -> None:
    tell_change(told, 500, 501)
    with told.rt.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM mbi_change").scalar_one() == 0


def test_neither_number_stands_in_the_open(told: Practice) -> None:
    tell_change(told)
    with told.rt.database.read() as connection:
        (body,) = connection.exec_driver_sql("SELECT body FROM mbi_change").scalars()
    assert build_mbi(FORMER).encode() not in bytes(body)
    assert build_mbi(PRESENT).encode() not in bytes(body)


@pytest.mark.parametrize("former", EVERYBODY[:4])
def test_two_changes_in_one_file_lead_to_the_last_number(told: Practice, former: int) -> None:
    told.deliver(write_changes([(former, 90), (90, 91)]), feed="adt")
    others = {build_mbi(n) for n in EVERYBODY if n != former}
    assert list_wanted(told, ADA) == others | {build_mbi(91)}


@pytest.mark.parametrize("former", EVERYBODY[:4])
def test_a_change_that_the_same_file_takes_back_changes_nothing(told: Practice, former: int) -> None:
    told.deliver(write_changes([(former, 90), (90, former)]), feed="adt")
    assert list_wanted(told, ADA) == {build_mbi(n) for n in EVERYBODY}


def test_a_change_that_is_released_late_is_not_the_last_word(told: Practice) -> None:
    add_feed(told.rt, "lakeside", feed_id="counted", settings={"expects_count": True}, actor=OPERATOR)
    held = told.deliver(write_change(FORMER, 80), feed="counted")
    assert held.state == "held"
    tell_change(told)
    told.accept_anew(held.id)
    assert list_wanted(told, ADA) == {build_mbi(n) for n in AFTER}


def test_a_number_of_somebody_else_on_the_same_roster_waits_for_a_person(told: Practice) -> None:
    delivery = told.deliver(write_change(1, 2), feed="adt")
    assert (delivery.state, delivery.hold_code) == ("held", "joined_patients")
    assert list_wanted(told, ADA) == {build_mbi(n) for n in EVERYBODY}
    told.accept(delivery.id)
    assert list_wanted(told, ADA) == {build_mbi(n) for n in EVERYBODY if n != 1}


def test_a_number_that_the_roster_knew_before_the_message_does_not(told: Practice) -> None:
    before = write_roster({ADA: EVERYBODY, "3990000010": range(20, 26)})
    told.deliver(before.replace(build_mbi(FORMER).encode(), build_mbi(PRESENT).encode()))
    tell_change(told)
    assert list_wanted(told, ADA) == {build_mbi(n) for n in AFTER}


def test_another_new_number_than_was_told_before_waits_for_a_person(told: Practice) -> None:
    tell_change(told)
    delivery = told.deliver(write_change(FORMER, PRESENT + 1, "M2"), feed="adt")
    assert (delivery.state, delivery.hold_code) == ("held", "joined_patients")
    assert told.deliver(write_change(PRESENT, PRESENT + 2, "M3"), feed="adt").state == "accepted"


@pytest.mark.parametrize(
    "changes", [[(n, PRESENT) for n in EVERYBODY], [(1, PRESENT), (PRESENT, 2)], [(1, 90), (1, 91)]]
)
def test_one_file_that_would_make_one_patient_of_several_waits_for_a_person(
    told: Practice, changes: list[tuple[int, int]]
) -> None:
    delivery = told.deliver(write_changes(changes), feed="adt")
    assert (delivery.state, delivery.hold_code) == ("held", "joined_patients")
    assert "would let nobody go" not in (delivery.hold_reason or "")
    assert list_found(told, delivery) == [(f"M{n}", "joined_patients") for n in range(len(changes))]
    assert list_wanted(told, ADA) == {build_mbi(n) for n in EVERYBODY}


def test_a_second_patient_does_not_get_the_number_of_the_first(told: Practice) -> None:
    tell_change(told, 1, PRESENT)
    delivery = told.deliver(write_change(2, PRESENT, "M2"), feed="adt")
    assert (delivery.state, delivery.hold_code) == ("held", "joined_patients")


def test_patients_whom_two_feeds_describe_as_two_people_are_not_joined_unseen(told: Practice) -> None:
    add_feed(told.rt, "lakeside", feed_id="site", mode="snapshot", actor=OPERATOR)
    other = told.deliver(write_roster({ADA: [300]}), feed="site")
    if other.state == "held":
        told.accept(other.id)
    delivery = told.deliver(write_change(300, 1), feed="adt")
    assert (delivery.state, delivery.hold_code) == ("held", "joined_patients")


def test_a_roster_that_describes_one_patient_as_two_waits_for_a_person(told: Practice) -> None:
    """It lists the former and the new number, with names and birth dates of two people: the change was wrong."""
    tell_change(told)
    held = told.deliver(write_roster({ADA: [*EVERYBODY, PRESENT], "3990000010": range(20, 26)}))
    assert (held.state, held.hold_code) == ("held", "joined_patients")
    assert (held.error_count, held.warning_count) == (0, 1)
    assert list_found(told, held) == [("2", "joined_patients")]


def test_bytes_that_a_person_has_refused_wait_for_a_person_however_they_are_read(told: Practice) -> None:
    body = write_roster({ADA: EVERYBODY, "3990000010": range(20, 26), "3990000028": [300]})
    held = told.deliver(body, as_of_at=told.rt.now() - timedelta(days=3))
    decide_delivery(told.rt, "lakeside", held.id, "reject", "not ours", RUTH)
    set_feed(told.rt, "lakeside", "ehr", {"encoding": "utf-8"}, OPERATOR)
    again = told.deliver(body, again=True)
    assert again.state == "held" and "A person refused the very same file before." in (again.hold_reason or "")
