"""Bundles of Patients and Practitioners, bare and inside Parameters."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from service.rosters.reading import RosterReading

ReadText = Callable[..., RosterReading]
Json = dict[str, Any]

A, B, C = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02"
N, M = "3905293015", "2323232225"
US_MBI = "http://hl7.org/fhir/sid/us-mbi"
US_NPI = "http://hl7.org/fhir/sid/us-npi"
CURRENCY = "https://bluebutton.cms.gov/resources/codesystem/identifier-currency"


def build_mbi(value: str, **more: Any) -> Json:
    return {"system": US_MBI, "value": value, **more}


def build_patient(*identifiers: Json, **more: Any) -> Json:
    return {"resourceType": "Patient", "identifier": list(identifiers), **more}


def build_practitioner(npi: str, **more: Any) -> Json:
    return {"resourceType": "Practitioner", "identifier": [{"system": US_NPI, "value": npi}], **more}


def build_bundle(*resources: Json, **more: Any) -> Json:
    base = "https://ehr.example.org/fhir/"
    entries = [
        {"fullUrl": f"{base}{one['resourceType']}/{one.get('id', place)}", "resource": one}
        for place, one in enumerate(resources)
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries, **more}


def list_pairs(reading: RosterReading) -> list[tuple[str, str | None]]:
    return list(reading.present.iter_pairs())


def list_codes(reading: RosterReading) -> list[tuple[str, str, bool]]:
    return [(one.position, one.code, one.blind) for one in reading.findings]


def test_patients_without_practitioners_are_people_and_no_pairs(read_text: ReadText) -> None:
    patient = build_patient(
        {"system": "https://bluebutton.cms.gov/resources/variables/bene_id", "value": C},
        {"system": "http://hl7.org/fhir/sid/us-medicare", "value": "900000001A"},
        build_mbi(A),
        name=[{"family": "Old"}, {"use": "official", "family": "Doe", "given": ["Ann", "Marie"]}],
        birthDate="1939-02-28",
        gender="female",
    )
    reading = read_text(json.dumps(build_bundle(patient, build_patient(build_mbi("x")))))
    assert (reading.format, reading.mode_signal, reading.data_rows) == ("fhir", "none", 2)
    assert list_pairs(reading) == []
    assert list_codes(reading) == [("/entry/1/resource", "mbi_length", True)]
    (person,) = reading.demographics
    assert (person.mbi, person.given, person.family) == (A, "Ann", "Doe")
    assert (person.birth_on, person.gender, person.position) == (date(1939, 2, 28), "female", "/entry/0/resource")


def test_parameters_may_wrap_the_bundle(read_text: ReadText) -> None:
    bundle = build_bundle(build_patient(build_mbi(A), name=[{"family": "Doe"}]))
    wrapped = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": bundle}]}
    reading = read_text(json.dumps(wrapped))
    assert reading.mode_signal == "delta"
    assert reading.demographics[0].position == "/parameter/0/resource/entry/0/resource"


IDENTIFIERS = [
    ([build_mbi(A)], A, None),
    ([{"system": "urn:oid:2.16.840.1.113883.4.927", "value": A}], A, None),
    ([{"type": {"coding": [{"code": "MC"}]}, "value": A}], A, None),
    ([{"type": {"coding": [{"code": "MC"}]}, "value": "2950000001"}], None, "mbi_missing"),
    ([{"type": {"coding": [{"code": "MB"}]}, "value": A}], None, "mbi_missing"),
    ([build_mbi(A), build_mbi(A)], A, None),
    ([build_mbi(A), build_mbi(B)], None, "multiple_mbi"),
    ([build_mbi(A, period={"end": "2020-01-01"}), build_mbi(B)], B, None),
    ([build_mbi(A), build_mbi(B, extension=[{"url": CURRENCY, "valueCoding": {"code": "current"}}])], B, None),
    ([build_mbi("1EG4TE5MK73")], None, "mbi_real_in_sandbox"),
    ([{"system": US_MBI}], None, "mbi_missing"),
    ([], None, "mbi_missing"),
]


@pytest.mark.parametrize(("identifiers", "mbi", "code"), IDENTIFIERS, ids=range(len(IDENTIFIERS)))
def test_the_one_current_mbi_of_a_patient_counts(
    read_text: ReadText, identifiers: list[Json], mbi: str | None, code: str | None
) -> None:
    reading = read_text(json.dumps(build_bundle(build_patient(*identifiers))))
    assert [person.mbi for person in reading.demographics] == ([mbi] if mbi else [])
    assert [one.code for one in reading.findings] == ([code] if code else [])


BASE = "https://ehr.example.org/fhir"
REFERENCES = [
    ({"reference": "Practitioner/d1"}, N),
    ({"reference": f"{BASE}/Practitioner/d1"}, N),
    ({"reference": f"{BASE}/Practitioner/d1/_history/3"}, N),
    ({"reference": "PractitionerRole/r1"}, N),
    ({"reference": "#inside"}, M),
    ({"identifier": {"system": US_NPI, "value": M}}, M),
    ({"reference": "https://other.example.org/Practitioner/d1"}, "unresolved_reference"),
    ({"reference": "Practitioner/unknown"}, "unresolved_reference"),
    ({"reference": "Organization/o1"}, "provider_is_org"),
    ({"reference": "Organization/elsewhere"}, "provider_is_org"),
    ({"type": "Organization", "identifier": {"system": US_NPI, "value": M}}, "provider_is_org"),
    ({"identifier": {"system": "urn:local", "value": M}}, "npi_missing"),
    ({"reference": "Practitioner/bad"}, "npi_luhn"),
    ({"reference": "Practitioner/two"}, "npi_format"),
]


@pytest.mark.parametrize(("reference", "answer"), REFERENCES, ids=range(len(REFERENCES)))
def test_a_general_practitioner_is_resolved_inside_the_input(read_text: ReadText, reference: Json, answer: str) -> None:
    two = {"resourceType": "Practitioner", "id": "two"}
    two["identifier"] = [{"system": US_NPI, "value": N}, {"system": US_NPI, "value": M}]  # type: ignore[assignment]
    patient = build_patient(build_mbi(A), generalPractitioner=[reference])
    patient["contained"] = [build_practitioner(M, id="inside")]
    role = {"resourceType": "PractitionerRole", "id": "r1", "practitioner": {"reference": "Practitioner/d1"}}
    bundle = build_bundle(
        patient,
        build_practitioner(N, id="d1"),
        build_practitioner("3905293016", id="bad"),
        two,
        role,
        {"resourceType": "Organization", "id": "o1"},
    )
    reading = read_text(json.dumps(bundle))
    if answer.isdigit():
        assert (list_pairs(reading), list_codes(reading)) == ([(A, answer)], [])
    else:
        assert (list_pairs(reading), list_codes(reading)) == ([], [("/entry/0/resource", answer, False)])
        assert reading.protected_mbis == (A,)


def test_several_practitioners_give_several_pairs_and_one_remark(read_text: ReadText) -> None:
    general = [{"identifier": {"system": US_NPI, "value": npi}} for npi in (N, M, N)]
    reading = read_text(json.dumps(build_bundle(build_patient(build_mbi(A), generalPractitioner=general))))
    assert list_pairs(reading) == [(A, N), (A, M)]
    assert [one.code for one in reading.findings] == ["mbi_multiple_npi", "duplicate_row"]


def test_a_patient_without_practitioner_among_others_is_an_error(read_text: ReadText) -> None:
    general = [{"identifier": {"system": US_NPI, "value": N}}]
    dead = build_patient(build_mbi(C), generalPractitioner=general, deceasedBoolean=True)
    bundle = build_bundle(build_patient(build_mbi(A), generalPractitioner=general), build_patient(build_mbi(B)), dead)
    reading = read_text(json.dumps(bundle))
    assert list_codes(reading) == [
        ("/entry/1/resource", "npi_missing", False),
        ("/entry/2/resource", "deceased_hold", False),
    ]


def test_practitioners_are_delivered_with_their_names(read_text: ReadText) -> None:
    bundle = build_bundle(
        build_practitioner(N, name=[{"family": "Doe", "given": ["Jane"]}]),
        build_practitioner("1"),
        build_practitioner(M),
    )
    reading = read_text(json.dumps(bundle))
    assert [(one.npi, one.given, one.family) for one in reading.practitioner_names] == [
        (N, "Jane", "Doe"),
        (M, None, None),
    ]
    assert list_codes(reading) == [("/entry/1/resource", "npi_length", False)]


SIGNALS = [
    ({}, "none"),
    ({"total": 1}, "none"),
    ({"total": 2}, "partial"),
    ({"link": [{"relation": "next", "url": "https://ehr.example.org/2"}]}, "partial"),
    ({"link": [{"relation": "self", "url": "https://ehr.example.org/1"}]}, "none"),
    ({"type": "transaction"}, "delta"),
    ({"type": "batch"}, "delta"),
]


def test_an_entry_without_resource_makes_a_bundle_partial(read_text: ReadText) -> None:
    bundle = build_bundle(build_patient(build_mbi(A)))
    bundle["entry"].append({"fullUrl": "https://ehr.example.org/fhir/Patient/lost"})
    assert read_text(json.dumps(bundle)).mode_signal == "partial"


@pytest.mark.parametrize(("more", "signal"), SIGNALS)
def test_the_envelope_may_only_take_power_away(read_text: ReadText, more: Json, signal: str) -> None:
    assert read_text(json.dumps(build_bundle(build_patient(build_mbi(A)), **more))).mode_signal == signal


BIRTHS = [("1939-02-28", date(1939, 2, 28), []), ("1939-02", None, ["dob_partial"]), ("1939", None, ["dob_partial"]),
          ("28/02/1939", None, ["dob_unparseable"]), ("1939-02-30", None, ["dob_unparseable"])]  # fmt: skip


@pytest.mark.parametrize(("text", "on", "codes"), BIRTHS)
def test_a_partial_birth_date_is_a_remark(read_text: ReadText, text: str, on: date | None, codes: list[str]) -> None:
    reading = read_text(json.dumps(build_bundle(build_patient(build_mbi(A), birthDate=text))))
    assert reading.demographics[0].birth_on == on
    assert [one.code for one in reading.findings] == codes


UNREAD = [
    build_bundle({"resourceType": "Organization"}),
    build_bundle({"resourceType": "Group", "type": "device", "member": []}),
    {"resourceType": "Group", "actual": False, "member": []},
    {"resourceType": "Parameters", "parameter": [{"name": "coverageReference"}]},
]


@pytest.mark.parametrize("document", UNREAD, ids=range(len(UNREAD)))
def test_resources_that_are_not_read_are_refused_whole(read_text: ReadText, document: Json) -> None:
    reading = read_text(json.dumps(document))
    assert (reading.format, reading.file_error) == ("fhir", "unsupported_format_json")
    assert not reading.demographics


MISSHAPEN: list[Any] = [None, 1, "x", [], {}, [None], [1], ["x"], [[]], [{}], {"coding": 1}, {"end": 3}]


@pytest.mark.parametrize("wrong", MISSHAPEN, ids=range(len(MISSHAPEN)))
@pytest.mark.parametrize(
    "key", ["identifier", "name", "birthDate", "gender", "generalPractitioner", "contained", "deceasedBoolean"]
)
def test_elements_of_the_wrong_shape_are_data_and_never_an_exception(read_text: ReadText, key: str, wrong: Any) -> None:
    fine = build_patient(build_mbi(A), generalPractitioner=[{"reference": "#x"}])
    for document in (
        build_bundle({**fine, key: wrong}),
        build_bundle(fine, build_practitioner(N, **{key: wrong})),
        build_bundle(build_patient(build_mbi(A, period=wrong, extension=wrong, type=wrong))),
        build_bundle(build_patient({"system": wrong, "value": A}, {"system": US_MBI, "value": wrong})),
        build_bundle(build_patient(build_mbi(A), generalPractitioner=[{"reference": wrong, "identifier": wrong}])),
        build_bundle(fine, {"resourceType": wrong, "id": wrong}),
        build_bundle(fine, link=wrong, total=wrong),
        {"resourceType": "Bundle", "entry": wrong},
        {"resourceType": "Parameters", "parameter": wrong},
    ):
        for mbi, npi in read_text(json.dumps(document)).present.iter_pairs():
            assert (mbi, npi) == (A, N)
