"""Where the documentation and the server disagree, the server's side comes out (contract-v1 13, row by row)."""

from __future__ import annotations

import base64
import uuid
from datetime import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from emulator_customer import (
    FHIR,
    HAS_ROSTER,
    MBI_SYSTEM,
    NPI_SYSTEM,
    Customer,
    Scene,
    build_group,
    build_key_pair,
    build_mbi,
    build_npi,
    build_patient,
    build_practitioner,
    read_text,
)
from emulator_exports import ask, fetch, find_extension, finish, poll

JSON: dict[str, str | None] = {"Accept": "application/json", "Content-Type": "application/json"}
NOT_FHIR = "`Content-Type:` header must specify valid FHIR content type"


@pytest.mark.control
def test_row_01_a_client_token_lasts_a_year_and_an_access_token_five_minutes(customer: Customer) -> None:
    """contract-v1 13, row 1: the server's side."""
    made = customer.send("POST", "/Token", {"label": "a year"}, headers=JSON).json()
    answer = customer.exchange(customer.sign(customer.build_claims()))
    customer.emulator.advance("P360D")
    assert datetime.fromisoformat(made["expiresAt"]) > customer.emulator.now()
    assert answer.json()["expires_in"] == 300
    assert customer.send("GET", "/Patient").status_code == 401
    customer.log_in()
    assert customer.send("GET", "/Patient").status_code == 200


def test_row_02_the_field_is_token_without_a_colon(customer: Customer) -> None:
    """contract-v1 13, row 2: the server's side."""
    made = customer.send("POST", "/Token", {"label": "row 2"}, headers=JSON).json()
    assert "token" in made and "token:" not in made
    customer.send("DELETE", f"/Token/{made['id']}", headers=JSON)


def test_row_03_deleting_a_token_is_a_204_and_a_key_a_200(customer: Customer) -> None:
    """contract-v1 13, row 3: the server's side."""
    token_id = customer.send("POST", "/Token", {"label": "row 3"}, headers=JSON).json()["id"]
    pair = build_key_pair()
    key_id = customer.send("POST", "/Key?label=row+3", pair.to_body(), headers=JSON).json()["id"]
    assert customer.send("DELETE", f"/Token/{token_id}", headers=JSON).status_code == 204
    assert customer.send("DELETE", f"/Key/{key_id}", headers=JSON).status_code == 200


def test_row_04_a_jwt_serves_once_and_for_five_minutes_at_most(customer: Customer) -> None:
    """contract-v1 13, row 4: the server's side."""
    assertion = customer.sign(customer.build_claims())
    assert customer.exchange(assertion).status_code == 200
    replayed = customer.exchange(assertion)
    assert (replayed.status_code, replayed.json()["message"]) == (401, "Invalid JWT")
    late = customer.sign(customer.build_claims(exp=int(customer.emulator.now().timestamp()) + 360))
    assert customer.exchange(late).status_code == 401


def test_row_05_any_rsa_algorithm_and_iat_in_milliseconds(customer: Customer) -> None:
    """contract-v1 13, row 5: the server's side."""
    issued = int(customer.emulator.now().timestamp() * 1000)
    for algorithm in ("RS256", "RS512", "PS384"):
        claims = customer.build_claims(iat=issued)
        assert customer.exchange(customer.sign(claims, algorithm=algorithm)).status_code == 200


def test_row_06_keys_are_rsa_of_4096_bits(customer: Customer) -> None:
    """contract-v1 13, row 6: the server's side."""
    short = build_key_pair(2048)
    curve = ec.generate_private_key(ec.SECP384R1()).public_key()
    pem = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    refused = customer.send("POST", "/Key", short.to_body(), headers=JSON)
    assert (refused.status_code, refused.json()["message"]) == (400, "Public key is not valid")
    refused = customer.send("POST", "/Key", short.to_body() | {"key": pem}, headers=JSON)
    assert (refused.status_code, refused.json()["message"]) == (422, "ECC keys are not currently supported")


def test_row_07_the_signature_is_base64_of_the_raw_bytes(customer: Customer) -> None:
    """contract-v1 13, row 7: the server's side."""
    pair = build_key_pair()
    wrong = pair.to_body() | {"signature": base64.b64encode(b"Verified Ok").decode()}
    refused = customer.send("POST", "/Key?label=row+7", wrong, headers=JSON)
    assert (refused.status_code, refused.json()["message"]) == (400, "Public key could not be verified")
    taken = customer.send("POST", "/Key?label=row+7", pair.to_body(), headers=JSON)
    assert taken.status_code == 200
    customer.send("DELETE", f"/Key/{taken.json()['id']}", headers=JSON)


def test_row_08_the_organization_comes_in_a_collection(customer: Customer) -> None:
    """contract-v1 13, row 8: the server's side."""
    bundle = customer.send("GET", "/Organization").json()
    own = bundle["entry"][0]["resource"]
    assert (bundle["resourceType"], bundle["type"], own["id"]) == ("Bundle", "collection", customer.organization_id)
    assert "endpoint" not in own


@pytest.mark.parametrize(
    "system",
    ["https://bluebutton.cms.gov/resources/variables/bene_id", "http://bluebutton.cms.hhs.gov/identifier#bene_id"],
)
def test_row_09_only_the_mbi_system_satisfies_the_profile(customer: Customer, system: str) -> None:
    """contract-v1 13, row 9: the server's side."""
    patient = build_patient(build_mbi(1), identifier=[{"system": system, "value": build_mbi(1)}])
    answer = customer.send("POST", "/Patient", patient)
    assert answer.status_code == 422
    assert "Patient.identifier" in read_text(answer)


def test_row_10_gender_is_required(customer: Customer) -> None:
    """contract-v1 13, row 10: the server's side."""
    answer = customer.send("POST", "/Patient", build_patient(build_mbi(1), gender=None))
    assert answer.status_code == 422
    assert "Patient.gender" in read_text(answer)


def test_row_11_a_managing_organization_is_overwritten(customer: Customer) -> None:
    """contract-v1 13, row 11: the server's side."""
    without = customer.send("POST", "/Patient", build_patient(build_mbi(1)))
    foreign = {"reference": f"Organization/{uuid.uuid4()}"}
    other = customer.send("POST", "/Patient", build_patient(build_mbi(2), managingOrganization=foreign))
    own = {"reference": f"Organization/{customer.organization_id}"}
    assert [answer.json()["managingOrganization"] for answer in (without, other)] == [own, own]


def test_row_12_a_birth_date_has_four_digits_for_the_year(customer: Customer) -> None:
    """contract-v1 13, row 12: the server's side."""
    assert customer.send("POST", "/Patient", build_patient(build_mbi(1), birthDate="40-02-01")).status_code == 422
    assert customer.send("POST", "/Patient", build_patient(build_mbi(1), birthDate="1940-02-01")).status_code == 201


def test_row_13_post_patient_answers_the_patient(customer: Customer) -> None:
    """contract-v1 13, row 13: the server's side."""
    answers = [customer.send("POST", "/Patient", build_patient(build_mbi(1))) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert {answer.json()["resourceType"] for answer in answers} == {"Patient"}


def test_row_14_searches_need_their_query(scene: Scene) -> None:
    """contract-v1 13, row 14: the server's side."""
    customer, npi, mbi = scene.customer, scene.npi, build_mbi(1)
    customer.create_practitioner(build_npi(300000002))
    totals = {
        path: customer.send("GET", path).json()["total"]
        for path in (
            "/Practitioner",
            f"/Practitioner?identifier={npi}",
            f"/Practitioner?identifier={NPI_SYSTEM}|{npi}",
            "/Patient",
            f"/Patient?identifier={mbi}",
            f"/Patient?identifier={MBI_SYSTEM}|{mbi}",
        )
    }
    assert list(totals.values()) == [2, 1, 0, 4, 1, 1]


def test_row_15_curls_own_content_type_is_a_415(roster: Scene) -> None:
    """contract-v1 13, row 15: the server's side."""
    curl = {"Content-Type": "application/x-www-form-urlencoded"}
    acts = (roster.add, roster.remove, roster.replace)
    answers = [act(roster.patients[:1], headers=curl) for act in acts]
    assert [(answer.status_code, read_text(answer)) for answer in answers] == [(415, NOT_FHIR)] * 3
    assert roster.add(roster.patients[2:], headers={"Content-Type": FHIR}).status_code == 200


def test_row_16_the_search_takes_an_npi_and_a_group_id_matches_nothing(roster: Scene) -> None:
    """contract-v1 13, row 16: the server's side."""
    found = [
        roster.customer.send("GET", f"/Group?characteristic-value=attributed-to${value}")
        for value in (roster.npi, roster.group_id)
    ]
    assert [(answer.status_code, answer.json()["total"]) for answer in found] == [(200, 1), (200, 0)]


def test_row_17_the_search_answers_a_bundle_with_periods(roster: Scene) -> None:
    """contract-v1 13, row 17: the server's side."""
    bundle = roster.customer.send("GET", f"/Group?characteristic-value=attributed-to${roster.npi}").json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
    for member in bundle["entry"][0]["resource"]["member"]:
        assert set(member) == {"entity", "period", "inactive"}
        assert set(member["period"]) == {"start", "end"}


@pytest.mark.parametrize("npi", ["110001029483", "1234567890123456789", "1234567890"])
def test_row_18_a_practitioner_with_such_a_number_cannot_exist(customer: Customer, npi: str) -> None:
    """contract-v1 13, row 18: the server's side."""
    answer = customer.send("POST", "/Practitioner", build_practitioner(npi))
    assert (answer.status_code, read_text(answer)) == (400, "HTTP 400 Bad Request")


def test_row_19_characteristic_is_always_an_array(roster: Scene) -> None:
    """contract-v1 13, row 19: the server's side."""
    bundle = roster.customer.send("GET", "/Group").json()
    assert isinstance(bundle["entry"][0]["resource"]["characteristic"], list)


def test_row_20_add_and_remove_answer_the_whole_group(roster: Scene) -> None:
    """contract-v1 13, row 20: the server's side."""
    added = roster.add(roster.patients[2:3]).json()
    removed = roster.remove(roster.patients[:1]).json()
    assert added["resourceType"] == removed["resourceType"] == "Group"
    assert len(added["member"]) == len(removed["member"]) == 3
    inactive = {one["entity"]["reference"] for one in removed["member"] if one["inactive"]}
    assert inactive == {f"Patient/{roster.patients[0]}"}


def test_row_21_reading_needs_no_provenance(roster: Scene) -> None:
    """contract-v1 13, row 21: the server's side."""
    assert roster.customer.send("GET", f"/Group?characteristic-value=attributed-to${roster.npi}").status_code == 200
    assert roster.customer.send("GET", f"/Group/{roster.group_id}").status_code == 200


@pytest.mark.control
def test_row_22_members_lapse_at_the_next_full_hour_and_vanish_six_months_later(roster: Scene) -> None:
    """contract-v1 13, row 22: the server's side."""
    emulator = roster.customer.emulator
    emulator.set_clock(emulator.now().replace(minute=10, second=0, microsecond=0))
    roster.customer.log_in()
    assert roster.replace(roster.patients[:1]).status_code == 200
    emulator.advance("P90DT1M")
    assert [one["inactive"] for one in roster.read_members().values()] == [False]
    emulator.advance("PT1H")
    assert [one["inactive"] for one in roster.read_members().values()] == [True]
    emulator.advance("P6M1D")
    assert roster.read_members() == {}


def test_row_23_files_are_named_after_batches_and_jobs_are_uuids(roster: Scene) -> None:
    """contract-v1 13, row 23: the server's side."""
    asked = ask(roster.customer, f"/Group/{roster.group_id}")
    job_id = asked.headers["Content-Location"].rpartition("/")[2]
    assert str(uuid.UUID(job_id)) == job_id
    base = roster.customer.emulator.v1_url + "/Data/"
    for entry in finish(roster.customer, asked)["output"]:
        name = entry["url"].removeprefix(base)
        assert str(uuid.UUID(name[:36])) == name[:36] != job_id
        assert name[36:] == f"-0.{entry['type'].lower()}.ndjson"
    assert roster.customer.send("GET", f"/data/{job_id}/42.ndjson").status_code == 404


@pytest.mark.control
def test_row_23_errors_are_in_an_operationoutcome_file(roster: Scene) -> None:
    """contract-v1 13, row 23: the server's side."""
    roster.customer.emulator.set_outcome(build_mbi(1), "opted_out")
    (entry,) = finish(roster.customer, ask(roster.customer, f"/Group/{roster.group_id}"))["error"]
    assert (entry["type"], entry["count"]) == ("OperationOutcome", 1)
    assert entry["url"].endswith("-0.operationoutcome.ndjson")


def test_row_24_file_length_is_that_of_the_stored_file(roster: Scene) -> None:
    """contract-v1 13, row 24: the server's side."""
    for entry in finish(roster.customer, ask(roster.customer, f"/Group/{roster.group_id}"))["output"]:
        stored = int(fetch(roster.customer, entry["url"], "HEAD").headers["Content-Length"])
        assert find_extension(entry, "file_length") == stored
        assert stored < len(fetch(roster.customer, entry["url"]).content)


@pytest.mark.control
def test_row_25_refusals_nobody_wrote_down(roster: Scene) -> None:
    """contract-v1 13, row 25: the server's side."""
    emulator, customer = roster.customer.emulator, roster.customer
    assert roster.create(roster.patients[:1]).status_code == 403
    emulator.set_limits(patient_limit=2)
    answer = roster.add(roster.patients)
    assert (answer.status_code, read_text(answer)) == (400, "Roster limit reached")
    location = ask(customer, f"/Group/{roster.group_id}").headers["Content-Location"]
    assert [poll(customer, location).status_code for _ in range(2)] == [202, 200]
    assert roster.replace([]).status_code == 200
    assert ask(customer, f"/Group/{roster.group_id}").status_code == 406
    emulator.advance("PT25H")
    customer.log_in()
    assert poll(customer, location).status_code == 410


def test_row_26_paths_are_case_sensitive(customer: Customer) -> None:
    """contract-v1 13, row 26: the server's side."""
    job_id = str(uuid.uuid4())
    paths = (f"/jobs/{job_id}", "/data/x.ndjson")
    answers = [customer.send("GET", path, headers={"Accept": "*/*"}) for path in paths]
    assert [answer.json() for answer in answers] == [{"code": 404, "message": "HTTP 404 Not Found"}] * 2
    assert poll(customer, job_id).text == "Could not find job"


def test_row_27_the_older_search_returns_every_group(roster: Scene) -> None:
    """contract-v1 13, row 27: the server's side."""
    other = roster.customer.create_practitioner(build_npi(300000002))
    roster.customer.create_group(other, [])
    bundle = roster.customer.send("GET", f"/Group?characteristic=attributed-to&characteristic-code={roster.npi}").json()
    assert bundle["total"] == 2


def test_row_28_an_npi_under_value_is_dropped_and_trips_the_server(scene: Scene) -> None:
    """contract-v1 13, row 28: the server's side."""
    body = build_group(scene.npi, [])
    coding = body["characteristic"][0]["valueCodeableConcept"]["coding"][0]
    coding["value"] = coding.pop("code")
    answer = scene.create([], body=body)
    assert (answer.status_code, read_text(answer)) == (500, "Roster MUST have attributed Provider")


def test_row_29_put_replaces_and_activates(roster: Scene) -> None:
    """contract-v1 13, row 29: the server's side."""
    again = roster.create(roster.patients[2:3])
    assert (again.status_code, read_text(again)) == (403, HAS_ROSTER)
    body = build_group(roster.npi, roster.patients[2:3])
    body["member"][0]["inactive"] = True
    answer = roster.customer.send("PUT", f"/Group/{roster.group_id}", body, provenance=roster.provenance)
    (member,) = answer.json()["member"]
    assert (member["entity"]["reference"], member["inactive"]) == (f"Patient/{roster.patients[2]}", False)


@pytest.mark.control
def test_row_30_attesting_again_is_an_add(roster: Scene) -> None:
    """contract-v1 13, row 30: the server's side."""
    before = roster.read_members()[roster.patients[0]]["period"]
    roster.customer.emulator.advance("P10D")
    roster.customer.log_in()
    assert roster.create(roster.patients[:1]).status_code == 403
    assert roster.add(roster.patients[:1]).status_code == 200
    after = roster.read_members()[roster.patients[0]]["period"]
    assert after["start"] == before["start"] and after["end"] > before["end"]


def test_row_31_provenance_is_required(roster: Scene) -> None:
    """contract-v1 13, row 31: the server's side."""
    body = build_group(roster.npi, roster.patients[:1])
    own = f"/Group/{roster.group_id}"
    for method, path in (("POST", "/Group"), ("PUT", own), ("POST", f"{own}/$add")):
        answer = roster.customer.send(method, path, body)
        assert (answer.status_code, read_text(answer)) == (400, "Must have X-Provenance header")


@pytest.mark.control
def test_row_32_the_limit_is_configuration_and_inclusive(roster: Scene) -> None:
    """contract-v1 13, row 32: the server's side."""
    assert roster.customer.emulator.state.limits.patient_limit == -1
    roster.customer.emulator.set_limits(patient_limit=3)
    assert roster.add(roster.patients[:3]).status_code == 200
    assert roster.add(roster.patients[3:]).status_code == 400


def test_row_33_since_and_the_export_of_a_patient_exist(roster: Scene) -> None:
    """contract-v1 13, row 33: the server's side."""
    path = f"/Patient/{roster.patients[0]}"
    query = "?_outputFormat=ndjson&_since=2020-01-01T00:00:00Z"
    completed = finish(roster.customer, ask(roster.customer, path, query, provenance=roster.provenance))
    assert {entry["type"] for entry in completed["output"]} == {"Patient", "Coverage", "ExplanationOfBenefit"}


def test_row_34_a_wrapped_body_is_no_resource(scene: Scene) -> None:
    """contract-v1 13, row 34: the server's side."""
    plain = build_group(scene.npi, scene.patients[:1])
    answer = scene.create([], body={"resource": plain})
    assert answer.status_code == 400
    assert read_text(answer).startswith("HAPI-1838")
    assert scene.create([], body=plain).status_code == 201


def test_row_35_the_capability_statement_overstates(scene: Scene) -> None:
    """contract-v1 13, row 35: the server's side."""
    rest = scene.customer.send("GET", "/metadata").json()["rest"][0]
    codes = {one["type"]: [entry["code"] for entry in one["interaction"]] for one in rest["resource"]}
    assert "update" in codes["Practitioner"] and "Endpoint" in codes
    body = build_practitioner(scene.npi)
    updated = scene.customer.send("PUT", f"/Practitioner/{scene.practitioner['id']}", body)
    assert (updated.status_code, read_text(updated)) == (501, "Update Practitioner not yet implemented.")
    assert scene.customer.send("GET", "/Endpoint").status_code == 404


def test_row_36_a_second_group_is_a_403(roster: Scene) -> None:
    """contract-v1 13, row 36: the server's side."""
    answer = roster.create(roster.patients[:2])
    assert (answer.status_code, read_text(answer)) == (403, HAS_ROSTER)


def test_row_37_accept_and_content_type_are_both_a_415(customer: Customer) -> None:
    """contract-v1 13, row 37: the server's side."""
    for headers in ({"Accept": "application/json"}, {"Content-Type": "application/json"}):
        changed: dict[str, str | None] = dict(headers)
        assert customer.send("POST", "/Patient", build_patient(build_mbi(1)), headers=changed).status_code == 415


def test_every_row_has_its_test() -> None:
    """contract-v1 13: 37 rows."""
    rows = {name[9:11] for name in globals() if name.startswith("test_row_")}
    assert rows == {f"{number:02d}" for number in range(1, 38)}
