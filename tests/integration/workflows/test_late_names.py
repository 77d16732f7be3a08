"""What a file that counts late tells of people completes what a newer one of its feed told, and overwrites nothing."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from practice import ADA, Practice, build_mbi

from service.storage.patients import PatientIdentity, find_patients_by_mbi
from service.workflows.deliveries import DeliveryView

HEADER = "MBI,First Name,Last Name,Date of Birth,Sex,NPI"
MBI = build_mbi(1)
STRANGER = f"{build_mbi(2)},Eva,Lake,1941-01-01,F,3990000044"
"""The row of a practitioner whom nobody knows, so that its file waits for a person."""


@pytest.fixture(params=["practice", "practice_on_postgresql"])
def told(request: pytest.FixtureRequest) -> Practice:
    """A practice that knows one practitioner and one patient of whom nothing but the number was told."""
    practice: Practice = request.getfixturevalue(request.param)
    tell(practice, f"{MBI},,,,", hours=-30)
    return practice


def find_time(practice: Practice, hours: int) -> datetime:
    return (practice.rt.now() + timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)


def send(practice: Practice, *rows: str, hours: int, feed: str = "ehr", **more: str) -> DeliveryView:
    practice.sent += 1
    content = "\n".join([HEADER, *rows]) + "\n" * practice.sent
    return practice.deliver(content.encode(), feed=feed, as_of_at=find_time(practice, hours), **more)


def tell(practice: Practice, person: str, *, hours: int, feed: str = "ehr", **more: str) -> None:
    """Let a file of some hours ago describe the patient, and count at once."""
    delivery = send(practice, f"{person},{ADA}", hours=hours, feed=feed, **more)
    assert delivery.state == "accepted", delivery.hold_reason


def hold(practice: Practice, person: str, *, hours: int) -> str:
    """Let a file of some hours ago describe the patient, and wait for a person."""
    delivery = send(practice, f"{person},{ADA}", STRANGER, hours=hours)
    assert delivery.state == "held"
    return delivery.id


def read_known(practice: Practice) -> PatientIdentity:
    with practice.rt.database.begin() as connection:
        keys = practice.rt.open_keys(connection, "lakeside")
        return find_patients_by_mbi(connection, keys, "lakeside", [MBI])[MBI].identity


def test_a_file_released_late_does_not_overwrite_what_a_newer_one_told(told: Practice) -> None:
    late = hold(told, f"{MBI},Ann,Moss,1939-02-28,F", hours=-20)
    tell(told, f"{MBI},Ann,Reed,,", hours=-10)
    told.accept_anew(late)
    assert read_known(told) == PatientIdentity(MBI, "Ann", "Reed", date(1939, 2, 28), "female")


def test_a_name_that_a_newer_file_only_repeated_stays(told: Practice) -> None:
    tell(told, f"{MBI},Ann,Moss,1939-02-28,F", hours=-25)
    late = hold(told, f"{MBI},Ann,Reed,1939-02-28,F", hours=-20)
    tell(told, f"{MBI},Ann,Moss,1939-02-28,F", hours=-10)
    told.accept_anew(late)
    assert read_known(told).family == "Moss"


def test_a_late_file_that_is_the_last_to_tell_of_somebody_corrects_the_name(told: Practice) -> None:
    tell(told, f"{MBI},Ann,Moss,1939-02-28,F", hours=-25)
    late = hold(told, f"{MBI},Ann,Reed,1939-02-28,F", hours=-20)
    tell(told, f"{build_mbi(5)},Ida,Brook,1941-01-01,F", hours=-10, mode="delta")
    told.accept_anew(late)
    assert read_known(told).family == "Reed"


def test_a_file_that_comes_after_a_newer_one_does_not_overwrite_it(told: Practice) -> None:
    tell(told, f"{MBI},Ann,Reed,1939-02-28,F", hours=-10)
    stale = send(told, f"{MBI},Anna,Moss,1939-02-28,F,{ADA}", hours=-20)
    assert (stale.state, stale.hold_code) == ("held", "stale_input")
    told.accept(stale.id)
    assert read_known(told) == PatientIdentity(MBI, "Ann", "Reed", date(1939, 2, 28), "female")


def test_of_two_files_of_one_date_the_later_one_stands(told: Practice) -> None:
    late = hold(told, f"{MBI},Ann,Moss,1939-02-28,F", hours=-10)
    tell(told, f"{MBI},Ann,Reed,1939-02-28,F", hours=-10)
    told.accept(late)
    assert read_known(told).family == "Reed"


def test_a_correction_of_a_name_without_a_pair_stands_too(told: Practice) -> None:
    late = hold(told, f"{MBI},Ann,Moss,1939-02-28,F", hours=-20)
    tell(told, f"{MBI},Ann,Reed,1939-02-28,F", hours=-10)
    with told.rt.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM panel")
    told.accept_anew(late)
    assert read_known(told).family == "Reed"


def test_after_a_late_file_the_next_one_corrects_names_as_ever(told: Practice) -> None:
    late = hold(told, f"{MBI},Ann,Moss,1939-02-28,F", hours=-20)
    tell(told, f"{MBI},Ann,Reed,,", hours=-10)
    told.accept_anew(late)
    tell(told, f"{MBI},Ann,Vale,,", hours=-1)
    assert read_known(told) == PatientIdentity(MBI, "Ann", "Vale", date(1939, 2, 28), "female")
