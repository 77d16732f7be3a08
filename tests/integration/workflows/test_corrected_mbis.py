"""A changed MBI that was wrong, accepted, and told otherwise later: everybody has what was told of them, no more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest
from asking import list_claimed, list_wanted
from changing_mbis import (
    FORMER,
    NOBODY_ELSE,
    OF_ADA,
    OF_BRUNO,
    RIGHT,
    WRONG,
    accept_change,
    accept_roster,
    apply_until_nothing_is_left,
    list_planned,
    name,
    read_known,
    send_change_rows,
    send_roster,
    tell_change,
    tell_wrongly,
)
from practice import ADA, BRUNO, OPERATOR, RUTH, VERA, Practice, build_mbi, write_roster

from service.domain.people import Actor
from service.storage.patients import PatientIdentity, find_patients_by_mbi
from service.workflows.effects import find_effects
from service.workflows.explain import explain
from service.workflows.feeds import add_feed
from service.workflows.waiting import find_cost_of_silence


def test_who_came_to_a_number_by_a_mistake_alone_goes_to_the_right_one(told: Practice) -> None:
    tell_wrongly(told)
    send_roster(told, OF_ADA)
    assert list_wanted(told, ADA) == name(WRONG, *NOBODY_ELSE)
    accept_change(told, FORMER, RIGHT)
    assert list_wanted(told, ADA) == name(RIGHT, *NOBODY_ELSE)
    send_roster(told, OF_ADA)
    assert list_wanted(told, ADA) == name(RIGHT, *NOBODY_ELSE)


def test_dpc_lets_the_mistaken_number_go_and_gets_the_right_one(told: Practice) -> None:
    tell_wrongly(told)
    send_roster(told, OF_ADA)
    assert apply_until_nothing_is_left(told) == [("add", 1, True), ("remove", 1, True)]
    accept_change(told, FORMER, RIGHT)
    assert sorted(apply_until_nothing_is_left(told)) == [("add", 1, False), ("remove", 1, False)]
    assert told.read_active() == {ADA: name(RIGHT, *NOBODY_ELSE), BRUNO: name(*OF_BRUNO)}


def test_a_mistake_found_while_the_former_number_stands_leaves_nobody_out(told: Practice) -> None:
    tell_wrongly(told)
    assert list_planned(told) == [("add", 1, True)]
    told.apply_all()
    accept_change(told, FORMER, RIGHT)
    assert told.read_active()[ADA] == name(FORMER, WRONG, *NOBODY_ELSE)
    assert apply_until_nothing_is_left(told) == [("remove", 1, False), ("add", 1, True), ("remove", 1, True)]
    assert told.read_active()[ADA] == name(RIGHT, *NOBODY_ELSE)


def test_somebody_else_keeps_what_was_told_under_the_own_number(told: Practice) -> None:
    accept_change(told, FORMER, 2)
    accept_roster(told, write_roster({ADA: OF_ADA, BRUNO: OF_BRUNO}) + b"\r\n" * 40)
    assert list_wanted(told, ADA) == name(*NOBODY_ELSE)
    accept_change(told, FORMER, RIGHT)
    assert list_wanted(told, ADA) == name(RIGHT, *NOBODY_ELSE)
    send_roster(told, [RIGHT, *NOBODY_ELSE])
    assert list_wanted(told, ADA) == name(RIGHT, *NOBODY_ELSE)
    assert list_planned(told) == [("add", 1, True)]


def test_somebody_else_is_let_go_only_where_nothing_was_told_of_them(told: Practice) -> None:
    accept_change(told, FORMER, 20)
    accept_roster(told, write_roster({ADA: OF_ADA, BRUNO: OF_BRUNO}) + b"\r\n" * 40)
    assert list_wanted(told, ADA) == name(20, *NOBODY_ELSE)
    apply_until_nothing_is_left(told)
    assert told.read_active() == {ADA: name(20, *NOBODY_ELSE), BRUNO: name(*OF_BRUNO)}
    accept_change(told, FORMER, RIGHT)
    claimed = list_claimed(told)
    assert claimed[ADA][0] == name(RIGHT, *NOBODY_ELSE) and build_mbi(20) in claimed[ADA][1]
    assert claimed[BRUNO] == (name(*OF_BRUNO), set())
    apply_until_nothing_is_left(told)
    assert told.read_active() == {ADA: name(RIGHT, *NOBODY_ELSE), BRUNO: name(*OF_BRUNO)}


def test_a_number_that_the_roster_told_itself_stays_until_the_roster_leaves_it_out(told: Practice) -> None:
    tell_wrongly(told)
    send_roster(told, [WRONG, *NOBODY_ELSE])
    accept_change(told, FORMER, RIGHT)
    assert list_wanted(told, ADA) == name(RIGHT, WRONG, *NOBODY_ELSE)
    for _ in range(2):
        send_roster(told, [RIGHT, *NOBODY_ELSE])
    assert list_wanted(told, ADA) == name(RIGHT, *NOBODY_ELSE)
    assert build_mbi(WRONG) in list_claimed(told)[ADA][1]


def test_a_former_number_that_rosters_have_left_out_long_since_does_not_come_back(told: Practice) -> None:
    tell_wrongly(told)
    for _ in range(2):
        send_roster(told, [WRONG, *NOBODY_ELSE])
    assert list_wanted(told, ADA) == name(WRONG, *NOBODY_ELSE)
    accept_change(told, FORMER, RIGHT)
    assert list_wanted(told, ADA) == name(WRONG, *NOBODY_ELSE)


def test_each_feed_keeps_what_it_told(told: Practice) -> None:
    send_change_rows(told, (FORMER, "add"), (30, "add"))
    tell_wrongly(told)
    send_change_rows(told, (WRONG, "add"))
    for _ in range(2):
        send_roster(told, [WRONG, *NOBODY_ELSE])
    assert list_wanted(told, ADA) == name(WRONG, 30, *NOBODY_ELSE)
    accept_change(told, FORMER, RIGHT)
    assert list_wanted(told, ADA) == name(RIGHT, WRONG, 30, *NOBODY_ELSE)


@pytest.mark.parametrize("number", [FORMER, WRONG])
def test_a_row_removes_a_patient_under_either_number(told: Practice, number: int) -> None:
    send_change_rows(told, (40, "add"), (41, "add"))
    assert tell_change(told, 40, 42).state == "accepted"
    gone = {FORMER: 40, WRONG: 42}[number]
    send_change_rows(told, (gone, "remove"))
    assert list_wanted(told, ADA) == name(41, *OF_ADA)
    accept_change(told, 40, 43)
    assert list_wanted(told, ADA) == name(41, *OF_ADA)


def test_a_mistake_that_went_on_from_number_to_number_is_let_go_everywhere(told: Practice) -> None:
    tell_wrongly(told)
    assert tell_change(told, WRONG, 92).state == "accepted"
    send_roster(told, OF_ADA)
    assert list_wanted(told, ADA) == name(92, *NOBODY_ELSE)
    apply_until_nothing_is_left(told)
    accept_change(told, FORMER, RIGHT)
    wanted, let_go = list_claimed(told)[ADA]
    assert wanted == name(RIGHT, *NOBODY_ELSE)
    assert name(WRONG, 92) <= let_go
    apply_until_nothing_is_left(told)
    assert told.read_active()[ADA] == name(RIGHT, *NOBODY_ELSE)


def test_a_mistake_at_the_end_of_a_chain_is_corrected_for_the_first_number(told: Practice) -> None:
    assert tell_change(told, FORMER, 90).state == "accepted"
    assert tell_change(told, 90, WRONG).state == "accepted"
    send_roster(told, OF_ADA)
    accept_change(told, 90, RIGHT)
    wanted, let_go = list_claimed(told)[ADA]
    assert wanted == name(RIGHT, *NOBODY_ELSE)
    assert let_go == name(FORMER, 90, WRONG)


def test_a_correction_that_was_wrong_itself_is_corrected(told: Practice) -> None:
    tell_wrongly(told)
    send_roster(told, OF_ADA)
    accept_change(told, FORMER, 93)
    send_roster(told, OF_ADA)
    accept_change(told, FORMER, WRONG)
    wanted, let_go = list_claimed(told)[ADA]
    assert wanted == name(WRONG, *NOBODY_ELSE)
    assert let_go == name(FORMER, 93)


def test_a_file_sent_again_for_its_date_does_not_bring_the_mistake_back(told: Practice) -> None:
    as_of_at = told.rt.now()
    send_dated(told, OF_ADA, as_of_at)
    tell_wrongly(told)
    send_dated(told, OF_ADA, as_of_at)
    assert list_wanted(told, ADA) == name(WRONG, *NOBODY_ELSE)
    accept_change(told, FORMER, RIGHT)
    send_dated(told, OF_ADA, as_of_at)
    assert list_wanted(told, ADA) == name(RIGHT, *NOBODY_ELSE)


def send_dated(practice: Practice, of_ada: Sequence[int], as_of_at: object) -> None:
    practice.send_roster({ADA: of_ada, BRUNO: OF_BRUNO}, as_of_at=as_of_at)


def test_a_file_released_late_brings_nobody_back_who_was_removed_under_the_new_number(told: Practice) -> None:
    add_feed(told.rt, "lakeside", feed_id="counted", settings={"expects_count": True}, actor=OPERATOR)
    held = told.deliver(f"MBI,NPI,Action\r\n{build_mbi(FORMER)},{ADA},add\r\n".encode(), feed="counted")
    assert held.state == "held"
    tell_wrongly(told)
    for number, action in ((41, "add"), (WRONG, "add"), (WRONG, "remove")):
        file = told.deliver(f"MBI,NPI,Action\r\n{build_mbi(number)},{ADA},{action}\r\n".encode(), feed="counted")
        told.accept(file.id)
    for _ in range(2):
        send_roster(told, NOBODY_ELSE)
    told.accept(held.id)
    assert list_wanted(told, ADA) == name(41, *NOBODY_ELSE)


@pytest.mark.parametrize(("listed", "removed"), [(FORMER, FORMER), (FORMER, WRONG), (WRONG, FORMER)])
def test_a_file_released_late_brings_nobody_to_anybody_who_was_removed_from_all(
    told: Practice, listed: int, removed: int
) -> None:
    add_feed(told.rt, "lakeside", feed_id="counted", settings={"expects_count": True}, actor=OPERATOR)
    tell_wrongly(told)
    add, held, remove = (
        told.deliver(f"MBI,NPI,Action\r\n{build_mbi(number)},{npi},{action}\r\n".encode(), feed="counted")
        for number, npi, action in ((41, ADA, "add"), (listed, BRUNO, "add"), (removed, "", "remove"))
    )
    for file in (add, remove, held):
        told.accept(file.id)
    assert list_wanted(told, BRUNO) == name(*OF_BRUNO)


@pytest.mark.parametrize("listed", [FORMER, WRONG])
def test_a_faulty_row_under_the_former_number_shows_that_the_patient_is_still_there(
    told: Practice, listed: int
) -> None:
    tell_wrongly(told)
    for _ in range(2):
        send_roster(told, [listed, *NOBODY_ELSE])
    for faulty in ("12", "13"):
        row = f"{build_mbi(FORMER)},Pat,Number,1940-01-02,F,{faulty}"
        file = told.deliver(write_roster({ADA: NOBODY_ELSE, BRUNO: OF_BRUNO}) + row.encode())
        assert (file.state, file.error_count) == ("accepted", 1)
    assert build_mbi(WRONG) in list_wanted(told, ADA)


@pytest.mark.parametrize("number", [FORMER, WRONG])
def test_a_roster_under_either_number_changes_nothing_that_is_counted(told: Practice, number: int) -> None:
    tell_wrongly(told)
    for one in (WRONG, FORMER, number):
        delivery = told.send_roster({ADA: [one, *NOBODY_ELSE], BRUNO: OF_BRUNO})
        assert find_effects(told.rt, "lakeside", delivery.id) == []


def test_what_is_known_of_somebody_goes_to_the_right_number_and_is_taken_from_the_wrong_one(told: Practice) -> None:
    ours = read_known(told, FORMER)
    tell_wrongly(told)
    assert read_known(told, WRONG).birth_on == ours.birth_on
    accept_change(told, FORMER, RIGHT)
    right = read_known(told, RIGHT)
    assert (right.given, right.family, right.birth_on, right.gender) == (
        ours.given,
        ours.family,
        ours.birth_on,
        ours.gender,
    )
    assert read_known(told, WRONG) == PatientIdentity(build_mbi(WRONG))
    assert read_known(told, FORMER) == ours


def test_a_number_that_goes_to_somebody_else_takes_back_what_it_has_lent(told: Practice) -> None:
    send_change_rows(told, (50, "add"))
    tell_wrongly(told)
    send_roster(told, OF_ADA)
    apply_until_nothing_is_left(told)
    accept_change(told, 50, FORMER)
    assert read_known(told, WRONG) == PatientIdentity(build_mbi(WRONG))
    assert apply_until_nothing_is_left(told) == [("remove", 1, False), ("reinstate", 1, False)]
    assert told.read_active()[ADA] == name(FORMER, *NOBODY_ELSE)


def test_who_has_an_own_description_keeps_it(told: Practice) -> None:
    own = read_known(told, 20)
    accept_change(told, FORMER, 20)
    accept_change(told, FORMER, RIGHT)
    assert read_known(told, 20) == own
    assert read_known(told, RIGHT).birth_on == read_known(told, FORMER).birth_on


def test_who_is_described_after_the_mistake_is_described_by_that_alone(told: Practice) -> None:
    tell_wrongly(told)
    row = f"{build_mbi(WRONG)},Eve,Reed,1950-05-05,F,{BRUNO}"
    accept_roster(told, write_roster({ADA: OF_ADA, BRUNO: OF_BRUNO}) + row.encode())
    eve = PatientIdentity(build_mbi(WRONG), "Eve", "Reed", date(1950, 5, 5), "female")
    assert read_known(told, WRONG) == eve
    accept_change(told, FORMER, RIGHT)
    assert read_known(told, WRONG) == eve


def test_of_who_is_half_described_only_the_foreign_half_is_taken_back(told: Practice) -> None:
    tell_wrongly(told)
    row = f"{build_mbi(WRONG)},Eve,Reed,,,{BRUNO}"
    accept_roster(told, write_roster({ADA: OF_ADA, BRUNO: OF_BRUNO}) + row.encode())
    assert read_known(told, WRONG).family == "Reed"
    accept_change(told, FORMER, RIGHT)
    assert read_known(told, WRONG) == PatientIdentity(build_mbi(WRONG), "Eve", "Reed")


def test_a_change_that_is_not_the_last_word_describes_nobody(told: Practice) -> None:
    add_feed(told.rt, "lakeside", feed_id="counted", settings={"expects_count": True}, actor=OPERATOR)
    held = tell_change(told, FORMER, 80, feed="counted")
    assert held.state == "held"
    tell_wrongly(told)
    told.accept_anew(held.id)
    with told.rt.database.begin() as connection:
        keys = told.rt.open_keys(connection, "lakeside")
        assert find_patients_by_mbi(connection, keys, "lakeside", name(80)) == {}


def test_the_chain_of_a_pair_under_the_new_number_names_the_row_that_told_the_former(told: Practice) -> None:
    tell_wrongly(told)
    assert any("row" in sentence for sentence in tell_chain(told, WRONG, RUTH))
    accept_change(told, FORMER, RIGHT)
    assert any("row" in sentence for sentence in tell_chain(told, RIGHT, VERA))


def tell_chain(practice: Practice, number: int, actor: Actor) -> list[str]:
    links = explain(practice.rt, "lakeside", npi=ADA, mbi=build_mbi(number), actor=actor).links
    return [link.sentence for link in links if link.kind == "delivery"]


def test_silence_costs_what_a_roster_lists_under_the_former_number(told: Practice) -> None:
    send_change_rows(told, (FORMER, "add"))
    tell_wrongly(told)
    apply_until_nothing_is_left(told)
    with told.rt.database.begin() as connection:
        keys = told.rt.open_keys(connection, "lakeside")
        assert find_cost_of_silence(connection, keys, "lakeside", "changes", told.rt.now()) is not None


def test_a_number_that_was_another_patients_before_waits_for_a_person(told: Practice) -> None:
    send_change_rows(told, (50, "add"))
    assert tell_change(told, FORMER, 90).state == "accepted"
    held = tell_change(told, 50, FORMER)
    assert (held.state, held.hold_code) == ("held", "joined_patients")


def test_a_mistake_taken_back_by_the_opposite_message_needs_nobody(told: Practice) -> None:
    tell_wrongly(told)
    assert tell_change(told, WRONG, FORMER).state == "accepted"
    assert list_wanted(told, ADA) == name(*OF_ADA)
    assert build_mbi(WRONG) in list_claimed(told)[ADA][1]


def test_a_patient_listed_under_a_former_number_and_somebody_else_under_the_new_one_are_not_joined_unseen(
    told: Practice,
) -> None:
    assert tell_change(told, FORMER, 90).state == "accepted"
    held = tell_change(told, 90, 2)
    assert (held.state, held.hold_code) == ("held", "joined_patients")
