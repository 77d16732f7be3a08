"""FHIR documents that are no whole list let nobody go, however they are wrapped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import find_hold, list_wanted
from fhir_documents import Json, bundle, group, mbi, member, npi, patient, practitioner, refer
from practice import ADA, BRUNO, OPERATOR, Practice, build_mbi

from service.workflows.feeds import set_feed
from service.workflows.holds import find_holds

SHORT = {ADA: range(1, 11), BRUNO: range(20, 26)}
"""Two of the eighteen patients are missing: the numbers 11 and 12."""


@pytest.fixture
def impatient(delivered: Practice) -> Practice:
    """A practice whose feed lets patients go at their first absence; 18 patients are known."""
    set_feed(delivered.rt, "lakeside", "ehr", {"absences_before_removal": 1}, OPERATOR)
    return delivered


def build_addition(number: int, doctor: str) -> Json:
    told: list[Json] = [
        {"name": "memberId", "valueIdentifier": mbi(build_mbi(number))},
        {"name": "providerNpi", "valueIdentifier": npi(doctor)},
        {"name": "attributionPeriod", "valuePeriod": {"start": "2026-01-01"}},
    ]
    return {"resourceType": "Parameters", "id": f"c{number}", "parameter": told}


def build_person(number: int, doctor: str) -> Json:
    return patient(build_mbi(number), id=f"p{number}", generalPractitioner=[{"identifier": npi(doctor)}])


def build_list(*more: Json, **of_group: Any) -> Json:
    members = (member(build_mbi(n), doctor) for doctor, numbers in SHORT.items() for n in numbers)
    return bundle(group(*members, status="final", **of_group), *more)


ADDITIONS = [build_addition(n, doctor) for doctor, numbers in SHORT.items() for n in numbers]
PEOPLE = [build_person(n, doctor) for doctor, numbers in SHORT.items() for n in numbers]
LATER_PAGE = [{"relation": "self", "url": "x"}, {"relation": "previous", "url": "x"}]
PARTS: dict[str, tuple[Json, str]] = {
    "member changes in a collection": (bundle(*ADDITIONS), "delta"),
    "member change beside a final list": (build_list(build_addition(1, ADA)), "delta"),
    "last page of several": (bundle(*PEOPLE, type="searchset", link=LATER_PAGE), "partial"),
    "history": (bundle(*PEOPLE, type="history"), "partial"),
    "list out of use": (build_list(active=False), "partial"),
}


@pytest.mark.parametrize("name", PARTS)
def test_whoever_is_missing_from_a_part_of_a_list_stays(impatient: Practice, name: str) -> None:
    document, signal = PARTS[name]
    before = list_wanted(impatient)
    delivery = impatient.deliver(json.dumps(document).encode())
    assert delivery.mode_signal == signal
    assert list_wanted(impatient) == before
    assert find_hold(impatient).rule == "partial_input"


def test_whoever_is_missing_from_a_whole_list_goes(impatient: Practice) -> None:
    before = list_wanted(impatient)
    impatient.deliver(json.dumps(build_list()).encode())
    assert before - list_wanted(impatient) == {build_mbi(11), build_mbi(12)}


def test_nobody_goes_while_it_is_open_which_of_two_a_reference_means(impatient: Practice) -> None:
    document = build_list(patient(build_mbi(12), id="p1"), patient(build_mbi(11), id="p1"), practitioner(ADA))
    document["entry"][0]["resource"]["member"].append(member(refer("Patient/p1"), ADA))
    before = list_wanted(impatient)
    impatient.deliver(json.dumps(document).encode())
    assert list_wanted(impatient) == before
    assert find_holds(impatient.rt, "lakeside")


def test_a_dead_patient_is_neither_added_nor_let_go(impatient: Practice) -> None:
    dead = [patient(build_mbi(n), id=f"p{n}", deceasedBoolean=True) for n in (1, 60)]
    document = build_list(*dead)
    document["entry"][0]["resource"]["member"].append(member(build_mbi(60), ADA))
    before = list_wanted(impatient)
    impatient.deliver(json.dumps(document).encode())
    after = list_wanted(impatient)
    assert build_mbi(1) in before & after
    assert build_mbi(60) not in after
