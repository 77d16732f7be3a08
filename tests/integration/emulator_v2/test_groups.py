"""Group."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from v2_customer import (
    EXTENSION,
    FHIR,
    MBI_SYSTEM,
    NPI,
    NPI_SYSTEM,
    Customer,
    build_group,
    build_mbi,
    build_member,
    fault,
    read_issue,
    rule,
)

INVALID = rule("Not a valid group")
INTERNAL = fault(500, "Internal Server Error")


def change_member(**changes: Any) -> dict[str, Any]:
    member = {**build_member(build_mbi(1)), **changes}
    return build_group([], member=[{name: value for name, value in member.items() if value is not None}])


def change_entity(**changes: Any) -> dict[str, Any]:
    entity = {"type": "Patient", "identifier": {"system": MBI_SYSTEM, "value": build_mbi(1)}, **changes}
    return change_member(entity={name: value for name, value in entity.items() if value is not None})


def change_practitioner(**changes: Any) -> dict[str, Any]:
    reference = {"type": "Practitioner", "identifier": {"system": NPI_SYSTEM, "value": NPI}, **changes}
    kept = {name: value for name, value in reference.items() if value is not None}
    return change_member(extension=[{"url": EXTENSION, "valueReference": kept}])


UNREADABLE: list[Any] = [
    build_group([1], type="people"),
    build_group([1], type=7),
    build_group([1], actual="true"),
    build_group([1], name=7),
    build_group([1], member={}),
    build_group([1], member=["x"]),
    build_group([1], resourceType=None),
    build_group([1], resourceType="Patient"),
    [],
    "Group",
    b"",
    b"{",
    b"\xef\xbb\xbf" + json.dumps(build_group([1])).encode(),
    b"\xff\xfe",
    change_entity(type=7),
    change_entity(identifier="x"),
]
UNRULY = [
    change_member(entity=None),
    change_entity(type="Person"),
    change_entity(type=None, identifier=None, reference="Patient/1"),
    change_entity(identifier=None, reference="Patient/1"),
    change_member(extension=None),
    change_member(extension=[]),
    change_member(extension=[{"url": EXTENSION, "valueString": "x"}]),
    change_practitioner(type=None),
    change_practitioner(type="PractitionerRole"),
    change_practitioner(identifier=None, reference="Practitioner/1"),
]


def test_a_group_is_created_with_200_and_no_location(customer: Customer) -> None:
    """contract-v2 1 row 6 and 5.3: keys come sorted, managingEntity is the token's organisation."""
    customer.emulator.set_clock(datetime(2026, 8, 5, 14, 31, 4, 441000, UTC))
    customer.log_in()
    answer = customer.post_group(build_group([1, 2], managingEntity={"reference": "Organization/1"}))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, FHIR)
    assert "Location" not in answer.headers
    body = answer.json()
    group_id = body["id"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", group_id)
    assert body == {
        "actual": True,
        "id": group_id,
        "managingEntity": {"reference": f"Organization/{customer.organization_id}"},
        "member": [build_member(build_mbi(1)), build_member(build_mbi(2))],
        "meta": {
            "id": f"Group/{group_id}",
            "lastUpdated": "2026-08-05T14:31:04.441+00:00",
            "versionId": "0",
        },
        "name": "Panel",
        "resourceType": "Group",
        "type": "person",
    }
    assert list(body) == sorted(body)
    entry = customer.emulator.log()[-1]
    assert (entry["effect"], entry["patients"], entry["organization_id"]) == (True, 2, customer.organization_id)


@pytest.mark.parametrize(
    ("microsecond", "written"), [(210000, ".21+00:00"), (0, "04+00:00"), (441999, ".441+00:00"), (1000, ".001+00:00")]
)
def test_the_fraction_of_last_updated_has_no_trailing_zeros(customer: Customer, microsecond: int, written: str) -> None:
    """contract-v2 5.4."""
    customer.emulator.set_clock(datetime(2026, 8, 5, 14, 31, 4, microsecond, UTC))
    customer.log_in()
    assert customer.post_group(build_group([1])).json()["meta"]["lastUpdated"].endswith(written)


def test_identical_bodies_make_twins_and_the_version_counts_them(customer: Customer, stranger: Customer) -> None:
    """contract-v2 5.1 and 5.4: versionId is the number of Groups the organisation had before."""
    stranger.create_group([1])
    body = build_group([1])
    answers = [customer.post_group(body).json() for _ in range(3)]
    assert len({one["id"] for one in answers}) == 3
    assert [one["meta"]["versionId"] for one in answers] == ["0", "1", "2"]


def test_if_none_exist_is_ignored(customer: Customer) -> None:
    """contract-v2 5.1."""
    customer.create_group([1])
    answer = customer.send(
        "POST", "/Group", build_group([1]), provenance=customer.attest(), headers={"If-None-Exist": "name=Panel"}
    )
    assert (answer.status_code, answer.json()["meta"]["versionId"]) == (200, "1")


def test_the_path_may_end_with_a_slash(customer: Customer) -> None:
    """contract-v2 1 row 6."""
    assert customer.send("POST", "/Group/", build_group([1]), provenance=customer.attest()).status_code == 200


def test_type_and_actual_have_defaults_and_members_may_be_missing(customer: Customer) -> None:
    """contract-v2 5.2 and 5.3: `member` is absent, not empty; actual is false."""
    body = customer.post_group({"resourceType": "Group"}).json()
    assert (body["type"], body["actual"]) == ("person", False)
    assert "member" not in body and "name" not in body
    assert "member" not in customer.post_group(build_group([])).json()


@pytest.mark.parametrize("kind", ["animal", "device", "medication", "practitioner", "substance"])
def test_any_known_type_passes(customer: Customer, kind: str) -> None:
    """contract-v2 5.2."""
    assert customer.post_group(build_group([1], type=kind)).json()["type"] == kind


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_cannot_be_parsed_is_a_500(customer: Customer, body: Any) -> None:
    """contract-v2 5.2: unknown type code, string for actual, wrong resourceType, BOM, empty body."""
    assert read_issue(customer.post_group(body)) == INTERNAL
    assert customer.emulator.log()[-1]["effect"] is False


def test_an_organization_is_stored_as_a_group(customer: Customer) -> None:
    """contract-v2 5.2: a defect of the server's."""
    answer = customer.post_group({"resourceType": "Organization", "name": "Lakeside"})
    assert (answer.status_code, answer.json()["resourceType"]) == (200, "Group")


def test_another_case_of_the_resource_type_passes_the_whitelist_only(customer: Customer) -> None:
    """contract-v2 5.2."""
    assert read_issue(customer.post_group(build_group([1], resourceType="group"))) == INVALID


@pytest.mark.parametrize("body", UNRULY, ids=range(len(UNRULY)))
def test_a_member_that_breaks_a_rule_is_a_400(customer: Customer, body: Any) -> None:
    """contract-v2 5.2: entity.reference alone, another entity type, no practitioner by identifier."""
    assert read_issue(customer.post_group(body)) == INVALID
    assert customer.emulator.log()[-1]["effect"] is False


def test_an_entity_with_an_identifier_but_no_type_drops_the_connection(customer: Customer) -> None:
    """contract-v2 5.2 and T3."""
    body = change_entity(type=None)
    assert customer.is_dropped("POST", "/Group", body, provenance=customer.attest())
    assert customer.post_group(build_group([1])).json()["meta"]["versionId"] == "0"


def test_values_are_not_looked_at(customer: Customer) -> None:
    """contract-v2 5.2: format, check digit, emptiness, systems and duplicates."""
    members = [build_member("not an mbi", "12"), build_member("", ""), build_member("", "")]
    members[0]["entity"]["identifier"]["system"] = "urn:other"
    del members[2]["entity"]["identifier"]["value"]
    answer = customer.post_group(build_group([], member=members))
    assert (answer.status_code, answer.json()["member"]) == (200, members)


def test_the_url_of_the_extension_is_not_checked_and_the_first_practitioner_counts(customer: Customer) -> None:
    """contract-v2 5.2: other extensions of the member are dropped."""
    first, second = build_member(build_mbi(1))["extension"][0], build_member(build_mbi(1), "1245319599")["extension"][0]
    first["url"] = "urn:anything"
    other = {"url": EXTENSION, "valueReference": {"type": "Organization", "identifier": {"value": "x"}}}
    answer = customer.post_group(change_member(extension=[other, first, second]))
    assert answer.json()["member"][0]["extension"] == [first]


def test_everything_else_is_dropped_and_inactive_adds(customer: Customer) -> None:
    """contract-v2 5.2 and T7: `inactive: true` makes the member active."""
    member = {
        **build_member(build_mbi(1)),
        "id": "m1",
        "inactive": True,
        "period": {"start": "2026-01-01"},
    }
    body = build_group(
        [],
        member=[member],
        id="mine",
        meta={"versionId": "9"},
        identifier=[{"value": "x"}],
        active=False,
        code={"text": "x"},
        quantity=1,
        characteristic=[{"exclude": False}],
        extension=[{"url": "x"}],
        contained=[],
    )
    stored = customer.post_group(body).json()
    assert stored["member"] == [build_member(build_mbi(1))]
    assert set(stored) == {"actual", "id", "managingEntity", "member", "meta", "name", "resourceType", "type"}
    assert (stored["id"] != "mine", stored["meta"]["versionId"]) == (True, "0")


def test_three_thousand_members_are_taken(customer: Customer) -> None:
    """contract-v2 2.4 and 5.2: no limit on size or members."""
    members = [build_member(build_mbi(number)) for number in range(3000)]
    answer = customer.post_group(build_group([], member=members))
    assert len(answer.json()["member"]) == 3000


def test_when_the_store_fails_it_is_422(customer: Customer) -> None:
    """contract-v2 5.2 and T11: nothing to do with the body."""
    customer.emulator.reset()
    answer = customer.post_group(build_group([1]))
    assert (answer.status_code, answer.json()["issue"][0]["details"]["text"]) == (422, "Failed to save group")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_a_group_is_created_and_nothing_else(customer: Customer, method: str) -> None:
    """contract-v2 1: 405 with an empty body; no reading, changing or deleting by id."""
    group_id = customer.create_group([1])
    answer = customer.send(method, "/Group", provenance=customer.attest())
    assert (answer.status_code, answer.content) == (405, b"")
    assert customer.send(method, f"/Group/{group_id}", provenance=customer.attest()).status_code == 404


@pytest.mark.parametrize("name", ["$add", "$remove", "$member-add", "$submit"])
def test_a_group_never_changes(customer: Customer, name: str) -> None:
    """contract-v2 1 and 5.1."""
    path = f"/Group/{customer.create_group([1])}/{name}"
    answer = customer.send("POST", path, build_group([2]), provenance=customer.attest())
    assert (answer.status_code, answer.text.strip()) == (404, "404 page not found")
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_a_group_never_expires(customer: Customer) -> None:
    """contract-v2 5.1: the old id stays exportable for ever."""
    group_id = customer.create_group([1])
    customer.create_group([2])
    customer.emulator.advance("P300D")
    customer.log_in()
    assert customer.export(group_id).status_code == 202
