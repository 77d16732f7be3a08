"""Who a patient is, told by several feeds: the MBI is the key, and what two of them disagree about is a finding."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import date

import pytest
from practice import ADA, OPERATOR, RUTH, VERA, Practice, build_mbi, write_roster
from sqlalchemy import select

from service.storage.patients import PatientIdentity, find_patients_by_mbi
from service.storage.tables import metadata
from service.workflows.deliveries import DeliveryView, count_findings, find_findings, load_delivery
from service.workflows.feeds import add_feed
from service.workflows.holds import decide_hold, find_holds

HEADER = "MBI,First Name,Last Name,Date of Birth,Sex,NPI"
MBI, OTHER = build_mbi(1), build_mbi(2)
ANN = f"{MBI},Ann,Moss,1939-02-28,F"
KNOWN = PatientIdentity(MBI, "Ann", "Moss", date(1939, 2, 28), "female")


@pytest.fixture(params=["practice", "practice_on_postgresql"])
def told(request: pytest.FixtureRequest) -> Practice:
    """A practice with two feeds, `ehr` and `billing`, on each of the two databases."""
    practice: Practice = request.getfixturevalue(request.param)
    add_feed(practice.rt, "lakeside", feed_id="billing", actor=OPERATOR)
    return practice


def tell(practice: Practice, *people: str, feed: str = "ehr") -> DeliveryView:
    """Let a feed list people with one practitioner, and see the delivery accepted."""
    practice.sent += 1
    content = "\n".join([HEADER, *(f"{person},{ADA}" for person in people)]) + "\n" * practice.sent
    delivery = practice.deliver(content.encode(), feed=feed)
    assert delivery.state == "accepted", delivery.hold_reason
    return delivery


def list_found(practice: Practice, delivery: DeliveryView) -> list[tuple[str, str, str]]:
    """Position, code and severity of every finding of a delivery, in the order in which they are shown."""
    return [(one.position, one.code, one.severity) for one in find_findings(practice.rt, "lakeside", delivery.id)]


def read_known(practice: Practice) -> dict[str, PatientIdentity]:
    """Every patient of the first ten numbers as known, by MBI."""
    with practice.rt.database.begin() as connection:
        keys = practice.rt.open_keys(connection, "lakeside")
        found = find_patients_by_mbi(connection, keys, "lakeside", map(build_mbi, range(10)))
    return {mbi: row.identity for mbi, row in found.items()}


def read_sealed(practice: Practice) -> list[bytes]:
    """The sealed identities; sealing the same identity again would give other bytes."""
    with practice.rt.database.read() as connection:
        return [bytes(row[0]) for row in connection.exec_driver_sql("SELECT identity FROM patient ORDER BY id")]


CONTRADICTIONS = {
    "birth date": f"{MBI},Ann,Moss,1939-02-27,F",
    "family name": f"{MBI},Ann,Reed,1939-02-28,F",
    "both": f"{MBI},Bea,Reed,1950-01-01,F",
}
AGREEMENTS = {
    "spelling": f"{MBI},Ann,MÖ-SS,1939-02-28,F",
    "given name": f"{MBI},Anna,Moss,1939-02-28,F",
    "gender": f"{MBI},Ann,Moss,1939-02-28,M",
    "no family name": f"{MBI},Ann,,1939-02-28,F",
    "no birth date": f"{MBI},Ann,Moss,,F",
    "nothing": f"{MBI},,,,",
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_feed_that_contradicts_another_is_remarked_on_each_time_and_changes_nothing(
    told: Practice, what: str
) -> None:
    tell(told, ANN)
    sealed = read_sealed(told)
    for _ in range(2):
        delivery = tell(told, f"{OTHER},Eva,Lake,1941-01-01,F", CONTRADICTIONS[what], feed="billing")
        assert list_found(told, delivery) == [("3", "demographics_conflict", "warning")]
        assert (delivery.error_count, delivery.warning_count, delivery.present_count) == (0, 1, 2)
        assert read_known(told)[MBI] == KNOWN
        assert list_found(told, tell(told, ANN)) == []
    assert set(sealed) < set(read_sealed(told))


@pytest.mark.parametrize("what", AGREEMENTS)
def test_silence_and_other_spelling_contradict_nobody_and_what_is_known_stays(told: Practice, what: str) -> None:
    tell(told, ANN)
    sealed = read_sealed(told)
    assert list_found(told, tell(told, AGREEMENTS[what], feed="billing")) == []
    assert read_sealed(told) == sealed


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_feed_that_corrects_itself_contradicts_nobody(told: Practice, what: str) -> None:
    tell(told, ANN)
    assert list_found(told, tell(told, CONTRADICTIONS[what])) == []
    corrected = read_known(told)[MBI]
    assert (corrected.family, corrected.birth_on) != (KNOWN.family, KNOWN.birth_on)


def test_the_conflict_ends_when_either_source_is_corrected(told: Practice) -> None:
    tell(told, ANN)
    other = CONTRADICTIONS["family name"]
    assert list_found(told, tell(told, other, feed="billing"))
    tell(told, other)
    assert list_found(told, tell(told, other, feed="billing")) == []
    assert list_found(told, tell(told, ANN, feed="billing"))
    assert list_found(told, tell(told, other, feed="billing")) == []


def test_another_feed_completes_what_is_empty(told: Practice) -> None:
    tell(told, f"{MBI},,Moss,,")
    assert list_found(told, tell(told, f"{MBI},,MOSS,1939-02-28,", feed="billing")) == []
    assert read_known(told)[MBI] == PatientIdentity(MBI, None, "Moss", date(1939, 2, 28), None)
    assert list_found(told, tell(told, f"{MBI},,Reed,,")) == []  # who told it first still answers for it


def test_a_contradiction_completes_nothing(told: Practice) -> None:
    tell(told, f"{MBI},,Moss,,")
    found = list_found(told, tell(told, CONTRADICTIONS["family name"], feed="billing"))
    assert found == [("2", "demographics_conflict", "warning")]
    assert read_known(told)[MBI] == PatientIdentity(MBI, None, "Moss")


def test_the_first_feed_to_describe_a_patient_fully_stands(told: Practice) -> None:
    tell(told, f"{MBI},,Moss,,")
    tell(told, ANN, feed="billing")
    assert read_known(told)[MBI] == KNOWN
    assert list_found(told, tell(told, f"{MBI},,Reed,,")) == [("2", "demographics_conflict", "warning")]
    assert list_found(told, tell(told, CONTRADICTIONS["family name"], feed="billing")) == []


def test_a_patient_of_whom_only_the_number_was_told_is_described_by_anybody(told: Practice) -> None:
    tell(told, f"{MBI},,,,")
    assert list_found(told, tell(told, ANN, feed="billing")) == []
    assert list_found(told, tell(told, CONTRADICTIONS["birth date"])) == [("2", "demographics_conflict", "warning")]


def test_one_person_with_two_numbers_is_two_patients(told: Practice) -> None:
    tell(told, ANN, ANN.replace(MBI, OTHER), feed="billing")
    assert read_known(told) == {MBI: KNOWN, OTHER: PatientIdentity(OTHER, "Ann", "Moss", KNOWN.birth_on, "female")}


def test_two_names_with_one_number_are_one_patient_and_one_pair(told: Practice) -> None:
    tell(told, ANN)
    delivery = tell(told, CONTRADICTIONS["both"], feed="billing")
    assert (delivery.present_count, list(read_known(told))) == (1, [MBI])


def test_conflicts_stand_among_the_other_findings_in_file_order(told: Practice) -> None:
    people = [f"{build_mbi(n)},Ann,Moss,1939-02-28,F" for n in range(4)]
    tell(told, *people)
    rows = [people[3].replace("Moss", "Reed"), people[2], people[2], people[1].replace("1939", "39")]
    delivery = tell(told, *rows, people[0].replace("1939", "1940"), feed="billing")
    assert list_found(told, delivery) == [
        ("2", "demographics_conflict", "warning"),
        ("4", "duplicate_row", "warning"),
        ("5", "dob_unparseable", "warning"),
        ("6", "demographics_conflict", "warning"),
    ]


def write_pairs() -> bytes:
    """The contradicting roster as a list of pairs."""
    return json.dumps([{"mbi": MBI, "npi": ADA, "last_name": "Reed", "date_of_birth": "1939-02-28"}]).encode()


def write_bundle() -> bytes:
    """The contradicting roster as a FHIR Bundle."""
    mbi = {"system": "http://hl7.org/fhir/sid/us-mbi", "value": MBI}
    doctor = {"type": "Practitioner", "identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": ADA}}
    patient = {
        "resourceType": "Patient",
        "identifier": [mbi],
        "name": [{"family": "Reed"}],
        "generalPractitioner": [doctor],
    }
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient}]}).encode()


def write_message() -> bytes:
    """The contradicting roster as an ADT message."""
    segments = [
        "MSH|^~\\&|EHR|SITE|||20261101||ADT^A08|M1|P|2.5.1",
        f"PID|1||{MBI}^^^CMS^MC||Reed^Ann||19390228|F",
        f"PV1|1|O|C||||{ADA}^Wells^Ada^^^^^^NPI",
    ]
    return ("\r".join(segments) + "\r").encode()


@pytest.mark.parametrize(
    ("write", "position"), [(write_pairs, "0"), (write_bundle, "/entry/0/resource"), (write_message, "M1")]
)
def test_every_format_describes_and_contradicts(told: Practice, write: Callable[[], bytes], position: str) -> None:
    tell(told, ANN)
    delivery = told.deliver(write(), feed="billing")
    assert (delivery.state, delivery.present_count) == ("accepted", 1)
    assert (position, "demographics_conflict", "warning") in list_found(told, delivery)
    assert read_known(told)[MBI] == KNOWN


def test_a_held_delivery_is_remarked_on_when_people_let_it_count(told: Practice) -> None:
    told.send_roster({ADA: range(40)})
    add_feed(told.rt, "lakeside", feed_id="whole", mode="snapshot", actor=OPERATOR)
    bare = "\n".join(["MBI,NPI", *(f"{build_mbi(n)},{ADA}" for n in range(40))])
    assert told.deliver(bare.encode(), feed="whole").state == "accepted"
    held = told.deliver(write_roster({ADA: range(34)}).replace(b"1940", b"1941"), feed="whole")
    (hold,) = find_holds(told.rt, "lakeside")
    assert (held.state, hold.delivery_id, count_findings(told.rt, "lakeside", held.id)) == ("held", held.id, {})
    for actor in (VERA, RUTH)[: hold.people_needed]:
        decide_hold(told.rt, "lakeside", hold.id, "release", "Looked at it.", actor)
    released = load_delivery(told.rt, "lakeside", held.id)
    assert (released.state, released.warning_count) == ("accepted", 34)
    found = list_found(told, released)
    assert found == [(str(line), "demographics_conflict", "warning") for line in range(2, 36)]


def test_no_name_and_no_birth_date_is_left_readable_anywhere(told: Practice, caplog: pytest.LogCaptureFixture) -> None:
    canaries = (MBI, "Canarian", "Birdsong", "Wrenfield", "1931-02-03", "1932-03-04")
    with caplog.at_level(logging.DEBUG):
        tell(told, f"{MBI},Canarian,Birdsong,1931-02-03,F")
        delivery = tell(told, f"{MBI},Canarian,Wrenfield,1932-03-04,F", feed="billing")
    assert list_found(told, delivery) == [("2", "demographics_conflict", "warning")]
    with told.rt.database.read() as connection:
        rows = [row for table in metadata.sorted_tables for row in connection.execute(select(table))]
    shown = "\n".join(str(value) for row in rows for value in row) + caplog.text + repr(delivery)
    assert "demographics_conflict" in shown
    assert [canary for canary in canaries if canary in shown] == []
