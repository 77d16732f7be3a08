"""What FHIR inputs must come out as that leave open who is meant, what is said, or whether the person is alive."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from fhir_documents import (
    ATR,
    BASE,
    US_NPI,
    A,
    B,
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

TODAY = date(2021, 9, 1)
ENDED, OPEN = {"start": "2021-01-01", "end": "2021-08-31"}, {"start": "2021-01-01", "end": "2021-09-01"}
AT = "/entry/0/resource/member/0"


def refuse(code: str, at: str = AT, *, known: str | None = A, signal: str = "none") -> Json:
    """The result of one wrong row; it is blind where nobody knows whose it is."""
    protected: Json = {"protected_mbis": [known]} if known else {"blind_errors": 1}
    return expect(signal, errors=[[at, code]], **protected)


def build_change(*parameters: tuple[str, Json], id: str = "c1") -> Json:
    return {
        "resourceType": "Parameters", "id": id, "parameter": [{"name": key, **value} for key, value in parameters]
    }  # fmt: skip


ID, OTHER = ("memberId", {"valueIdentifier": mbi(A)}), ("memberId", {"valueIdentifier": mbi(B)})
NPI = ("providerNpi", {"valueIdentifier": npi(N)})
PATIENT = ("patientReference", {"valueReference": refer("Patient/p1")})
PERIOD = ("attributionPeriod", {"valuePeriod": {"start": "2021-01-01"}})
LISTED = group(member(A, N), status="final")

CHANGES: dict[str, tuple[Json, Json]] = {
    "in a collection": (
        bundle(build_change(ID, NPI, PERIOD), build_change(OTHER)),
        expect("delta", present=[[A, N]], remove=[[B, None]]),
    ),
    "in a Bundle in a Bundle": (
        bundle(enter(bundle(build_change(ID, NPI, PERIOD))), type="batch-response"), expect("delta", present=[[A, N]])
    ),
    "beside a whole list": (
        bundle(LISTED, build_change(OTHER)), expect("delta", present=[[A, N]], remove=[[B, None]])
    ),
    "before a whole list": (
        bundle(build_change(OTHER), LISTED), expect("delta", present=[[A, N]], remove=[[B, None]])
    ),
    "against a list": (
        bundle(LISTED, build_change(ID)),
        expect("delta", errors=[[AT, "conflicting_actions"], ["/entry/1/resource/parameter/0", "conflicting_actions"]],
               protected_mbis=[A]),
    ),
    "beside people": (
        bundle(patient(A, generalPractitioner=[{"identifier": npi(M)}]), build_change(PATIENT, NPI, PERIOD)),
        expect("delta", present=[[A, N]]),
    ),
    "beside a Bundle in one list of parameters": (
        build_change(OTHER, ("resource", {"resource": bundle(LISTED)})),
        expect("delta", present=[[A, N]], remove=[[B, None]]),
    ),
    "of nobody, beside a list": (
        bundle(LISTED, {"resourceType": "Parameters", "parameter": [{"name": "return"}]}),
        expect("delta", present=[[A, N]]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_member_changes_are_a_delta_wherever_they_stand(check_text: CheckText, name: str) -> None:
    document, result = CHANGES[name]
    assert check_text(json.dumps(document)) == result


def test_member_changes_beside_a_list_one_a_line_are_read_as_well(check_text: CheckText) -> None:
    text = "\n".join(map(json.dumps, [LISTED, build_change(OTHER)]))
    assert check_text(text) == {**expect("delta", present=[[A, N]], remove=[[B, None]]), "format": "ndjson"}


DEAD = patient(A, id="p9", deceasedBoolean=True)
LATER = patient(A, id="p9", deceasedDateTime="2021-01-01")
LIVING = patient(A)
GENERAL = [{"identifier": npi(N)}]
HELD: dict[str, tuple[Json, Json]] = {
    "member by number": (bundle(group(member(A, N)), DEAD), refuse("deceased_hold")),
    "member by number of whom the list holds the Patient": (
        bundle(group(member(A, N), contained=[DEAD])), refuse("deceased_hold")),
    "member whose other Patient lives": (
        bundle(group(member(refer("Patient/p1"), N)), LIVING, LATER), refuse("deceased_hold")),
    "member by a former number": (
        bundle(group(member(B, N)),
               patient(mbi(A, extension=tell_currency("current")), mbi(B), deceasedBoolean=True)),
        refuse("deceased_hold", known=B)),
    "member of two numbers": (bundle(group(member(A, N)), patient(A, B, deceasedBoolean=True)),
                              refuse("deceased_hold")),
    "member who is removed": (bundle(group(member(A, N, inactive=True)), DEAD), refuse("deceased_hold")),
    "change by number": (bundle(build_change(ID, NPI, PERIOD), DEAD),
                         refuse("deceased_hold", "/entry/0/resource/parameter/0", signal="delta")),
    "change by reference": (
        bundle(build_change(PATIENT, NPI, PERIOD), patient(A, deceasedDateTime="2021-01-01"), type="batch"),
        refuse("deceased_hold", "/entry/0/resource/parameter/0", signal="delta")),
    "change by reference to a Patient without number": (
        bundle(build_change(("patientReference", {"valueReference": refer("Patient/p1", identifier=mbi(A))}), NPI,
                            PERIOD), patient(deceasedBoolean=True)),
        refuse("deceased_hold", "/entry/0/resource/parameter/0", signal="delta")),
    "removal": (bundle(build_change(ID), DEAD),
                refuse("deceased_hold", "/entry/0/resource/parameter/0", signal="delta")),
    "Patient who holds the other": (
        bundle(patient(A, generalPractitioner=GENERAL, contained=[DEAD])),
        refuse("deceased_hold", "/entry/0/resource")),
    "Patient in the parameters": (
        bundle(build_change(ID, NPI, PERIOD, ("patient", {"resource": DEAD}))),
        refuse("deceased_hold", "/entry/0/resource/parameter/0", signal="delta")),
    "flag as text": (bundle(patient(A, deceasedBoolean="true", generalPractitioner=GENERAL)),
                     refuse("deceased_hold", "/entry/0/resource")),
    "flag as a number": (bundle(patient(A, deceasedBoolean=0, generalPractitioner=GENERAL)),
                         refuse("deceased_hold", "/entry/0/resource")),
    "date that is none": (bundle(patient(A, deceasedDateTime=False, generalPractitioner=GENERAL)),
                          refuse("deceased_hold", "/entry/0/resource")),
    "somebody else": (bundle(group(member(B, N)), DEAD), expect(present=[[B, N]])),
}  # fmt: skip


@pytest.mark.parametrize("name", HELD)
def test_whoever_is_said_to_have_died_is_held_wherever_it_says_so(check_text: CheckText, name: str) -> None:
    document, result = HELD[name]
    assert check_text(json.dumps(document)) == result


ONE = group(member(refer("Patient/p1"), N))
TWO = [patient(A), patient(B)]
INSIDE = group(member(refer("#p1"), N))
TOLD = group(member(refer("Patient/p1", identifier=mbi(A)), N))
OF_D1 = group(member(A, refer("Practitioner/d1")))
DOUBTFUL: dict[str, tuple[Json, Json]] = {
    "one URL": (bundle(ONE, *TWO), refuse("unresolved_reference", known=None)),
    "one URL in full": (bundle(group(member(refer(BASE + "Patient/p1"), N)), *TWO),
                        refuse("unresolved_reference", known=None)),
    "one URL, told by number": (bundle(TOLD, *TWO), refuse("unresolved_reference", known=None)),
    "one URL, equal": (bundle(ONE, patient(A), patient(A)), expect(present=[[A, N]])),
    "one URL, equal in what is read": (bundle(ONE, patient(A), patient(A, meta={"versionId": "2"})),
                                       expect(present=[[A, N]])),
    "one id, two names": (bundle(ONE, *(enter(p, f"urn:uuid:{n}") for n, p in enumerate(TWO))),
                          refuse("unresolved_reference", known=None)),
    "third of one URL": (bundle(ONE, patient(A), patient(A), patient(B)), refuse("unresolved_reference", known=None)),
    "contained": (bundle({**INSIDE, "contained": TWO}), refuse("unresolved_reference", known=None)),
    "contained, equal": (bundle({**INSIDE, "contained": [patient(A), patient(A)]}), expect(present=[[A, N]])),
    "practitioners": (bundle(OF_D1, practitioner(N), practitioner(M)), refuse("unresolved_reference")),
    "practitioners, equal": (bundle(OF_D1, practitioner(N), practitioner(N)), expect(present=[[A, N]])),
    "practitioners of a role": (
        bundle(group(member(A, refer("PractitionerRole/r1"))), practitioner(N), practitioner(M),
               {"resourceType": "PractitionerRole", "id": "r1", "practitioner": refer("Practitioner/d1")}),
        refuse("unresolved_reference")),
    "member change": (bundle(build_change(PATIENT, NPI, PERIOD), *TWO),
                      refuse("unresolved_reference", "/entry/0/resource/parameter/0", known=None, signal="delta")),
    "reference and number": (
        bundle(group(member(refer("Patient/p1", identifier=mbi(B)), N)), patient(A)),
        refuse("multiple_mbi", known=None)),
    "reference and the same number": (bundle(TOLD, patient(A)), expect(present=[[A, N]])),
    "reference and a number of another kind": (
        bundle(group(member(refer("Patient/p1", identifier=mbi("M-1", "urn:payer")), N)), patient(A)),
        expect(present=[[A, N]])),
    "reference and number of a change": (
        bundle(build_change(("patientReference", {"valueReference": refer("Patient/p1", identifier=mbi(B))}), NPI,
                            PERIOD), patient(A)),
        refuse("multiple_mbi", "/entry/0/resource/parameter/0", known=None, signal="delta")),
    "reference and number of a change that names one of the two": (
        bundle(build_change(ID, ("patientReference", {"valueReference": refer("Patient/p1", identifier=mbi(B))}), NPI,
                            PERIOD), patient(A)),
        refuse("multiple_mbi", "/entry/0/resource/parameter/0", known=None, signal="delta")),
    "practitioner and number": (
        bundle(group(member(A, refer("Practitioner/d1", identifier=npi(M)))), practitioner(N)), refuse("npi_format")),
    "practitioner and the same number": (
        bundle(group(member(A, refer("Practitioner/d1", identifier=npi(N)))), practitioner(N)),
        expect(present=[[A, N]])),
    "practitioner without number": (
        bundle(group(member(A, refer("Practitioner/d1", identifier=npi(N)))), practitioner()),
        expect(present=[[A, N]])),
    "practitioner without number, reference with that of a place": (
        bundle(group(member(A, refer("Practitioner/d1", identifier={"system": "urn:x", "value": N}))), practitioner()),
        refuse("npi_missing")),
    "Group of a change": (
        bundle(build_change(("patientReference", {"valueReference": refer("Group/g2")}), NPI, PERIOD)),
        refuse("unsupported_subgroup", "/entry/0/resource/parameter/0", known=None, signal="delta")),
    "version of a Group": (bundle(group(member(refer("Group/g2/_history/3"), N))),
                           refuse("unsupported_subgroup", known=None)),
}  # fmt: skip


@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_reference_leads_to_one_or_to_nobody(check_text: CheckText, name: str) -> None:
    document, result = DOUBTFUL[name]
    assert check_text(json.dumps(document)) == result


def test_one_id_on_two_lines_is_of_nobody_unless_they_are_equal(check_text: CheckText) -> None:
    doubtful, equal = ("\n".join(map(json.dumps, [ONE, patient(A), one])) for one in (patient(B), patient(A)))
    assert check_text(doubtful) == {**refuse("unresolved_reference", "1#/member/0", known=None), "format": "ndjson"}
    assert check_text(equal) == {**expect(present=[[A, N]]), "format": "ndjson"}


def say_change(*values: Json, element: str = "extension", **more: Any) -> Json:
    """A member with a change type of each of the values, as one element or the other."""
    found = member(A, N)
    said = [{"url": ATR + "ext-changeType", **one} for one in values]
    return {**found, **more, element: [*found.get(element, []), *said]}


DROPPED, NEW = {"valueCode": "dropped"}, {"valueCode": "new"}
MISSHAPEN: dict[str, tuple[Json, str]] = {
    "change as coding": (say_change({"valueCoding": {"code": "dropped"}}), "bad_action"),
    "change as text": (say_change({"valueString": "dropped"}), "bad_action"),
    "change without value": (say_change({}), "bad_action"),
    "change that is null": (say_change({"valueCode": None}), "bad_action"),
    "changes that differ": (say_change(NEW, DROPPED), "bad_action"),
    "changes that differ, removal first": (say_change(DROPPED, NEW), "bad_action"),
    "code and text": (say_change(NEW, {"valueString": "dropped"}), "bad_action"),
    "change in two places": (say_change(DROPPED, element="modifierExtension", extension=say_change(NEW)["extension"]),
                             "bad_action"),
    "change as a modifier": (say_change(DROPPED, element="modifierExtension"), "bad_action"),
    "change of a member who left": (say_change({"valueString": "dropped"}, inactive=True), "bad_action"),
    "extension as text": (member(A, N, modifierExtension="dropped"), "bad_action"),
    "extension among others as text": (member(A, N, modifierExtension=["dropped"]), "bad_action"),
    "inactive as text": (member(A, N, inactive="true"), "bad_action"),
    "inactive as a number": (member(A, N, inactive=1), "bad_action"),
    "inactive as a list": (member(A, N, inactive=[True]), "bad_action"),
    "period as a list": (member(A, N, period=[ENDED]), "bad_action"),
    "period as text": (member(A, N, period="2021-08-31"), "bad_action"),
    "end as a list": (member(A, N, period={"end": ["2021-08-31"]}), "bad_end_date"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISSHAPEN)
def test_a_member_of_whom_nobody_can_tell_what_is_said_is_no_pair(check_text: CheckText, name: str) -> None:
    one, code = MISSHAPEN[name]
    assert check_text(json.dumps(group(one)), today=TODAY) == refuse(code, "/member/0")


SAID: dict[str, tuple[Json, Json]] = {
    "new twice": (say_change(NEW, NEW), expect(present=[[A, N]])),
    "dropped twice": (say_change(DROPPED, DROPPED), expect(remove=[[A, N]])),
    "nothing": (member(A, N, inactive=None, period=None, modifierExtension=None), expect(present=[[A, N]])),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_twice_counts_once(check_text: CheckText, name: str) -> None:
    one, result = SAID[name]
    assert check_text(json.dumps(group(one)), today=TODAY) == result


PERIODS: dict[str, tuple[Json, str]] = {
    "as a list": ({"valuePeriod": [ENDED]}, "bad_action"),
    "of another kind": ({"valueString": "2021"}, "bad_action"),
    "end as a list": ({"valuePeriod": {"end": ["2021-08-31"]}}, "bad_end_date"),
    "end that is no date": ({"valuePeriod": {"end": "soon"}}, "bad_end_date"),
}


@pytest.mark.parametrize("name", PERIODS)
def test_a_member_change_whose_period_cannot_be_read_is_no_pair(check_text: CheckText, name: str) -> None:
    value, code = PERIODS[name]
    document = build_change(ID, NPI, ("attributionPeriod", value))
    assert check_text(json.dumps(document), today=TODAY) == refuse(code, "/parameter/0", signal="delta")


BARE = {"entity": refer("Patient/p1")}
OF_N, OF_M = patient(A, generalPractitioner=[{"identifier": npi(N)}]), {"identifier": npi(M)}
BOTH = patient(A, generalPractitioner=[{"identifier": npi(N)}, OF_M])
TWO_CODINGS = {"coding": [{"system": US_NPI, "code": N}, {"system": US_NPI, "code": M}]}
GOOD_AND_BAD = {"coding": [{"system": US_NPI, "code": "9941339108"}, {"system": US_NPI, "code": N}]}
ATTRIBUTED: dict[str, tuple[list[Json], Json, Json]] = {
    "excluded": ([attribute(N, exclude=True)], OF_N, refuse("npi_missing")),
    "excluded, another named": (
        [attribute(N, exclude=True)], BOTH,
        expect(present=[[A, M]], errors=[[AT, "npi_missing"]], protected_mbis=[A])),
    "excluded by reference": ([attribute(valueReference={"identifier": npi(N)}, exclude=True)], OF_N,
                              refuse("npi_missing")),
    "excluded and included": ([attribute(N, exclude=True), attribute(N)], OF_N, refuse("npi_missing")),
    "another excluded": ([attribute(M, exclude=True)], OF_N, expect(present=[[A, N]])),
    "organization excluded": ([attribute(valueReference=refer("Organization/o1"), exclude=True)], OF_N,
                              expect(present=[[A, N]])),
    "nobody knows who is excluded": ([attribute(valueReference=refer("Practitioner/gone"), exclude=True)], OF_N,
                                     refuse("unresolved_reference")),
    "exclusion over": ([attribute(N, exclude=True, period=ENDED)], OF_N, expect(present=[[A, N]])),
    "exclusion as text": ([attribute(N, exclude="true")], OF_N, refuse("bad_action")),
    "exclusion as a number": ([attribute(N, exclude=0)], OF_N, refuse("bad_action")),
    "over": ([attribute(N, period=ENDED)], OF_N, refuse("npi_missing")),
    "one over": ([attribute(N, period=ENDED), attribute(M)], OF_N, expect(present=[[A, M]])),
    "not over": ([attribute(M, period=OPEN)], OF_N, expect(present=[[A, M]])),
    "period as a list": ([attribute(N, period=[ENDED])], OF_N, refuse("bad_action")),
    "period that ends at no date": ([attribute(N, period={"end": "soon"})], OF_N, refuse("bad_end_date")),
    "two numbers": ([attribute(valueCodeableConcept=TWO_CODINGS)], OF_N, refuse("npi_format")),
    "a bad number beside a good one": ([attribute(valueCodeableConcept=GOOD_AND_BAD)], OF_N,
                                       expect(present=[[A, N]])),
    "same number twice": ([attribute(N, N)], OF_N, expect(present=[[A, N]])),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTRIBUTED)
def test_whom_a_group_is_not_attributed_to_treats_nobody_in_it(check_text: CheckText, name: str) -> None:
    characteristics, person, result = ATTRIBUTED[name]
    assert check_text(json.dumps(bundle(group(BARE, characteristic=characteristics), person)), today=TODAY) == result


LEFT: dict[str, tuple[Json, Json]] = {
    "of one who is excluded": (
        group({**BARE, "inactive": True}, characteristic=[attribute(N, exclude=True)]), expect(remove=[[A, N]])),
    "of a list that is over": (
        group({**BARE, "inactive": True}, characteristic=[attribute(P, period=ENDED)]), refuse("npi_missing")),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_a_removal_names_whom_it_names_and_nobody_else(check_text: CheckText, name: str) -> None:
    one, result = LEFT[name]
    assert check_text(json.dumps(bundle(one, OF_N)), today=TODAY) == result
