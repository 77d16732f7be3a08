"""Group: POST, GET, search and DELETE, and the shape of answers."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from emulator_customer import NPI_SYSTEM, Customer, Scene, build_group, build_npi, read_text

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.mark.control
def test_a_created_group_has_exactly_the_documented_shape(scene: Scene) -> None:
    """contract-v1 9.3 and 9.4 POST: request order, whole seconds, no meta, no Last-Modified."""
    scene.customer.emulator.set_clock(scene.customer.emulator.now().replace(microsecond=123456))
    now = scene.customer.emulator.now().replace(microsecond=0)
    answer = scene.create(scene.patients)
    created = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/v1/Group/{created['id']}")
    assert "Last-Modified" not in answer.headers
    end = scene.customer.emulator.now().timestamp() + 90 * 86400
    members = created.pop("member")
    assert created == {
        "resourceType": "Group",
        "id": created["id"],
        "type": "person",
        "actual": True,
        "characteristic": [
            {
                "code": {"coding": [{"code": "attributed-to"}]},
                "valueCodeableConcept": {"coding": [{"system": NPI_SYSTEM, "code": scene.npi}]},
                "exclude": False,
            }
        ],
    }
    assert [one["entity"]["reference"] for one in members] == [f"Patient/{one}" for one in scene.patients]
    assert {one["period"]["start"] for one in members} == {now.strftime("%Y-%m-%dT%H:%M:%S+00:00")}
    assert {type(one["inactive"]) for one in members} == {bool}
    assert int(end) == int(now.timestamp()) + 90 * 86400


def test_members_come_back_in_a_disorder_that_repeats(scene: Scene) -> None:
    """contract-v1 9.3: database order; here by seed."""
    ids = scene.patients + [scene.customer.create_patient(number) for number in range(10, 30)]
    group = scene.customer.create_group(scene.practitioner, ids)
    path = f"/Group/{group['id']}"
    read = [scene.customer.send("GET", path).json()["member"] for _ in range(2)]
    orders = [[one["entity"]["reference"].removeprefix("Patient/") for one in members] for members in read]
    assert orders[0] == orders[1] != ids
    assert set(orders[0]) == set(ids)
    assert orders[0] != sorted(ids)


def test_a_second_group_for_the_practitioner_is_a_403(roster: Scene) -> None:
    """contract-v1 9.4 POST step 3: two spaces after the full stop."""
    answer = roster.create(roster.patients)
    assert answer.status_code == 403
    assert read_text(answer) == (
        "Could not create a roster for this provider as they already have one.  "
        "Try updating it instead, or first deleting it."
    )


def test_the_checks_of_post_come_in_order(scene: Scene, stranger: Customer) -> None:
    """contract-v1 9.4 POST: limit, practitioner, existing roster, patients."""
    emulator, missing = scene.customer.emulator, [UNKNOWN]
    foreign = stranger.create_practitioner(build_npi(300000009))
    body = build_group(build_npi(300000009), missing)
    own = scene.customer.attest(foreign["id"])

    def ask() -> tuple[int, str]:
        answer = scene.customer.send("POST", "/Group", body, provenance=own)
        return answer.status_code, read_text(answer)

    emulator.set_limits(patient_limit=0)
    assert ask() == (400, "Roster limit reached")
    emulator.set_limits(patient_limit=-1)
    assert ask() == (404, "Unable to find attributable provider")
    scene.customer.create_practitioner(build_npi(300000009))
    group = scene.customer.send("POST", "/Group", {**body, "member": []}, provenance=own)
    assert group.status_code == 201
    assert ask()[0] == 403
    scene.customer.send("DELETE", f"/Group/{group.json()['id']}")
    assert ask() == (400, "All patients in group must exist. Cannot find 1 patient(s).")


def test_another_organisations_patient_counts_as_missing(scene: Scene, stranger: Customer) -> None:
    """contract-v1 9.4: only a count, never which ones."""
    foreign = stranger.create_patient(1)
    answer = scene.create([scene.patients[0], foreign, UNKNOWN, UNKNOWN])
    assert (answer.status_code, read_text(answer)) == (
        400,
        "All patients in group must exist. Cannot find 2 patient(s).",
    )
    assert scene.customer.send("GET", "/Group").json()["total"] == 0


def test_post_drops_inactive_members_but_wants_them_to_exist(scene: Scene) -> None:
    """contract-v1 9.2 and 9.4."""
    body = build_group(scene.npi, scene.patients[:2])
    body["member"][1]["inactive"] = True
    body["member"].append({"entity": {"reference": UNKNOWN}, "inactive": True})
    assert read_text(scene.create([], body=body)).startswith("All patients in group must exist. Cannot find 1")
    body["member"].pop()
    created = scene.create([], body=body).json()
    assert [one["entity"]["reference"] for one in created["member"]] == [f"Patient/{scene.patients[0]}"]


def test_the_same_patient_twice_is_a_duplicate_key(scene: Scene) -> None:
    """contract-v1 9.4 POST step 5."""
    answer = scene.create([scene.patients[0], scene.patients[0]])
    assert (answer.status_code, "duplicate key value" in read_text(answer)) == (400, True)
    assert scene.customer.send("GET", "/Group").json()["total"] == 0


def test_an_empty_group_has_no_member_key(scene: Scene) -> None:
    """contract-v1 1.1 and 9.4."""
    answer = scene.create([])
    assert (answer.status_code, "member" in answer.json()) == (201, False)


@pytest.mark.parametrize(
    "spelling", ["Patient/{}", "{}", "Thing/{}", "https://x/y/Patient/{}", "Patient/{}/_history/3"]
)
def test_references_are_read_in_any_spelling(scene: Scene, spelling: str) -> None:
    """contract-v1 9.2."""
    body = build_group(scene.npi, [])
    body["member"] = [{"entity": {"reference": spelling.format(scene.patients[0].upper())}}]
    assert scene.create([], body=body).json()["member"][0]["entity"]["reference"] == f"Patient/{scene.patients[0]}"


@pytest.mark.parametrize("member", [{"entity": {"reference": "Patient/7"}}, {"entity": {}}, {}])
def test_a_reference_that_is_no_uuid_is_a_500(roster: Scene, member: dict[str, Any]) -> None:
    """contract-v1 9.2."""
    body = build_group(roster.npi, []) | {"member": [member]}
    path = f"/Group/{roster.group_id}"
    for method, target in (("PUT", path), ("POST", path + "/$add"), ("POST", path + "/$remove")):
        answer = roster.customer.send(method, target, body, provenance=roster.provenance)
        assert (answer.status_code, read_text(answer)[:20]) == (500, "Invalid UUID string:")


def test_a_tag_without_system_is_a_500(scene: Scene) -> None:
    """contract-v1 9.2."""
    body = build_group(scene.npi, [], meta={"tag": [{"code": "x"}]})
    assert scene.create([], body=body).status_code == 500


def test_parameters_instead_of_a_group_are_the_containers_500(roster: Scene) -> None:
    """contract-v1 9.2."""
    for operation in ("$add", "$remove"):
        path = f"/Group/{roster.group_id}/{operation}"
        answer = roster.customer.send("POST", path, {"resourceType": "Parameters"}, provenance=roster.provenance)
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (500, "text/html")


def test_the_search_by_npi(roster: Scene, stranger: Customer) -> None:
    """contract-v1 9.4 GET: raw or encoded $, left side not looked at, system allowed."""
    stranger.create_group(stranger.create_practitioner(roster.npi), [])
    for value in (
        f"attributed-to${roster.npi}",
        f"attributed-to%24{roster.npi}",
        f"anything${NPI_SYSTEM}|{roster.npi}",
    ):
        found = roster.customer.send("GET", f"/Group?characteristic-value={value}").json()
        assert (found["type"], found["total"]) == ("searchset", 1)
        assert [entry["resource"]["id"] for entry in found["entry"]] == [roster.group_id]
        assert set(found["entry"][0]) == {"resource"}
    for value in ("attributed-to$1", f"attributed-to${roster.group_id}"):
        found = roster.customer.send("GET", f"/Group?characteristic-value={value}").json()
        assert found == {"resourceType": "Bundle", "type": "searchset", "total": 0}
    for value in (roster.npi, f"a$b${roster.npi}"):
        answer = roster.customer.send("GET", f"/Group?characteristic-value={value}")
        assert (answer.status_code, read_text(answer)) == (500, f"Cannot parse query param: {value}")


def test_the_search_by_member_finds_inactive_ones_too(roster: Scene) -> None:
    """contract-v1 9.4 GET."""
    roster.remove(roster.patients[:1])
    for member in (f"Patient/{roster.patients[0]}", roster.patients[1]):
        found = roster.customer.send("GET", f"/Group?member={member}").json()
        assert len(found["entry"][0]["resource"]["member"]) == 2
    assert roster.customer.send("GET", f"/Group?member={roster.patients[2]}").json()["total"] == 0
    assert roster.customer.send("GET", "/Group?member=7").status_code == 500
    both = f"/Group?member={roster.patients[0]}&characteristic-value=attributed-to$1"
    assert roster.customer.send("GET", both).json()["total"] == 0


def test_misspelt_parameters_return_every_group(roster: Scene) -> None:
    """contract-v1 9.4 GET and 13 row 27."""
    roster.customer.create_group(roster.customer.create_practitioner(build_npi(300000002)), [])
    for query in ("", "?characteristic=attributed-to&characteristic-code=1", "?_count=1", "?_id=x"):
        assert roster.customer.send("GET", f"/Group{query}").json()["total"] == 2


@pytest.mark.control
def test_two_racing_posts_leave_two_groups(roster: Scene) -> None:
    """contract-v1 9.4 and 14.10: no constraint; the emulator makes it on demand."""
    second = roster.customer.emulator.add_group(roster.customer.organization_id, roster.npi)
    found = roster.customer.send("GET", f"/Group?characteristic-value=attributed-to${roster.npi}").json()
    assert (found["total"], {entry["resource"]["id"] for entry in found["entry"]}) == (2, {roster.group_id, second})


def test_delete_makes_room_for_a_new_group(roster: Scene) -> None:
    """contract-v1 9.4 DELETE."""
    answer = roster.customer.send("DELETE", f"/Group/{roster.group_id}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert roster.customer.send("GET", f"/Group/{roster.group_id}").status_code == 404
    assert roster.customer.send("DELETE", f"/Group/{uuid.uuid4()}").status_code == 404
    assert roster.create(roster.patients).status_code == 201


def test_simultaneous_posts_are_served_one_after_the_other(scene: Scene) -> None:
    """contract-v1 9.4 POST: the emulator itself never races; `add_group` makes the second Group on demand."""
    with ThreadPoolExecutor(4) as pool:
        codes = [answer.status_code for answer in pool.map(lambda _: scene.create(scene.patients), range(4))]
    assert sorted(codes) == [201, 403, 403, 403]
