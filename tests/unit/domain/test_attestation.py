"""The Provenance: how it is built, and every reason for which it is not sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from service.domain.attestation import LONGEST_PROVENANCE, build_provenance, check_provenance
from service.domain.errors import AttestationRefused

ORGANIZATION, PRACTITIONER = "4a1c9a1e-0000-4000-8000-000000000001", "4a1c9a1e-0000-4000-8000-000000000002"
NOW = datetime(2026, 3, 2, 8, 30, 0, 123456, tzinfo=UTC)

Damage = Callable[[dict[str, Any]], object]


def test_the_provenance_states_treatment_by_the_organization_on_behalf_of_the_practitioner() -> None:
    assert json.loads(build_provenance(ORGANIZATION, PRACTITIONER, NOW)) == {
        "resourceType": "Provenance",
        "recorded": "2026-03-02T08:30:00.123+00:00",
        "reason": [{"system": "http://hl7.org/fhir/v3/ActReason", "code": "TREAT"}],
        "agent": [
            {
                "role": [{"coding": [{"system": "http://hl7.org/fhir/v3/RoleClass", "code": "AGNT"}]}],
                "whoReference": {"reference": f"Organization/{ORGANIZATION}"},
                "onBehalfOfReference": {"reference": f"Practitioner/{PRACTITIONER}"},
            }
        ],
    }


def test_what_is_built_passes_its_own_check_at_the_same_moment_and_in_any_zone() -> None:
    west = timezone(timedelta(hours=-8))
    assert build_provenance(ORGANIZATION, PRACTITIONER, NOW.astimezone(west)) == build_provenance(
        ORGANIZATION, PRACTITIONER, NOW
    )
    check_provenance(build_provenance(ORGANIZATION, PRACTITIONER, NOW), ORGANIZATION, PRACTITIONER, NOW)


def test_the_same_attestation_is_the_same_bytes_so_that_a_repetition_can_be_recognised() -> None:
    first = build_provenance(ORGANIZATION, PRACTITIONER, NOW)
    assert first == build_provenance(ORGANIZATION, PRACTITIONER, NOW)
    assert first.isascii()
    assert first.isprintable()
    check_provenance(first, ORGANIZATION, PRACTITIONER, NOW + timedelta(days=2))


def set_agent(**changed: Any) -> Damage:
    return lambda p: p["agent"][0].update(changed)


def set_top(**changed: Any) -> Damage:
    return lambda p: p.update(changed)


TREAT = {"system": "http://hl7.org/fhir/v3/ActReason", "code": "TREAT"}
OTHER = {"system": "http://hl7.org/fhir/v3/ActReason", "code": "HPAYMT"}

REFUSED: dict[str, tuple[Damage, str]] = {
    "another resource": (set_top(resourceType="Consent"), "not a Provenance"),
    "no resource type": (lambda p: p.pop("resourceType"), "not a Provenance"),
    "no reason": (lambda p: p.pop("reason"), "TREAT"),
    "no list of reasons": (set_top(reason=TREAT), "TREAT"),
    "another reason": (set_top(reason=[OTHER]), "TREAT"),
    "reason of another system": (set_top(reason=[TREAT | {"system": "http://example.org"}]), "TREAT"),
    "treatment twice": (set_top(reason=[TREAT, TREAT]), "TREAT"),
    "a reason that is a word": (set_top(reason=["TREAT"]), "TREAT"),
    "no agent": (lambda p: p.pop("agent"), "one agent"),
    "two agents": (lambda p: p["agent"].append(p["agent"][0]), "one agent"),
    "an agent that is a word": (set_top(agent=["me"]), "one agent"),
    "an agent without role": (lambda p: p["agent"][0].pop("role"), "one agent"),
    "an agent in another role": (
        set_agent(role=[{"coding": [{"system": "http://hl7.org/fhir/v3/RoleClass", "code": "PROV"}]}]),
        "one agent",
    ),
    "a role of another system": (set_agent(role=[{"coding": [{"system": "x", "code": "AGNT"}]}]), "one agent"),
    "a role that is a word": (set_agent(role=["AGNT"]), "one agent"),
    "another organisation": (
        set_agent(whoReference={"reference": f"Organization/{PRACTITIONER}"}),
        "another organisation",
    ),
    "a bare id for the organisation": (set_agent(whoReference={"reference": ORGANIZATION}), "another organisation"),
    "no organisation": (lambda p: p["agent"][0].pop("whoReference"), "another organisation"),
    "an organisation by address": (set_agent(whoReference=None, whoUri="urn:x"), "another organisation"),
    "another practitioner": (
        set_agent(onBehalfOfReference={"reference": f"Practitioner/{ORGANIZATION}"}),
        "another practitioner",
    ),
    "no practitioner": (lambda p: p["agent"][0].pop("onBehalfOfReference"), "another practitioner"),
    "a practitioner that is a number": (set_agent(onBehalfOfReference={"reference": 7}), "another practitioner"),
    "no time": (lambda p: p.pop("recorded"), "time of recording"),
    "no readable time": (set_top(recorded="yesterday"), "time of recording"),
    "a time without zone": (set_top(recorded="2026-03-02T08:30:00"), "without a zone or in the future"),
    "only a date": (set_top(recorded="2026-03-01"), "without a zone or in the future"),
    "a time in the future": (set_top(recorded="2026-03-02T08:30:01+00:00"), "without a zone or in the future"),
    "a time in the future of another zone": (
        set_top(recorded="2026-03-02T08:00:00-01:00"),
        "without a zone or in the future",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_the_attestation_is_refused_for(why: str) -> None:
    damage, message = REFUSED[why]
    provenance = json.loads(build_provenance(ORGANIZATION, PRACTITIONER, NOW))
    damage(provenance)
    with pytest.raises(AttestationRefused, match=message):
        check_provenance(json.dumps(provenance), ORGANIZATION, PRACTITIONER, NOW)


def test_another_reason_may_stand_beside_treatment() -> None:
    provenance = json.loads(build_provenance(ORGANIZATION, PRACTITIONER, NOW))
    provenance["reason"].append(OTHER)
    check_provenance(json.dumps(provenance), ORGANIZATION, PRACTITIONER, NOW)


GOOD = build_provenance(ORGANIZATION, PRACTITIONER, NOW)


@pytest.mark.parametrize(
    "text",
    [
        GOOD + "\n",
        GOOD + "\r",
        GOOD.replace(",", ",\t", 1),
        GOOD.replace(",", ",\r\n", 1),
        GOOD[:-1] + ',"note":"é"}',
        GOOD + " " * LONGEST_PROVENANCE,
    ],
    ids=["line feed", "carriage return", "tab", "line break within", "not ASCII", "too long"],
)
def test_a_header_value_is_one_short_line_of_printable_ascii(text: str) -> None:
    with pytest.raises(AttestationRefused, match="one short line"):
        check_provenance(text, ORGANIZATION, PRACTITIONER, NOW)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"Provenance"', GOOD[:-1]])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(AttestationRefused, match="JSON"):
        check_provenance(text, ORGANIZATION, PRACTITIONER, NOW)


def test_the_longest_value_allowed_is_measured_exactly() -> None:
    padded = GOOD + " " * (LONGEST_PROVENANCE - len(GOOD))
    check_provenance(padded, ORGANIZATION, PRACTITIONER, NOW)
    with pytest.raises(AttestationRefused, match="one short line"):
        check_provenance(padded + " ", ORGANIZATION, PRACTITIONER, NOW)
