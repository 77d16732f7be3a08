"""Guards that look beyond the file: other organisations, practitioners nobody knows, counts and numbers of a series."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asking import list_claimed
from practice import (
    ADA,
    BRUNO,
    CORA,
    OPERATOR,
    ORGANIZATION_NPIS,
    KeyPair,
    Practice,
    build_mbi,
    write_practitioners,
    write_roster,
)

from service.workflows.deliveries import DeliveryView
from service.workflows.digest import digest_delivery
from service.workflows.feeds import add_feed, set_feed
from service.workflows.holds import find_holds

NEWCOMER = "3990000044"


def send(practice: Practice, panels: dict[str, Any], **more: Any) -> DeliveryView:
    practice.sent += 1
    return practice.deliver(write_roster(panels) + b"\r\n" * practice.sent, **more)


# Whose file it is


@pytest.fixture
def neighbours(practice: Practice, second_key: KeyPair) -> Practice:
    """A second organisation in the same installation, with a roster of forty patients."""
    practice.add_organization("hillside", second_key)
    practice.organization_id = "hillside"
    practice.send_roster({ADA: range(100, 140)})
    practice.organization_id = "lakeside"
    return practice


@pytest.mark.parametrize(
    ("shared", "verdict"),
    [(5, "accepted"), (8, "accepted"), (9, "hold"), (20, "hold"), (21, "hard-stop"), (40, "hard-stop")],
)
def test_a_file_with_patients_of_another_organisation_waits(neighbours: Practice, shared: int, verdict: str) -> None:
    own = 40 - shared
    delivery = send(neighbours, {ADA: [*range(100, 100 + shared), *range(own)]})
    levels = [(hold.level, hold.rule) for hold in find_holds(neighbours.rt, "lakeside")]
    assert levels == ([] if verdict == "accepted" else [(verdict, "other_organization")])
    assert ("hillside" in (delivery.hold_reason or "").lower()) is False


def test_a_held_file_does_not_make_its_patients_ours(neighbours: Practice) -> None:
    send(neighbours, {ADA: range(100, 140)})
    neighbours.organization_id = "hillside"
    assert send(neighbours, {ADA: range(100, 141)}).state == "accepted"


def test_a_feed_that_shares_patients_is_told_so(neighbours: Practice) -> None:
    set_feed(neighbours.rt, "lakeside", "ehr", {"shares_patients": True}, OPERATOR)
    assert send(neighbours, {ADA: range(100, 140)}).state == "accepted"


def test_the_organisation_is_never_its_own_practitioner(practice: Practice) -> None:
    own = ORGANIZATION_NPIS["lakeside"]
    mixed = send(practice, {ADA: range(5), own: range(5, 7)})
    assert (mixed.present_count, mixed.error_count) == (5, 2)
    alone = send(practice, {own: range(20)})
    assert (alone.state, alone.present_count, alone.error_count) == ("held", 0, 20)


def test_the_feeds_of_another_organisation_are_one_roster(practice: Practice, second_key: KeyPair) -> None:
    practice.add_organization("hillside", second_key)
    practice.organization_id = "hillside"
    for start in range(100, 142, 7):
        add_feed(practice.rt, "hillside", feed_id=f"clinic-{start}", mode="snapshot", actor=OPERATOR)
        practice.send_roster({ADA: range(start, start + 7)}, feed=f"clinic-{start}")
    practice.organization_id = "lakeside"
    delivery = send(practice, {ADA: range(100, 142)})
    assert (delivery.state, delivery.hold_code) == ("held", "other_organization")


# For whom it speaks


def test_a_practitioner_who_was_never_named_waits_for_a_person(practice: Practice) -> None:
    practice.name_practitioners()
    practice.send_roster({ADA: range(10)})
    delivery = send(practice, {ADA: range(10), NEWCOMER: [50]})
    assert (delivery.state, delivery.hold_code) == ("held", "unknown_practitioners")
    assert NEWCOMER in (delivery.hold_reason or "")
    practice.accept(delivery.id)
    assert send(practice, {ADA: range(10), NEWCOMER: [50, 51]}).state == "accepted"


def test_a_practitioner_whose_name_was_sent_first_does_not(practice: Practice) -> None:
    practice.name_practitioners()
    practice.send_roster({ADA: range(10)})
    names = write_practitioners([ADA]) + f"{NEWCOMER},Dora,Dale\r\n".encode()
    assert practice.deliver(names).state == "accepted"
    assert send(practice, {ADA: range(10), NEWCOMER: [50]}).state == "accepted"


def test_the_first_file_of_another_feed_names_nobody_new_unasked(practice: Practice) -> None:
    add_feed(practice.rt, "lakeside", feed_id="laboratory", actor=OPERATOR)
    assert send(practice, {ADA: range(10), NEWCOMER: [50]}).state == "accepted"
    assert send(practice, {ADA: range(10), NEWCOMER: [50]}, feed="laboratory").state == "accepted"
    add_feed(practice.rt, "lakeside", feed_id="clinic", actor=OPERATOR)
    delivery = send(practice, {BRUNO: range(20, 25)}, feed="clinic")
    assert (delivery.state, delivery.hold_code) == ("held", "unknown_practitioners")
    assert send(practice, {ADA: range(10), BRUNO: [20]}).hold_code == "unknown_practitioners"


def test_rows_for_somebody_else_do_not_count(practice: Practice) -> None:
    set_feed(practice.rt, "lakeside", "ehr", {"practitioners": [ADA, BRUNO]}, OPERATOR)
    delivery = send(practice, {ADA: range(200), BRUNO: [250], CORA: [251]})
    assert (delivery.state, delivery.present_count, delivery.error_count) == ("accepted", 201, 1)


def test_rows_for_somebody_else_are_not_told_as_unreadable(practice: Practice) -> None:
    set_feed(practice.rt, "lakeside", "ehr", {"practitioners": [ADA]}, OPERATOR)
    delivery = send(practice, {ADA: range(10), CORA: range(50, 60)})
    assert delivery.hold_code == "rejected_rows"
    assert (delivery.hold_reason or "").startswith("10 of 20 rows name no practitioner for whom this feed speaks.")


def test_nobody_is_missing_who_is_listed_for_somebody_else(practice: Practice) -> None:
    settings = {"practitioners": [ADA, BRUNO], "absences_before_removal": 1}
    set_feed(practice.rt, "lakeside", "ehr", settings, OPERATOR)
    send(practice, {ADA: range(12)})
    delivery = send(practice, {ADA: range(11), CORA: [11]})
    assert (delivery.state, delivery.absent_count, delivery.ended_count) == ("accepted", 0, 0)


def test_a_feed_lets_nobody_go_of_a_practitioner_for_whom_it_does_not_speak(practice: Practice) -> None:
    set_feed(practice.rt, "lakeside", "ehr", {"scope": "organization", "absences_before_removal": 1}, OPERATOR)
    send(practice, {ADA: range(12), CORA: [50]})
    set_feed(practice.rt, "lakeside", "ehr", {"practitioners": [ADA, BRUNO]}, OPERATOR)
    delivery = send(practice, {ADA: range(12)})
    assert (delivery.state, delivery.absent_count, delivery.ended_count) == ("accepted", 0, 0)


def test_a_removal_that_names_no_practitioner_stays_with_those_for_whom_the_feed_speaks(practice: Practice) -> None:
    add_feed(practice.rt, "lakeside", feed_id="clinic", actor=OPERATOR)
    practice.send_roster({ADA: [50, 51], BRUNO: [50], CORA: [50]}, feed="clinic")
    set_feed(practice.rt, "lakeside", "clinic", {"practitioners": [ADA]}, OPERATOR)
    practice.deliver(f"MBI,NPI,Action\r\n{build_mbi(50)},,remove\r\n".encode(), feed="clinic")
    one, other = build_mbi(50), build_mbi(51)
    assert list_claimed(practice) == {ADA: ({other}, {one}), BRUNO: ({one}, set()), CORA: ({one}, set())}


# How many rows it has


@pytest.mark.parametrize("between", ["changes", "lists of names"])
def test_a_roster_is_as_long_as_the_last_rosters_whatever_came_between(practice: Practice, between: str) -> None:
    practice.name_practitioners()
    for _ in range(5):
        assert send(practice, {ADA: range(40), BRUNO: range(50, 80)}).state == "accepted"
    for n in range(5):
        if between == "changes":
            assert send(practice, {ADA: [1]}, mode="delta").state == "accepted"
        else:
            assert practice.deliver(write_practitioners([ADA]) + b"\r\n" * n).state == "accepted"
    delivery = send(practice, {ADA: range(40)})
    assert (delivery.state, delivery.hold_code) == ("held", "rows_down")


TRAILER = b"Total,5\r\n"


def test_a_count_that_is_sent_along_is_compared(practice: Practice) -> None:
    assert send(practice, {ADA: range(5)}, count=5).state == "accepted"
    delivery = send(practice, {ADA: range(5)}, count=6)
    assert (delivery.state, delivery.hold_code) == ("held", "count_mismatch")
    told = "The file has 5 rows, but the count that was sent with it is 6."
    assert (delivery.hold_reason or "").startswith(told)
    stated = practice.deliver(write_roster({ADA: range(5)}) + b"Total,6\r\n")
    assert (stated.hold_reason or "").startswith("The number of rows differs from the count that is stated for them.")


def test_a_feed_that_always_counted_may_not_stop_counting(practice: Practice) -> None:
    assert practice.deliver(write_roster({ADA: range(5)}) + TRAILER).state == "accepted"
    delivery = practice.deliver(write_roster({ADA: range(5)}))
    assert (delivery.state, delivery.hold_code) == ("held", "count_missing")


def test_lists_of_names_between_do_not_let_it_stop_counting(practice: Practice) -> None:
    assert practice.deliver(write_roster({ADA: range(5)}) + TRAILER).state == "accepted"
    for n in range(5):
        assert practice.deliver(write_practitioners([ADA]) + b"\r\n" * n, count=1).state == "accepted"
    assert practice.deliver(write_roster({ADA: range(5)})).hold_code == "count_missing"


def test_a_feed_that_must_count_waits_from_the_first_file_on(practice: Practice) -> None:
    set_feed(practice.rt, "lakeside", "ehr", {"expects_count": True}, OPERATOR)
    assert send(practice, {ADA: range(5)}).hold_code == "count_missing"
    assert send(practice, {ADA: range(5)}, count=5).state == "accepted"


# Which file of the series it is


def send_envelope(practice: Practice, n: int, sequence: str, **more: Any) -> DeliveryView:
    pairs = ",".join(f'{{"mbi":"{build_mbi(place)}","npi":"{ADA}"}}' for place in range(n))
    content = f'{{"mode":"snapshot","sequence":"{sequence}","count":{n},"pairs":[{pairs}]}}'
    return practice.deliver(content.encode(), **more)


@pytest.mark.parametrize(
    ("numbers", "code"),
    [
        (["1", "2", "3"], None),
        (["1", "2", "4"], "sequence_gap"),
        (["20260101", "20260201", "20260301"], None),
        (["5", "4"], "stale_input"),
        (["5", "5"], "sequence_repeats"),
        (["a", "b"], None),
        (["2026-11-18", "2026-11-17"], "stale_input"),
        (["a", "a"], "sequence_repeats"),
    ],
    ids=["series", "gap", "dates", "backwards", "repeated", "names", "backwards by date", "name repeated"],
)
def test_the_number_that_a_file_gives_itself_is_compared(
    practice: Practice, numbers: list[str], code: str | None
) -> None:
    found = [send_envelope(practice, n, number) for n, number in enumerate(numbers, start=10)]
    assert [d.hold_code for d in found] == [None] * (len(numbers) - 1) + [code]


SERIES: dict[str, tuple[list[float | None], str | None]] = {
    "older than an undated one": ([None, 1], "stale_input"),
    "undated after a dated one": ([1, None], None),
    "undated after one whose clock runs ahead": ([-0.5, None], None),
    "dated after an undated one": ([None, 0], None),
    "the same date again": ([2, 2], None),
    "the same date again after an undated one": ([2, None, 2], "stale_input"),
    "older than any but the last": ([1, None, 1.5], "stale_input"),
}


@pytest.mark.parametrize("case", SERIES)
def test_a_file_that_is_older_than_what_counts_waits(practice: Practice, case: str) -> None:
    hours, code = SERIES[case]
    found: list[DeliveryView] = []
    for ago in hours:
        practice.pass_time("PT1M")
        at = None if ago is None else practice.rt.now() - timedelta(hours=ago)
        at = found[0].as_of_at if "same" in case and ago is not None and found else at
        found.append(send(practice, {ADA: range(10)}, as_of_at=at))
    assert [d.hold_code for d in found] == [None] * (len(hours) - 1) + [code]


@pytest.mark.parametrize("series", ["dates", "numbers"])
def test_an_older_file_is_known_however_many_lists_of_names_came_between(practice: Practice, series: str) -> None:
    practice.name_practitioners()
    practice.pass_time("P1D")
    marks: list[dict[str, Any]] = [{"sequence": "10"}, {"sequence": "9"}]
    if series == "dates":
        marks = [{"as_of_at": practice.rt.now() - timedelta(hours=n)} for n in (1, 2)]
    newer, older = marks
    assert send(practice, {ADA: range(9)}, **newer).state == "accepted"
    for n in range(6):
        assert practice.deliver(write_practitioners([ADA]) + b"\r\n" * n).state == "accepted"
    assert send(practice, {ADA: range(10)}, **older).hold_code == "stale_input"


@pytest.mark.parametrize("dated", [False, True])
def test_an_undated_file_that_came_first_and_is_read_late_is_not_older(practice: Practice, dated: bool) -> None:
    practice.send_roster({ADA: range(10)})
    first = practice.receive(write_roster({ADA: range(11)}))
    practice.pass_time("PT1H")
    practice.send_roster({ADA: range(10)}, as_of_at=practice.rt.now() if dated else None)
    assert digest_delivery(practice.rt, "lakeside", first.delivery.id).state == "accepted"


def test_lists_of_names_make_no_roster_older(practice: Practice) -> None:
    practice.name_practitioners()
    practice.pass_time("PT1H")
    practice.deliver(write_practitioners([ADA]) + b"\r\n")
    practice.deliver(write_practitioners([ADA]) + b"\r\n\r\n", as_of_at=practice.rt.now())
    assert send(practice, {ADA: range(10)}, as_of_at=practice.rt.now() - timedelta(hours=1)).state == "accepted"


def test_a_file_that_waits_holds_none_of_those_that_follow_it(practice: Practice) -> None:
    for number in ("1", "2"):
        assert send_envelope(practice, 20, number).state == "accepted"
    assert send_envelope(practice, 5, "3").hold_code == "rows_down"
    followed = [send_envelope(practice, n, number) for n, number in enumerate(("4", "5", "6"), start=20)]
    assert [d.hold_code for d in followed] == [None] * 3


def test_a_file_after_a_gap_tells_what_is_missing_and_the_next_one_is_not_asked_about(practice: Practice) -> None:
    for number in ("1", "2"):
        send_envelope(practice, 20, number)
    late = send_envelope(practice, 21, "5")
    assert (late.hold_code or "", "the numbers 3 to 4 have" in (late.hold_reason or "")) == ("sequence_gap", True)
    assert send_envelope(practice, 22, "6").state == "accepted"
    assert send_envelope(practice, 23, "8").hold_code == "sequence_gap"


def test_a_number_that_came_with_a_file_of_no_use_is_not_missing(practice: Practice) -> None:
    for number in ("1", "2"):
        practice.send_roster({ADA: range(10)}, sequence=number)
    assert practice.deliver(b"%PDF-1.7 no roster", sequence="3").state == "rejected"
    assert practice.send_roster({ADA: range(10)}, sequence="4").state == "accepted"


def test_a_number_that_repeats_is_no_obstacle_to_a_graver_doubt(practice: Practice) -> None:
    send_envelope(practice, 20, "5")
    pairs = ",".join(f'{{"mbi":"{build_mbi(place)}","npi":"{ADA}"}}' for place in range(100, 120))
    delivery = practice.deliver(f'{{"mode":"snapshot","sequence":"5","pairs":[{pairs}]}}'.encode())
    assert (delivery.state, delivery.hold_code) == ("held", "patients_missing")


def test_the_date_that_a_file_gives_itself_counts_unless_the_sender_says_an_older_one(practice: Practice) -> None:
    content = b'{"mode":"snapshot","as_of":"2020-01-01T00:00:00Z","pairs":[{"mbi":"%s","npi":"%s"}]}' % (
        build_mbi(1).encode(),
        ADA.encode(),
    )
    delivery = practice.deliver(content, as_of_at=practice.rt.now())
    assert (delivery.state, delivery.hold_code) == ("held", "old_input")
    assert delivery.as_of_at is not None and delivery.as_of_at.year == 2020


# What a person changes


def test_the_same_bytes_are_read_anew_once_a_person_has_mapped_the_columns(practice: Practice) -> None:
    add_feed(practice.rt, "lakeside", feed_id="billing", actor=OPERATOR)
    content = f"Member Number,NPI\r\n{build_mbi(1)},{ADA}\r\n".encode()
    assert practice.deliver(content, feed="billing").file_error == "header_unrecognised"
    assert practice.receive(content, feed="billing").is_new is False
    set_feed(practice.rt, "lakeside", "billing", {"column_mapping": {"mbi": "Member Number"}}, OPERATOR)
    receipt = practice.receive(content, feed="billing")
    assert receipt.is_new
    assert digest_delivery(practice.rt, "lakeside", receipt.delivery.id).state == "accepted"
    assert practice.receive(content, feed="billing").is_new is False
