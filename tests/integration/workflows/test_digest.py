"""Reading a delivery: accepted, held or rejected, once."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from asking import list_wanted
from dying import DyingDatabase
from practice import ADA, OPERATOR, Practice, build_mbi, write_practitioners, write_roster

from service.domain.errors import Busy, NotFound, WrongState
from service.storage import deliveries
from service.storage.errors import StorageUnavailable
from service.workflows.deliveries import count_findings, find_deliveries, find_findings, load_delivery
from service.workflows.digest import digest_delivery, digest_waiting
from service.workflows.holds import find_holds
from service.workflows.receive import Upload, receive

BAD = b"MBI,NPI\r\n" + b"".join(f"1X{n},3990000002\r\n".encode() for n in range(3))


def test_a_good_file_is_accepted_and_counted(practice: Practice) -> None:
    delivery = practice.deliver(write_roster({ADA: range(5)}))
    assert (delivery.state, delivery.data_rows, delivery.present_count) == ("accepted", 5, 5)
    assert list_wanted(practice, ADA) == {build_mbi(n) for n in range(5)}


def test_names_alone_are_accepted_too(practice: Practice) -> None:
    assert practice.deliver(write_practitioners()).state == "accepted"


def test_a_file_without_a_valid_row_is_held_for_two_people(practice: Practice) -> None:
    delivery = practice.deliver(BAD)
    (hold,) = find_holds(practice.rt, "lakeside")
    assert (delivery.state, delivery.hold_code, hold.people_needed) == ("held", "zero_rows", 2)


def test_a_file_with_half_the_rows_is_held_and_does_not_count(practice: Practice) -> None:
    practice.send_roster({ADA: range(40)})
    delivery = practice.deliver(write_roster({ADA: range(20)}))
    assert (delivery.state, delivery.hold_code) == ("held", "rows_down")
    assert len(list_wanted(practice, ADA)) == 40


@pytest.mark.parametrize("content", [b"%PDF-1.7 x", b"\xff\xfe\x00garbage", b"name,colour\r\nAda,green\r\n"])
def test_what_is_no_roster_is_rejected(practice: Practice, content: bytes) -> None:
    delivery = practice.deliver(content)
    assert delivery.state == "rejected"
    assert delivery.file_error
    assert list_wanted(practice, ADA) == set()


def test_findings_are_kept_by_position_and_code_without_the_value(practice: Practice) -> None:
    delivery = practice.deliver(write_roster({ADA: range(200)}) + b"9NOTANMBI99,A,B,1940-01-01,F,3990000002\r\n")
    found = find_findings(practice.rt, "lakeside", delivery.id)
    assert len(found) == delivery.error_count == 1
    assert count_findings(practice.rt, "lakeside", delivery.id) == {found[0].code: 1}
    assert "NOTANMBI" not in repr(found)


def test_a_delivery_that_does_not_exist_is_not_found(practice: Practice) -> None:
    with pytest.raises(NotFound):
        digest_delivery(practice.rt, "lakeside", "00000000-0000-4000-8000-000000000000")


def test_a_delivery_is_read_only_once(practice: Practice) -> None:
    delivery = practice.deliver(write_roster({ADA: range(5)}))
    with pytest.raises(WrongState):
        digest_delivery(practice.rt, "lakeside", delivery.id)


def test_two_processes_do_not_read_the_same_delivery(practice: Practice) -> None:
    waiting = practice.receive(write_roster({ADA: range(5)})).delivery
    seen: list[str] = []

    def try_too(commits: int) -> None:
        if commits == 2 and not seen:
            with pytest.raises(Busy) as busy:
                digest_delivery(practice.rt, "lakeside", waiting.id)
            seen.append(busy.value.code)

    slow = replace(practice.rt, database=DyingDatabase(practice.rt.database, on_begin=try_too))
    assert digest_delivery(slow, "lakeside", waiting.id).state == "accepted"
    assert seen == ["busy"]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_reading_that_dies_is_done_again_by_the_next_process(practice: Practice, n: int) -> None:
    from dying import Killed, lend_dying

    waiting = practice.receive(write_roster({ADA: range(5)})).delivery
    lend_dying(practice, before=n)
    with pytest.raises(Killed):
        digest_delivery(practice.rt, "lakeside", waiting.id)
    practice.restart()
    assert load_delivery(practice.rt, "lakeside", waiting.id).state == "received"
    practice.pass_time("PT11M")
    assert digest_waiting(practice.rt) == 1
    assert list_wanted(practice, ADA) == {build_mbi(n) for n in range(5)}


def test_a_file_that_cannot_be_opened_keeps_no_other_waiting(practice: Practice) -> None:
    lost, sound = (practice.receive(write_roster({ADA: range(n)})).delivery for n in (3, 5))
    with practice.rt.database.read() as connection:
        path = deliveries.load_delivery(connection, "lakeside", lost.id).body_path
    (practice.rt.settings.uploads_dir / path).unlink()
    with pytest.raises(StorageUnavailable):
        digest_waiting(practice.rt)
    assert load_delivery(practice.rt, "lakeside", lost.id).state == "received"
    assert load_delivery(practice.rt, "lakeside", sound.id).state == "accepted"


def test_what_waits_is_read_in_order_of_arrival(practice: Practice) -> None:
    for n in (3, 5):
        receive(practice.rt, "lakeside", "ehr", io.BytesIO(write_roster({ADA: range(n)})), Upload(), OPERATOR)
    assert digest_waiting(practice.rt) == 2
    assert {d.state for d in find_deliveries(practice.rt, "lakeside")} == {"accepted"}
    assert digest_waiting(practice.rt) == 0
    assert len(list_wanted(practice, ADA)) == 5
