"""Bearer tokens, Accept, and paths."""

from __future__ import annotations

import pytest
from preview_customer import FHIR, Customer, read_text


def test_metadata_needs_no_token(customer: Customer) -> None:
    """Preview documentation, DPC Metadata: the one request without a token."""
    answer = customer.send("GET", "/metadata", headers={"Authorization": None, "Accept": None})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, FHIR)
    statement = answer.json()
    assert (statement["resourceType"], statement["id"]) == ("CapabilityStatement", "dpc-capabilities")
    assert (statement["fhirVersion"], statement["kind"], statement["status"]) == ("3.0.1", "capability", "draft")
    server = statement["rest"][0]
    codes = {one["type"]: {interaction["code"] for interaction in one["interaction"]} for one in server["resource"]}
    assert codes["Patient"] == codes["Practitioner"] == {"read", "create", "update", "delete", "search-type"}
    assert codes["Organization"] == {"read"}
    assert server["operation"][0]["name"] == "Group level data export"


@pytest.mark.parametrize("path", ["/Patient", "/Group", "/jobs/42", "/data/42/x.ndjson", "/nothing"])
def test_everything_else_needs_one(customer: Customer, path: str) -> None:
    """Preview documentation, Authentication and Authorization."""
    for value in (None, "Bearer", "Basic x", "Bearer x", f"Token {customer.token}"):
        assert customer.send("GET", path, headers={"Authorization": value}).status_code == 401


def test_the_operator_hands_out_tokens_for_one_organization(customer: Customer, stranger: Customer) -> None:
    """Control surface: POST organizations/{id}/preview-tokens."""
    answer = customer.control("POST", f"/organizations/{customer.organization_id}/preview-tokens")
    assert answer.status_code == 201
    own = f"/Organization/{customer.organization_id}"
    for token in (customer.token, answer.json()["token"]):
        shown = customer.send("GET", own, headers={"Authorization": f"Bearer {token}"})
        assert (shown.status_code, shown.json()["name"]) == (200, "Lakeside Practice")
    assert stranger.send("GET", own).status_code == 404
    assert customer.control("POST", "/organizations/x/preview-tokens").status_code == 404


def test_a_token_has_no_end(customer: Customer) -> None:
    """Preview documentation: issued by the team in the interim; nothing about a life."""
    customer.emulator.advance("P400D")
    assert customer.send("GET", "/Patient").status_code == 200


def test_fhir_resources_look_at_accept_and_jobs_do_not(customer: Customer) -> None:
    """Preview documentation: the Job and Data endpoints are no FHIR resources."""
    assert customer.send("GET", "/Patient", headers={"Accept": "text/html"}).status_code == 415
    assert customer.send("GET", "/Patient", headers={"Accept": "application/json"}).status_code == 200
    assert customer.send("GET", "/jobs/42", headers={"Accept": "text/html"}).status_code == 404


def test_unknown_paths_and_methods(customer: Customer) -> None:
    """An OperationOutcome, or 405 with the methods there are."""
    answer = customer.send("GET", "/Jobs/42")
    assert (answer.status_code, read_text(answer)) == (404, "HTTP 404 Not Found")
    answer = customer.send("DELETE", "/Group")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


def test_faults_and_the_journal_are_the_same_as_for_other_versions(customer: Customer) -> None:
    """Control surface."""
    customer.emulator.add_fault({"path": "/fhir/v1/Patient", "preset": "waf", "nth": 1})
    assert customer.send("GET", "/Patient").status_code == 403
    assert customer.send("GET", "/Patient").status_code == 200
    assert customer.emulator.log()[-1]["organization_id"] == customer.organization_id
    customer.emulator.clear_faults()
