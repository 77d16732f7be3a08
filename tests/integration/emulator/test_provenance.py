"""The X-Provenance header of POST /Group, PUT /Group/{id} and $add."""

from __future__ import annotations

import copy
import http.client
import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from emulator_customer import FHIR, Customer, Scene, build_group, build_npi, read_text

Change = Callable[[dict[str, Any]], object]


def send_all(roster: Scene, provenance: Any, body: dict[str, Any] | None = None) -> list[requests.Response]:
    """The same header to the three endpoints that read it."""
    sent = body or build_group(roster.npi, [])
    targets = (("POST", "/Group"), ("PUT", f"/Group/{roster.group_id}"), ("POST", f"/Group/{roster.group_id}/$add"))
    return [roster.customer.send(method, path, sent, provenance=provenance) for method, path in targets]


def change(roster: Scene, edit: Change) -> dict[str, Any]:
    provenance = copy.deepcopy(roster.provenance)
    edit(provenance)
    return provenance


def test_the_header_is_required(roster: Scene) -> None:
    """contract-v1 9.1."""
    for answer in send_all(roster, None):
        assert (answer.status_code, read_text(answer)) == (400, "Must have X-Provenance header")


@pytest.mark.parametrize(
    "header", ["", "word", "[]", '{"resourceType":"Patient"}', '{"resourceType":"Provenance","recorded":"x"}']
)
def test_an_unreadable_header_is_a_400(roster: Scene, header: str) -> None:
    """contract-v1 9.1."""
    for answer in send_all(roster, header):
        assert (answer.status_code, read_text(answer)) == (400, "Cannot parse FHIR `Provenance` resource")


OTHER_AGENT = {"role": [{"coding": [{"system": "urn:x", "code": "OTHER"}]}]}


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        (lambda p: p.pop("recorded"), "Provenance.recorded: minimum required = 1"),
        (lambda p: p.pop("reason"), "Slice 'Provenance.reason:treatment'"),
        (lambda p: p["reason"][0].update(code="HPAYMT"), "Slice 'Provenance.reason:treatment'"),
        (lambda p: p["reason"].extend(p["reason"]), "Provenance.reason: max allowed = 1, but found 2"),
        (lambda p: p.pop("agent"), "Slice 'Provenance.agent:performer'"),
        (lambda p: p["agent"].extend(p["agent"]), "Provenance.agent: max allowed = 1, but found 2"),
        (lambda p: p["agent"][0].pop("whoReference"), "Provenance.agent.who[x]: minimum"),
        (lambda p: p["agent"][0].pop("onBehalfOfReference"), "Provenance.agent.onBehalfOf[x]: minimum"),
    ],
)
def test_the_attestation_profile_is_checked(roster: Scene, edit: Change, path: str) -> None:
    """contract-v1 9.1 and 2.2 b: the text says "request body" for the header too."""
    for answer in send_all(roster, change(roster, edit)):
        assert (answer.status_code, path in read_text(answer)) == (422, True)
        assert read_text(answer).startswith("The request body {gov.cms.dpc.fhir.validations.ProfileValidator.")


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: p.update(recorded="1990-01-01T00:00:00Z"),
        lambda p: p["reason"].append({"system": "http://hl7.org/fhir/v3/ActReason", "code": "HPAYMT"}),
        lambda p: p["agent"].append(OTHER_AGENT),
        lambda p: p["agent"].insert(0, OTHER_AGENT),
        lambda p: p["agent"][0]["whoReference"].update(reference=f"Organization/{uuid.uuid4()}"),
        lambda p: p["agent"][0]["onBehalfOfReference"].update(
            reference=p["agent"][0]["onBehalfOfReference"]["reference"].partition("/")[2]
        ),
    ],
)
def test_what_is_dubious_but_accepted(roster: Scene, edit: Change) -> None:
    """contract-v1 9.1."""
    _, put, add = send_all(roster, change(roster, edit))
    assert (put.status_code, add.status_code) == (200, 200)


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: p["agent"].insert(0, {"role": []}),
        lambda p: p["agent"][0]["onBehalfOfReference"].update(reference="Practitioner/7"),
        lambda p: p["agent"][0]["onBehalfOfReference"].update(reference="a/b/c"),
    ],
)
def test_what_trips_the_server_is_a_500(roster: Scene, edit: Change) -> None:
    """contract-v1 9.1."""
    assert {answer.status_code for answer in send_all(roster, change(roster, edit))} == {500}


def test_the_practitioner_must_exist_somewhere(roster: Scene) -> None:
    """contract-v1 9.1."""
    for answer in send_all(roster, roster.customer.attest(str(uuid.uuid4()))):
        assert answer.status_code == 422
        assert read_text(answer) == "Could not find provider defined in provenance header"


def test_the_practitioner_may_be_another_organisations_record(roster: Scene, stranger: Customer) -> None:
    """contract-v1 9.1: looked up without regard to organisation; only the NPI counts."""
    foreign = stranger.create_practitioner(roster.npi)
    _, put, add = send_all(roster, roster.customer.attest(foreign["id"]))
    assert (put.status_code, add.status_code) == (200, 200)


def test_the_npi_compared_is_the_bodys(roster: Scene) -> None:
    """contract-v1 9.1: the stored Group's practitioner is not looked at, and never changes."""
    other = roster.customer.create_practitioner(build_npi(300000002))
    for answer in send_all(roster, roster.customer.attest(other["id"])):
        assert answer.status_code == 422
        assert read_text(answer) == "Provenance header's provider does not match group provider"
    body = build_group(build_npi(300000002), [])
    _, put, add = send_all(roster, roster.customer.attest(other["id"]), body)
    for answer in (put, add):
        coding = answer.json()["characteristic"][0]["valueCodeableConcept"]["coding"][0]
        assert (answer.status_code, coding["code"]) == (200, roster.npi)


@pytest.mark.parametrize(
    ("characteristic", "text"),
    [
        ([], "Must have 'attributed-to' concept"),
        ([{"code": {"coding": [{"code": "else"}]}}], "Must have 'attributed-to' concept"),
        ([{"code": {"coding": [{"code": "attributed-to"}]}}], "Roster MUST have attributed Provider"),
        ([{}, {"code": {"coding": [{"code": "attributed-to"}]}}], "null"),
    ],
)
def test_a_body_without_npi_is_a_500(roster: Scene, characteristic: list[Any], text: str) -> None:
    """contract-v1 9.1 and 9.2."""
    for answer in send_all(roster, roster.provenance, build_group("", [], characteristic=characteristic)):
        assert (answer.status_code, text in read_text(answer)) == (500, True)


def test_an_npi_under_value_vanishes(roster: Scene) -> None:
    """contract-v1 9.2 and 13 row 28."""
    body = build_group(roster.npi, [])
    coding = body["characteristic"][0]["valueCodeableConcept"]["coding"][0]
    coding["value"] = coding.pop("code")
    assert {answer.status_code for answer in send_all(roster, roster.provenance, body)} == {500}


def test_of_a_repeated_header_the_first_counts(roster: Scene) -> None:
    """contract-v1 9.1."""
    parts = urlsplit(roster.customer.emulator.v1_url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=5)
    body = json.dumps(build_group(roster.npi, []))
    connection.putrequest("POST", f"{parts.path}/Group/{roster.group_id}/$add")
    for name, value in (
        ("Authorization", f"Bearer {roster.customer.token}"),
        ("Content-Type", FHIR),
        ("Content-Length", str(len(body))),
        ("X-Provenance", json.dumps(roster.provenance)),
        ("X-Provenance", "nonsense"),
    ):
        connection.putheader(name, value)
    connection.endheaders(body.encode())
    assert connection.getresponse().status == 200
    connection.close()


def test_remove_delete_and_get_need_no_header(roster: Scene) -> None:
    """contract-v1 9.1."""
    assert roster.remove(roster.patients[:1]).status_code == 200
    assert roster.customer.send("GET", f"/Group/{roster.group_id}").status_code == 200
    assert roster.customer.send("DELETE", f"/Group/{roster.group_id}").status_code == 200
