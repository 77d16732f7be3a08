"""Reading everything takes one token and three requests, whatever the size of the practice."""

from __future__ import annotations

from uuid import uuid4

import pytest

from service.domain.errors import InvalidInput, NotAllowed
from service.dpc import client as client_module
from service.dpc.client import DpcClient
from service.dpc.errors import DpcProtocolError, DpcUnavailable, EdgeRefused, NotFoundAtDpc
from tests.integration.dpc.conftest import NPI, OTHER_NPI, Practice


def test_a_whole_reading_takes_one_token_and_three_reads(practice: Practice, client: DpcClient) -> None:
    practice.create_group(client)
    reader = practice.open_client()
    (group,) = reader.read_groups()
    patients = reader.read_patients()
    (practitioner,) = reader.read_practitioners()
    assert reader.request_count == 4
    assert {row.patient_id for row in group.members} == {patient.patient_id for patient in patients}
    assert (group.npi, practitioner.npi, practitioner.family) == (NPI, NPI, "Sample")


def test_an_empty_organization_is_read_as_empty(client: DpcClient) -> None:
    assert client.read_groups() == []
    assert client.read_patients() == []
    assert client.read_practitioners() == []
    assert client.find_groups_by_npi(NPI) == []


def test_the_organization_names_itself(practice: Practice, client: DpcClient) -> None:
    organization = client.read_organization()
    assert organization.organization_id == practice.credentials.organization_id
    assert organization.name == "Lakeside"


def test_a_group_is_found_by_its_npi_and_by_its_id(practice: Practice, client: DpcClient) -> None:
    group, _, _ = practice.create_group(client)
    assert [found.group_id for found in client.find_groups_by_npi(NPI)] == [group.group_id]
    assert client.find_groups_by_npi(OTHER_NPI) == []
    assert client.read_group(group.group_id).group_id == group.group_id


def test_an_unknown_group_is_not_found(client: DpcClient) -> None:
    with pytest.raises(NotFoundAtDpc):
        client.read_group(str(uuid4()))
    with pytest.raises(InvalidInput):
        client.read_group("../Patient")


def test_many_patients_are_read_page_by_page(
    practice: Practice, client: DpcClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "PATIENTS_PER_PAGE", 2)
    _, patient_ids = practice.register(client, patients=5)
    before = client.request_count
    patients = client.read_patients(expected_count=5)
    assert {patient.patient_id for patient in patients} == set(patient_ids)
    assert client.request_count - before == 3


def test_a_read_is_repeated_when_dpc_stumbles(practice: Practice, client: DpcClient) -> None:
    practice.emulator.add_fault({"path": "/Group$", "preset": "timeout", "times": 2})
    assert client.read_groups() == []
    assert practice.count("/Group", "GET") == 3
    assert len(practice.slept) == 2


def test_a_read_that_never_succeeds_is_unavailability(practice: Practice, client: DpcClient) -> None:
    practice.emulator.add_fault({"path": "/Group$", "status": 503})
    with pytest.raises(DpcUnavailable) as caught:
        client.read_groups()
    assert caught.value.status == 503
    assert practice.count("/Group", "GET") == 3


def test_an_edge_that_refuses_is_not_asked_again(practice: Practice, client: DpcClient) -> None:
    practice.emulator.add_fault({"path": "/Group$", "preset": "waf-429", "headers": {"Retry-After": "120"}})
    with pytest.raises(EdgeRefused) as caught:
        client.read_groups()
    assert caught.value.retry_after == 120
    assert practice.count("/Group", "GET") == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 200, "body": "<html>welcome</html>", "headers": {"Content-Type": "text/html"}},
        {"status": 200, "body": {"resourceType": "Group"}},
        {"status": 200, "body": {"resourceType": "Bundle", "total": 1, "entry": [{}]}},
        {"status": 302, "headers": {"Location": "https://example.org/"}},
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_a_protocol_error(
    fault: dict[str, object], practice: Practice, client: DpcClient
) -> None:
    practice.emulator.add_fault({"path": "/Group$", **fault})
    with pytest.raises(DpcProtocolError):
        client.read_groups()


def test_a_search_that_answers_other_practitioners_is_a_protocol_error(practice: Practice, client: DpcClient) -> None:
    group, _, _ = practice.create_group(client)
    everything = {
        "resourceType": "Bundle",
        "total": 1,
        "entry": [
            {
                "resource": {
                    "resourceType": "Group",
                    "id": group.group_id,
                    "characteristic": [
                        {
                            "code": {"coding": [{"code": "attributed-to"}]},
                            "valueCodeableConcept": {
                                "coding": [{"system": "http://hl7.org/fhir/sid/us-npi", "code": NPI}]
                            },
                        }
                    ],
                }
            }
        ],
    }
    practice.emulator.add_fault({"path": "/Group$", "status": 200, "body": everything})
    with pytest.raises(DpcProtocolError):
        client.find_groups_by_npi(OTHER_NPI)


def test_a_slow_answer_ends_by_the_read_timeout(practice: Practice) -> None:
    practice.emulator.add_fault({"path": "/Group$", "latency": 30})
    with pytest.raises(DpcUnavailable):
        practice.open_client(read_timeout_seconds=0.1).read_groups()


def test_a_base_address_off_the_list_is_refused_before_anything_is_sent(practice: Practice) -> None:
    with pytest.raises(NotAllowed):
        practice.open_client(base_url="https://example.org/api/v1")
    assert practice.emulator.log() == []


def test_an_answer_that_cannot_be_read_is_not_quoted(practice: Practice, client: DpcClient) -> None:
    practice.register(client, patients=1)
    patient = {
        "resourceType": "Patient",
        "id": str(uuid4()),
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-mbi", "value": "1S00E00AA00"}],
        "name": [{"family": "Example", "given": ["Anna"]}],
        "birthDate": "February 1940",
    }
    bundle = {"resourceType": "Bundle", "entry": [{"resource": patient}]}
    practice.emulator.add_fault({"path": "/Patient$", "status": 200, "body": bundle})
    with pytest.raises(DpcProtocolError) as caught:
        client.read_patients()
    assert "1940" not in str(caught.value)
    assert "malformed" in str(caught.value)
