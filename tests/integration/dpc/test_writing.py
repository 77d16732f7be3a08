"""A write is sent once, counts only when its answer shows it, and is refused, unknown or unsent: never guessed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from service.domain.errors import AttestationRefused, InvalidInput
from service.dpc import errors
from service.dpc.client import DpcClient
from service.dpc.records import NewPatient, NewPractitioner
from tests.integration.dpc.conftest import ATTEMPT, NPI, OTHER_NPI, Practice, build_new_patient, build_provenance

ADD = r"\$add$"


def test_a_group_is_created_renewed_reduced_and_replaced(practice: Practice, client: DpcClient) -> None:
    group, provenance, (first, second, third) = practice.create_group(client)
    assert {row.patient_id for row in group.members} == {first, second, third}
    assert not any(row.inactive for row in group.members)
    practice.emulator.advance("P76D")
    renewed = client.add_to_group(group.group_id, NPI, [first], provenance, ATTEMPT)
    ends = {row.patient_id: row.end_at for row in renewed.members}
    assert ends[first] - ends[second] == timedelta(days=76)
    removed = client.remove_from_group(group.group_id, NPI, [second], ATTEMPT)
    assert [row.patient_id for row in removed.members if row.inactive] == [second]
    replaced = client.replace_group(group.group_id, NPI, [first, third], provenance, ATTEMPT)
    assert {row.patient_id for row in replaced.members} == {first, third}


def test_what_is_sent_carries_the_attempts_id_and_the_exact_provenance(practice: Practice, client: DpcClient) -> None:
    _, provenance, _ = practice.create_group(client)
    (entry,) = [
        entry for entry in practice.emulator.log() if (entry["method"], entry["path"][-6:]) == ("POST", "/Group")
    ]
    assert entry["request_id"] == ATTEMPT
    assert entry["provenance_text"] == provenance


def test_known_patients_and_practitioners_are_answered_as_stored(practice: Practice, client: DpcClient) -> None:
    practice.register(client, patients=2)
    again = build_new_patient(0)
    renamed = NewPatient(again.mbi, "Berta", again.family, again.birth_on, again.gender)
    records = client.submit_patients([renamed, build_new_patient(7)])
    assert {record.mbi: record.given for record in records} == {again.mbi: "Anna", "1S00E00AA07": "Anna"}
    (practitioner,) = client.submit_practitioners([NewPractitioner(NPI, "Other", "Name")])
    assert practitioner.family == "Sample"


def test_names_with_a_spaced_ampersand_are_stored_as_sent(client: DpcClient) -> None:
    (record,) = client.submit_practitioners([NewPractitioner(NPI, "Åsa & Co", "O'Neill")])
    assert (record.given, record.family) == ("Åsa & Co", "O'Neill")


# Refusals


def test_a_second_group_is_refused_as_existing(practice: Practice, client: DpcClient) -> None:
    _, provenance, patient_ids = practice.create_group(client)
    with pytest.raises(errors.GroupExists):
        client.create_group(NPI, patient_ids, provenance, ATTEMPT)


def test_patients_that_are_not_registered_are_counted_and_nothing_is_added(
    practice: Practice, client: DpcClient
) -> None:
    group, provenance, patient_ids = practice.create_group(client)
    with pytest.raises(errors.UnknownPatients) as caught:
        client.add_to_group(group.group_id, NPI, [patient_ids[0], str(uuid4()), str(uuid4())], provenance, ATTEMPT)
    assert caught.value.count == 2
    assert len(client.read_group(group.group_id).members) == 3


def test_the_roster_limit_is_recognised_and_counts_inactive_patients(practice: Practice, client: DpcClient) -> None:
    group, provenance, patient_ids = practice.create_group(client)
    practice.emulator.set_limits(patient_limit=3)
    client.remove_from_group(group.group_id, NPI, patient_ids[:2], ATTEMPT)
    (newcomer,) = client.submit_patients([build_new_patient(9)])
    with pytest.raises(errors.RosterLimitReached):
        client.add_to_group(group.group_id, NPI, [newcomer.patient_id], provenance, ATTEMPT)
    client.replace_group(group.group_id, NPI, [patient_ids[2], newcomer.patient_id], provenance, ATTEMPT)


def test_removing_somebody_who_was_never_attributed_fails_as_a_whole(practice: Practice, client: DpcClient) -> None:
    group, _, patient_ids = practice.create_group(client)
    (newcomer,) = client.submit_patients([build_new_patient(9)])
    with pytest.raises(errors.NotAttributed):
        client.remove_from_group(group.group_id, NPI, [patient_ids[0], newcomer.patient_id], ATTEMPT)
    assert not any(row.inactive for row in client.read_group(group.group_id).members)


def test_a_practitioner_who_is_not_registered_cannot_be_attested_for(practice: Practice, client: DpcClient) -> None:
    _, patient_ids = practice.register(client)
    with pytest.raises(errors.DpcRefused) as caught:
        client.create_group(NPI, patient_ids, practice.build_provenance(str(uuid4())), ATTEMPT)
    assert caught.value.kind == "practitioner_unknown"


@pytest.mark.parametrize(("preset", "status"), [("waf", 403), ("waf-429", 429)])
def test_an_edge_that_refuses_a_write_is_a_definite_no(
    preset: str, status: int, practice: Practice, client: DpcClient
) -> None:
    group, provenance, patient_ids = practice.create_group(client)
    practice.emulator.add_fault({"path": ADD, "preset": preset})
    with pytest.raises(errors.EdgeRefused) as caught:
        client.add_to_group(group.group_id, NPI, patient_ids, provenance, ATTEMPT)
    assert caught.value.status == status
    assert practice.count("$add") == 1


# Open questions


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "spoil",
    [
        {"preset": "timeout"},
        {"status": 502},
        {"status": 504, "body": "<html></html>"},
        {"cut": True},
        {"status": 200, "body": "{"},
        {"status": 200, "body": "<html></html>"},
        {"status": 204},
        {"status": 307, "headers": {"Location": "/api/v1/Group"}},
        {"status": 408},
    ],
)
def test_a_write_without_a_plain_answer_is_an_open_question_and_is_never_repeated(
    when: str, spoil: dict[str, object], practice: Practice, client: DpcClient
) -> None:
    group, provenance, patient_ids = practice.create_group(client)
    practice.emulator.add_fault({"path": ADD, "when": when, **spoil})
    with pytest.raises(errors.OutcomeUnknown):
        client.add_to_group(group.group_id, NPI, patient_ids, provenance, ATTEMPT)
    (entry,) = [entry for entry in practice.emulator.log() if entry["path"].endswith("$add")]
    assert entry["effect"] is (when == "after")
    assert practice.slept == []


def test_a_truncated_answer_leaves_the_question_open_although_the_write_landed(
    practice: Practice, client: DpcClient
) -> None:
    group, provenance, patient_ids = practice.create_group(client)
    practice.emulator.add_fault({"path": ADD, "truncate": True})
    with pytest.raises(errors.OutcomeUnknown):
        client.add_to_group(group.group_id, NPI, patient_ids, provenance, ATTEMPT)
    assert practice.count("$add") == 1


def test_a_slow_write_is_an_open_question(practice: Practice, client: DpcClient) -> None:
    group, provenance, patient_ids = practice.create_group(client)
    hasty = practice.open_client(read_timeout_seconds=0.2)
    hasty.read_groups()
    practice.emulator.add_fault({"path": ADD, "when": "after", "latency": 30})
    with pytest.raises(errors.OutcomeUnknown):
        hasty.add_to_group(group.group_id, NPI, patient_ids, provenance, ATTEMPT)
    assert practice.count("$add") == 1


def test_a_success_that_shows_an_old_state_is_an_open_question(practice: Practice, client: DpcClient) -> None:
    group, provenance, patient_ids = practice.create_group(client)
    shown = {
        "resourceType": "Group",
        "id": group.group_id,
        "characteristic": [
            {
                "code": {"coding": [{"code": "attributed-to"}]},
                "valueCodeableConcept": {"coding": [{"system": "http://hl7.org/fhir/sid/us-npi", "code": NPI}]},
            }
        ],
        "member": [
            {
                "entity": {"reference": f"Patient/{row.patient_id}"},
                "period": {"start": row.start_at.isoformat(), "end": row.end_at.isoformat()},
                "inactive": False,
            }
            for row in group.members
        ],
    }
    practice.emulator.advance("P2D")
    practice.emulator.add_fault({"path": r"\$(add|remove)$", "status": 200, "body": shown})
    with pytest.raises(errors.OutcomeUnknown):
        client.add_to_group(group.group_id, NPI, patient_ids, provenance, ATTEMPT)
    with pytest.raises(errors.OutcomeUnknown):
        client.remove_from_group(group.group_id, NPI, patient_ids, ATTEMPT)


def test_a_registration_that_answers_less_than_was_sent_is_an_open_question(
    practice: Practice, client: DpcClient
) -> None:
    empty = {"resourceType": "Bundle", "type": "collection"}
    practice.emulator.add_fault({"path": r"\$submit$", "status": 200, "body": empty})
    with pytest.raises(errors.OutcomeUnknown):
        client.submit_patients([build_new_patient(1)])
    with pytest.raises(errors.OutcomeUnknown):
        client.submit_practitioners([NewPractitioner(NPI, "Gale", "Sample")])


def test_a_server_that_is_gone_took_no_effect(practice: Practice, client: DpcClient) -> None:
    client.read_groups()
    practice.emulator.stop()
    with pytest.raises(errors.DpcUnavailable):
        client.submit_patients([build_new_patient(1)])


# Refused here, before anything is sent


def test_another_practitioners_group_is_never_written_to(practice: Practice, client: DpcClient) -> None:
    group, provenance, patient_ids = practice.create_group(client)
    stranger = practice.open_client()
    attempts: list[Callable[[], object]] = [
        lambda: stranger.add_to_group(group.group_id, OTHER_NPI, patient_ids, provenance, ATTEMPT),
        lambda: stranger.replace_group(group.group_id, OTHER_NPI, patient_ids, provenance, ATTEMPT),
        lambda: stranger.remove_from_group(group.group_id, OTHER_NPI, patient_ids, ATTEMPT),
    ]
    for attempt in attempts:
        with pytest.raises(AttestationRefused):
            attempt()
    assert practice.count("$add") + practice.count("$remove") + practice.count("", "PUT") == 0


def test_a_provenance_for_another_practitioner_or_organization_is_never_sent(
    practice: Practice, client: DpcClient
) -> None:
    practitioner_id, patient_ids = practice.register(client)
    (other,) = client.submit_practitioners([NewPractitioner(OTHER_NPI, "Robin", "Sample")])
    own = practice.credentials.organization_id
    for provenance in (build_provenance(own, other.practitioner_id), build_provenance(str(uuid4()), practitioner_id)):
        with pytest.raises(AttestationRefused):
            client.create_group(NPI, patient_ids, provenance, ATTEMPT)
    assert practice.count("/Group") == 0


def test_an_empty_replacement_is_never_sent(practice: Practice, client: DpcClient) -> None:
    group, provenance, _ = practice.create_group(client)
    with pytest.raises(InvalidInput):
        client.replace_group(group.group_id, NPI, [], provenance, ATTEMPT)
    assert practice.count("", "PUT") == 0


def test_a_request_id_cannot_smuggle_a_header(practice: Practice, client: DpcClient) -> None:
    group, provenance, patient_ids = practice.create_group(client)
    with pytest.raises(InvalidInput):
        client.add_to_group(group.group_id, NPI, patient_ids, provenance, "a\r\nX-Provenance: b")
    assert practice.count("$add") == 0
