"""What is let go of FHIR resources while they stream in: it neither counts against the limits nor changes a reading."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fhir_documents import (
    CURRENCY,
    HICN,
    NAMING_SYSTEM,
    OID_MBI,
    A,
    B,
    C,
    Json,
    M,
    N,
    bundle,
    enter,
    group,
    mbi,
    member,
    patient,
    practitioner,
    refer,
    tell_currency,
)

from service.rosters.json_text import documents, reader
from service.rosters.limits import MAX_JSON_VALUES
from service.rosters.reading import RosterReading

ReadText = Callable[..., RosterReading]

RACE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
MRN = mbi("MRN-1", "urn:oid:2.16.840.1.113883.19.5", "MR", use="usual", period={"start": "2019-01-01"})
GENERAL: Json = {"generalPractitioner": [refer("Practitioner/d1")]}


def build_patient(number: str, id: str = "p1", **more: Any) -> Json:
    """A Patient with all that an EHR says of one."""
    extension = [
        {"url": "text", "valueString": "x"},
        {"url": "ombCategory", "valueCoding": {"system": "s", "code": "c"}},
    ]
    return patient(
        MRN,
        mbi(number, kind="MC", use="official"),
        id=id,
        meta={"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]},
        text={"status": "generated", "div": "<div/>"},
        extension=[{"url": RACE, "extension": extension}],
        name=[
            {"use": "old", "family": "Roe", "given": ["Jo"], "period": {"end": "2001-01-01"}},
            {"use": "official", "family": "Doe", "given": ["Ann", "Bea"], "prefix": ["Dr"]},
        ],
        telecom=[{"system": "phone", "value": "555-0100", "use": "home"}],
        address=[{"use": "home", "line": ["1 Main St"], "period": {"start": "2001-01-01"}}],
        gender="female",
        birthDate="1939-02-28",
        contact=[{"name": {"family": "Doe", "given": ["Carl"]}, "gender": "male"}],
        communication=[{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en"}]}}],
        **GENERAL | more,
    )


def number_patients(count: int) -> list[Json]:
    return [build_patient(f"1S00E{n // 100:02d}AA{n % 100:02d}", f"p{n}") for n in range(count)]


def write_lines(*resources: Json) -> str:
    return "".join(json.dumps(one) + "\n" for one in resources)


@pytest.mark.parametrize("write", [write_lines, lambda *found: json.dumps(bundle(*found))])
def test_ordinary_patients_count_for_what_is_needed_of_them(
    read_text: ReadText, monkeypatch: pytest.MonkeyPatch, write: Callable[..., str]
) -> None:
    text = write(*number_patients(1_000), practitioner(N))
    monkeypatch.setattr(documents, "FREE_JSON_VALUES", 500)
    monkeypatch.setattr(documents, "MAX_JSON_VALUES", 22_000)
    reading = read_text(text)
    assert (reading.file_error, len(reading.present), len(reading.demographics)) == (None, 1_000, 1_000)
    monkeypatch.setattr(documents, "MAX_JSON_VALUES", 10_000)
    assert read_text(text).file_error == "too_large"


def test_what_says_nothing_about_a_roster_counts_as_its_type_and_id(
    read_text: ReadText, monkeypatch: pytest.MonkeyPatch
) -> None:
    coverage = {
        "resourceType": "Coverage",
        "id": "c",
        "identifier": [MRN] * 20,
        "type": {"coding": [{"code": "x"}] * 20},
    }
    monkeypatch.setattr(documents, "FREE_JSON_VALUES", 500)
    monkeypatch.setattr(documents, "MAX_JSON_VALUES", 4_000)
    reading = read_text(write_lines(*[coverage] * 1_000, build_patient(A), practitioner(N)))
    assert (reading.file_error, len(reading.present)) == (None, 1)


def test_a_group_of_more_than_a_hundred_thousand_members_is_within_the_limits(
    read_text: ReadText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "FREE_JSON_VALUES", 500)
    monkeypatch.setattr(documents, "MAX_JSON_VALUES", MAX_JSON_VALUES // 100)
    members = [member(f"1S00E{n // 100:02d}AA{n % 100:02d}", N) for n in range(3_000)]
    assert len(read_text(json.dumps(group(*members))).present) == 3_000


def test_values_that_name_nothing_are_refused_above_what_is_free(
    read_text: ReadText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "FREE_JSON_VALUES", 100)
    assert read_text('{"resourceType":"Bundle","entry":[' + "{}," * 90 + "{}]}").file_error is None
    assert read_text('{"resourceType":"Bundle","entry":[' + "{}," * 110 + "{}]}").file_error == "too_large"


ENDED = mbi(B, period={"end": "2020-01-01"})
KEPT: dict[str, list[Json]] = {
    "all that an EHR says": [build_patient(A)],
    "one of two numbers is current": [patient(mbi(B), mbi(A, extension=tell_currency("current")), **GENERAL)],
    "one of two numbers ended": [patient(ENDED, mbi(A, OID_MBI), **GENERAL)],
    "two numbers": [patient(A, B, **GENERAL)],
    "typed alone": [patient(MRN, mbi(A, None, "MC"), **GENERAL)],
    "typed in another system": [patient(MRN, mbi(A, "urn:x", "MC"), **GENERAL)],
    "typed beside one with a system": [patient(mbi(B, None, "MC"), mbi(A, NAMING_SYSTEM), **GENERAL)],
    "another currency": [
        patient(mbi(A, extension=[{"url": CURRENCY, "valueCoding": {"code": "historic"}}]), **GENERAL)],
    "HICN": [patient(mbi("987654329A", HICN), **GENERAL)],
    "no number": [patient(MRN, **GENERAL)],
    "identifier that is one object": [{**patient(A, **GENERAL), "identifier": mbi(A)}],
    "identifier that is a text": [{**patient(A, **GENERAL), "identifier": A}],
    "system that is none": [patient({"system": [], "value": A}, mbi(B), **GENERAL)],
    "official name behind another": [
        patient(A, name=[{"family": "Roe"}, {"use": "official", "given": ["Jo"]}], **GENERAL)],
    "name of an older standard": [patient(A, name={"family": ["Roe", "Doe"], "given": "Jo"}, **GENERAL)],
    "given names of no texts": [patient(A, name=[{"family": "Roe", "given": [{}, "Jo"]}], **GENERAL)],
    "names that are none": [patient(A, name=["Roe", 1], gender="x", birthDate=1939, **GENERAL)],
    "death": [patient(A, deceasedDateTime="2021-01-01", **GENERAL)],
    "practitioner in the Patient": [
        patient(A, contained=[practitioner(M, id="in")], generalPractitioner=[refer("#in"), refer("Practitioner/d1")])],
    "practitioner that is one object": [patient(A, generalPractitioner=refer("Practitioner/d1"))],
    "practitioner by number": [
        patient(A, generalPractitioner=[{"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": M}}])],
    "practitioner that is none": [patient(A, generalPractitioner=["Practitioner/d1", 1])],
    "role": [
        {"resourceType": "PractitionerRole", "id": "r1", "identifier": [MRN], "practitioner": refer("Practitioner/d1")},
        patient(A, generalPractitioner=[refer("PractitionerRole/r1")])],
    "reference to something else": [
        {"resourceType": "CareTeam", "id": "t1", "identifier": [MRN]},
        patient(A, generalPractitioner=[refer("CareTeam/t1")])],
    "organization": [{"resourceType": "Organization", "id": "o1", "identifier": [{"system": "x", "value": "y"}]},
                     patient(A, generalPractitioner=[refer("Organization/o1")])],
    "kind that is no text": [build_patient(A), {"resourceType": ["Patient"], "id": "x"}],
    "practitioner with two numbers": [build_patient(A), practitioner(N, M)],
    "practitioner with other numbers": [
        build_patient(A),
        {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Roe"}], "active": True,
         "identifier": [MRN, {"system": "http://hl7.org/fhir/sid/us-npi", "value": N, "use": "official"}]}],
    "members of a Group": [
        build_patient(A), build_patient(B, "p2"), group(member(refer("Patient/p1"), refer("Practitioner/d1")),
                                                       member(refer("Patient/p2"), N), member(C, N), status="final")],
    "another server's namesake": [
        enter(build_patient(A), "https://a.example.org/Patient/p1"),
        enter(build_patient(B), "https://b.example.org/Patient/p1")],
}  # fmt: skip


def tell(reading: RosterReading) -> list[object]:
    pairs = [list(columns.iter_pairs()) for columns in (reading.present, reading.remove)]
    people = [reading.demographics, reading.practitioner_names, list(reading.positions)]
    said = [reading.file_error, reading.mode_signal, reading.protected_mbis, reading.blind_errors, reading.data_rows]
    return [*pairs, *people, *said, list(reading.findings)]


@pytest.mark.parametrize("name", KEPT)
def test_what_is_let_go_changes_no_reading(read_text: ReadText, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    resources = KEPT[name]
    last = [] if any(one.get("resourceType") == "Practitioner" for one in resources) else [practitioner(N)]
    texts = [json.dumps(bundle(*resources, *last))]
    if not any("fullUrl" in one for one in resources):
        texts.append(write_lines(*resources, *last))
    found = [tell(read_text(text)) for text in texts]
    monkeypatch.setattr(reader, "keep_resource", lambda _: None)
    assert found == [tell(read_text(text)) for text in texts]
    assert found[0][0] or found[0][-1] or found[0][2]
