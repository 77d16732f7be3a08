"""Which patient, practitioner and verdict FHIR members must come out as, case by case."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from fhir_documents import (
    BASE,
    BENE_ID,
    HICN,
    NAMING_SYSTEM,
    OID_MBI,
    OID_NPI,
    US_MBI,
    A,
    B,
    C,
    Json,
    M,
    N,
    P,
    attribute,
    bundle,
    enter,
    expect,
    group,
    mbi,
    member,
    npi,
    patient,
    practitioner,
    refer,
    tell_currency,
)

CheckText = Callable[..., dict[str, Any]]

REAL = "1EG4TE5MK73"
TODAY = date(2021, 9, 1)


IDENTIFIERS: dict[str, tuple[list[Json], str | None, str | None]] = {
    "uri": ([mbi(A)], A, None),
    "oid": ([mbi(A, OID_MBI)], A, None),
    "naming system": ([mbi(A, NAMING_SYSTEM)], A, None),
    "display form": ([mbi("1s00-e00-aa00")], A, None),
    "MC and MBI system": ([mbi(A, kind="MC")], A, None),
    "MC alone": ([mbi(A, None, "MC")], A, None),
    "MC of somebody else": ([mbi(A, "urn:local", "MC")], A, None),
    "Australian MC": ([mbi("2950000001", "http://ns.electronichealth.net.au/id/medicare-number", "MC")], None,
                      "mbi_missing"),
    "MC that fails": ([mbi("987654329A", None, "MC")], None, "mbi_missing"),
    "no system": ([mbi(A, None)], None, "mbi_missing"),
    "member number": ([mbi(A, "urn:payer", "MB")], None, "mbi_missing"),
    "HICN": ([mbi("987654329A", HICN)], None, "mbi_missing"),
    "HICN beside MBI": ([mbi("987654329A", HICN), mbi(A)], A, None),
    "HICN under the MBI's system": ([mbi("987654329A")], None, "mbi_is_hicn"),
    "bene_id": ([mbi(A, BENE_ID)], None, "mbi_missing"),
    "real number": ([mbi(REAL)], None, "mbi_real_in_sandbox"),
    "same twice": ([mbi(A), mbi("1S00-E00-AA00", OID_MBI)], A, None),
    "two": ([mbi(A), mbi(B)], None, "multiple_mbi"),
    "current": ([mbi(B, extension=tell_currency("historic")), mbi(A, extension=tell_currency("current"))], A, None),
    "current although ended": (
        [mbi(B), mbi(A, extension=tell_currency("current"), period={"end": "2030-01-01"})], A, None),
    "two current": ([mbi(A, extension=tell_currency("current")), mbi(B, extension=tell_currency("current"))],
                    None, "multiple_mbi"),
    "one ended": ([mbi(B, period={"start": "2018-01-01", "end": "2020-12-31"}), mbi(A, period={"start": "2021-01-01"})],
                  A, None),
    "ended and alone": ([mbi(A, period={"end": "2020-12-31"})], A, None),
    "all ended": ([mbi(A, period={"end": "2020-12-31"}), mbi(B, period={"end": "2019-12-31"})], None, "multiple_mbi"),
    "none": ([], None, "mbi_missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_the_mbi_of_a_patient_is_the_one_agreed(check_text: CheckText, name: str) -> None:
    identifiers, value, code = IDENTIFIERS[name]
    general = [{"identifier": npi(N)}]
    mrn = mbi("MRN-1", "urn:oid:2.16.840.1.113883.19.5", "MR")
    found = check_text(json.dumps(bundle(patient(mrn, *identifiers, generalPractitioner=general))))
    at = "/entry/0/resource"
    assert found == (expect(present=[[value, N]]) if value else expect(errors=[[at, code]], blind_errors=1))
    for system in (US_MBI, OID_MBI, NAMING_SYSTEM):
        lone = group(member({"identifier": mbi(A, system)}, N))
        assert check_text(json.dumps(lone)) == expect(present=[[A, N]])


def build_surroundings() -> list[Json]:
    role = {"resourceType": "PractitionerRole", "id": "r1", "practitioner": refer("Practitioner/d1")}
    return [
        practitioner(N, id="d1"),
        practitioner(id="none"),
        practitioner(N, M, id="two"),
        practitioner(N, N, id="twice"),
        practitioner("9941339108", id="bad"),
        {"resourceType": "Practitioner", "id": "oid", "identifier": [{"system": OID_NPI, "value": N}]},
        {"resourceType": "Practitioner", "id": "local", "identifier": [{"system": "urn:local", "value": N}]},
        role,
        {**role, "id": "r2", "practitioner": {"identifier": npi(N)}},
        {**role, "id": "r3", "practitioner": refer("Practitioner/gone")},
        {"resourceType": "PractitionerRole", "id": "r4", "organization": refer("Organization/o1")},
        {"resourceType": "Organization", "id": "o1", "identifier": [npi(P)]},
        enter(practitioner(N, id="d9"), "urn:uuid:22222222-2222-4222-8222-222222222222"),
        enter(practitioner(N, id="d8"), "https://other.example.org/fhir/Practitioner/d8"),
    ]


PROVIDERS: dict[str, tuple[Json, str]] = {
    "relative": (refer("Practitioner/d1"), N),
    "absolute": (refer(BASE + "Practitioner/d1"), N),
    "version": (refer("Practitioner/d1/_history/2"), N),
    "absolute version": (refer(BASE + "Practitioner/d1/_history/2"), N),
    "uuid": (refer("urn:uuid:22222222-2222-4222-8222-222222222222"), N),
    "by id although it has a uuid": (refer("Practitioner/d9"), N),
    "oid": (refer("Practitioner/oid"), N),
    "same number twice": (refer("Practitioner/twice"), N),
    "role": (refer("PractitionerRole/r1"), N),
    "role with a logical practitioner": (refer("PractitionerRole/r2"), N),
    "contained": (refer("#c1"), N),
    "contained role": (refer("#c2"), N),
    "logical": ({"type": "Practitioner", "identifier": npi(N)}, N),
    "logical oid": ({"identifier": {"system": OID_NPI, "value": N}}, N),
    "absent but identified": (refer("Practitioner/gone", identifier=npi(N)), N),
    "other server, full URL": (refer("https://other.example.org/fhir/Practitioner/d8"), N),
    "other server, relative": (refer("Practitioner/d8"), "unresolved_reference"),
    "this server, of the other one": (refer(BASE + "Practitioner/d8"), "unresolved_reference"),
    "other server, of this one": (refer("https://other.example.org/fhir/Practitioner/d1"), "unresolved_reference"),
    "unknown server": (refer("https://third.example.org/fhir/Practitioner/d1"), "unresolved_reference"),
    "gone": (refer("Practitioner/gone"), "unresolved_reference"),
    "gone from a role": (refer("PractitionerRole/r3"), "unresolved_reference"),
    "gone from the contained": (refer("#c9"), "unresolved_reference"),
    "role of nobody": (refer("PractitionerRole/r4"), "npi_missing"),
    "without number": (refer("Practitioner/none"), "npi_missing"),
    "local number": (refer("Practitioner/local"), "npi_missing"),
    "logical local number": ({"identifier": {"system": "urn:local", "value": N}}, "npi_missing"),
    "name only": ({"display": "Dr. Doe"}, "npi_missing"),
    "several numbers": (refer("Practitioner/two"), "npi_format"),
    "wrong number": (refer("Practitioner/bad"), "npi_luhn"),
    "organization": (refer("Organization/o1"), "provider_is_org"),
    "organization elsewhere": (refer("Organization/gone"), "provider_is_org"),
    "logical organization": ({"type": "Organization", "identifier": npi(P)}, "provider_is_org"),
}


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_practitioner_is_found_as_agreed(check_text: CheckText, name: str) -> None:
    reference, answer = PROVIDERS[name]
    inner = {"resourceType": "PractitionerRole", "id": "c2", "practitioner": refer("#c1")}
    contained = [practitioner(N, id="c1"), inner]
    of_patient = patient(A, generalPractitioner=[reference], contained=contained)
    of_group = group(member(A, reference), contained=contained)
    for first, at in ((of_patient, "/entry/0/resource"), (of_group, "/entry/0/resource/member/0")):
        found = check_text(json.dumps(bundle(first, *build_surroundings())))
        wrong = expect(errors=[[at, answer]], protected_mbis=[A])
        assert found == (expect(present=[[A, N]]) if answer == N else wrong)


def test_two_servers_may_use_the_same_ids(check_text: CheckText) -> None:
    other = "https://other.example.org/fhir/"
    general: Json = {"generalPractitioner": [refer("Practitioner/d1")]}
    nowhere = enter(patient(C, generalPractitioner=[refer("Practitioner/d1")]))
    document = bundle(
        patient(A, **general),
        practitioner(N),
        enter(patient(B, **general), other + "Patient/p1"),
        enter(practitioner(M), other + "Practitioner/d1"),
        nowhere,
    )
    assert check_text(json.dumps(document)) == expect(
        present=[[A, N], [B, M]], errors=[["/entry/4/resource", "unresolved_reference"]], protected_mbis=[C]
    )


ENTITIES: dict[str, tuple[Json, str | None]] = {
    "relative": (refer("Patient/p1"), None),
    "absolute": (refer(BASE + "Patient/p1"), None),
    "version": (refer("Patient/p1/_history/1"), None),
    "uuid": (refer("urn:uuid:11111111-1111-4111-8111-111111111111"), None),
    "contained": (refer("#p2"), None),
    "logical": ({"identifier": mbi(A)}, None),
    "absent but identified": (refer("Patient/gone", identifier=mbi(A)), None),
    "numberless but identified": (refer("Patient/p4", identifier=mbi(A)), None),
    "gone": (refer("Patient/gone"), "unresolved_reference"),
    "gone uuid": (refer("urn:uuid:33333333-3333-4333-8333-333333333333"), "unresolved_reference"),
    "other server": (refer("https://other.example.org/fhir/Patient/p1"), "unresolved_reference"),
    "no Patient": (refer("Practitioner/d1"), "unresolved_reference"),
    "without MBI": (refer("Patient/p4"), "mbi_missing"),
    "payer's number": ({"identifier": mbi("M-1", "urn:payer")}, "mbi_missing"),
    "nothing": ({}, "mbi_missing"),
    "Group": (refer("Group/g2"), "unsupported_subgroup"),
    "Group elsewhere": (refer(BASE + "Group/g9"), "unsupported_subgroup"),
    "Group by uuid": (refer("urn:uuid:44444444-4444-4444-8444-444444444444"), "unsupported_subgroup"),
    "logical Group": ({"type": "Group", "identifier": {"value": "x"}}, "unsupported_subgroup"),
}


@pytest.mark.parametrize("name", ENTITIES)
def test_a_member_is_found_as_agreed(check_text: CheckText, name: str) -> None:
    entity, code = ENTITIES[name]
    sub = enter({**group(), "type": "device"}, "urn:uuid:44444444-4444-4444-8444-444444444444")
    document = bundle(
        group(member(entity, N), contained=[patient(A, id="p2")]),
        patient(A),
        enter(patient(A, id="p3"), "urn:uuid:11111111-1111-4111-8111-111111111111"),
        patient(mbi("MRN", "urn:x"), id="p4"),
        practitioner(N),
        sub,
    )
    wrong = expect(errors=[["/entry/0/resource/member/0", code]], blind_errors=1)
    assert check_text(json.dumps(document)) == (wrong if code else expect(present=[[A, N]]))


ENDED, OPEN = {"start": "2021-01-01", "end": "2021-08-31"}, {"start": "2021-01-01", "end": "2021-09-01"}
CHANGES: dict[str, tuple[Json, str]] = {
    "nothing said": (member(A, N), "present"),
    "new": (member(A, N, change="new"), "present"),
    "changed": (member(A, N, change="changed"), "present"),
    "nochange": (member(A, N, change="nochange"), "present"),
    "active": (member(A, N, inactive=False), "present"),
    "dropped": (member(A, N, change="dropped"), "remove"),
    "cancelled": (member(A, N, change="cancelled"), "remove"),
    "inactive": (member(A, N, inactive=True), "remove"),
    "inactive and new": (member(A, N, change="new", inactive=True), "remove"),
    "dropped and active": (member(A, N, change="dropped", inactive=False), "remove"),
    "ended": (member(A, N, period=ENDED), "ended"),
    "ends today": (member(A, N, period=OPEN), "present"),
    "ends this month": (member(A, N, period={"end": "2021-09"}), "present"),
    "ended last year": (member(A, N, period={"end": "2020"}), "ended"),
    "ended at a time": (member(A, N, period={"end": "2021-08-31T23:59:59-04:00"}), "ended"),
    "no end": (member(A, N, period={"start": "2021-01-01"}), "present"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_member_is_present_or_removed_as_agreed(check_text: CheckText, name: str) -> None:
    one, verdict = CHANGES[name]
    document = json.dumps(group(one))
    gone = expect(remove=[[A, N]])
    there = expect(present=[[A, N]])
    absent = expect(warnings=[["/member/0", "attribution_ended"]])
    assert check_text(document, today=TODAY) == (there if verdict == "present" else gone)
    assert check_text(document, today=TODAY, mode="snapshot") == {"present": there, "ended": absent}.get(verdict, gone)
    assert check_text(document) == (gone if verdict == "remove" else there)  # no date is compared without today


MEMBERS: dict[str, tuple[list[Json], Json]] = {
    "two practitioners": (
        [member(A, N, M)],
        expect(present=[[A, N], [A, M]], warnings=[["/member/0", "mbi_multiple_npi"]]),
    ),
    "two members of one patient": (
        [member(A, N), member(A, M), member(A, N)],
        expect(present=[[A, N], [A, M]],
               warnings=[["/member/1", "mbi_multiple_npi"], ["/member/2", "duplicate_row"]]),
    ),
    "one with and one without practitioner": (
        [member(A, N), member(B)],
        expect(present=[[A, N]], errors=[["/member/1", "npi_missing"]], protected_mbis=[B]),
    ),
    "removed without practitioner": (
        [member(A, N), member(B, inactive=True), member(C, change="dropped")],
        expect(present=[[A, N]], remove=[[B, None], [C, None]]),
    ),
    "added and removed": (
        [member(A, N), member(A, N, inactive=True), member(B, N)],
        expect(present=[[B, N]], errors=[["/member/0", "conflicting_actions"], ["/member/1", "conflicting_actions"]],
               protected_mbis=[A]),
    ),
    "a code that is none": (
        [member(A, N, change="transferred")],
        expect(errors=[["/member/0", "bad_action"]], protected_mbis=[A]),
    ),
    "nobody": ([], expect()),
}  # fmt: skip


@pytest.mark.parametrize("name", MEMBERS)
def test_members_come_out_as_agreed(check_text: CheckText, name: str) -> None:
    members, result = MEMBERS[name]
    assert check_text(json.dumps(group(*members))) == result


BARE = {"entity": {"identifier": mbi(A)}}
ATTRIBUTED: dict[str, tuple[list[Json], list[list[str]], str | None]] = {
    "in code": ([attribute(N)], [[A, N]], None),
    "in value": ([attribute(N, key="value")], [[A, N]], None),
    "by reference": ([attribute(valueReference={"identifier": npi(N)})], [[A, N]], None),
    "among others": ([{"code": {"coding": [{"code": "location"}]}}, attribute(N)], [[A, N]], None),
    "several": ([attribute(N), attribute(M)], [[A, N], [A, M]], None),
    "excluded": ([attribute(N, exclude=True)], [], "npi_missing"),
    "old number": ([attribute("110001029483")], [], "npi_length"),
    "no number": ([attribute()], [], "npi_missing"),
    "no characteristic": ([], [], "npi_missing"),
}


@pytest.mark.parametrize("name", ATTRIBUTED)
def test_a_group_is_attributed_as_a_whole_as_agreed(check_text: CheckText, name: str) -> None:
    characteristics, present, code = ATTRIBUTED[name]
    found = check_text(json.dumps(group(BARE, characteristic=characteristics)))
    assert (found["present"], found["blind_errors"]) == (present, 0)
    assert found["errors"] == ([["/member/0", code]] if code else [])


def test_the_state_of_dpc_v1_is_no_roster_without_its_patients(check_text: CheckText) -> None:
    uuid = "4d72ad76-fbc6-4525-be91-7f358f0fea9d"
    state = group({"entity": refer(f"Patient/{uuid}"), "period": ENDED}, characteristic=[attribute(M)])
    wrong = [["/member/0", "unresolved_reference"]]
    assert check_text(json.dumps(state)) == expect(errors=wrong, blind_errors=1)
    whole = bundle(state, patient(A, id=uuid))
    assert check_text(json.dumps(whole)) == expect(present=[[A, M]])


def test_practitioners_come_from_one_source_only(check_text: CheckText) -> None:
    general: Json = {"generalPractitioner": [{"identifier": npi(P)}]}
    bare = {"entity": refer("Patient/p1")}
    by_member = bundle(group(member(B, N), bare, characteristic=[attribute(M)]), patient(A, **general))
    by_group = bundle(group(bare, characteristic=[attribute(M)]), patient(A, **general))
    by_patient = bundle(group(bare), patient(A, **general))
    at = "/entry/0/resource/member/1"
    assert check_text(json.dumps(by_member)) == expect(
        present=[[B, N]], errors=[[at, "npi_missing"]], protected_mbis=[A]
    )
    assert check_text(json.dumps(by_group)) == expect(present=[[A, M]])
    assert check_text(json.dumps(by_patient)) == expect(present=[[A, P]])


def test_what_is_contained_refers_to_its_neighbours(check_text: CheckText) -> None:
    contained = [patient(A, id="p", generalPractitioner=[refer("#d")]), practitioner(N, id="d")]
    document = group({"entity": refer("#p")}, contained=contained)
    assert check_text(json.dumps(document)) == expect(present=[[A, N]])
