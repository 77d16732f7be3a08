"""The X-Provenance header."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from v2_customer import Customer, build_group, build_provenance, format_instant, read_issue, rule

TREAT = {"system": "http://hl7.org/fhir/v3/ActReason", "code": "TREAT"}
AGENT = {"system": "http://hl7.org/fhir/v3/RoleClass", "code": "AGNT"}
UNREADABLE = rule("Could not parse provenance header")
RECORDED = rule("Recorded timestamp invalid")
WINDOW = rule("Recorded timestamp invalid because it's outside the 24 hr window")
REASON = rule("Invalid reason")
ROLE = rule("Invalid role")
WHO = rule("Invalid who reference")


def post(customer: Customer, provenance: Any) -> tuple[int, str, str, str] | int:
    answer = customer.send("POST", "/Group", build_group([1]), provenance=provenance)
    return 200 if answer.status_code == 200 else read_issue(answer)


def build_agent(customer: Customer, **changes: Any) -> dict[str, Any]:
    agent = {
        "role": [{"coding": [AGENT]}],
        "who": {"reference": f"Organization/{customer.organization_id}"},
        **changes,
    }
    return {name: value for name, value in agent.items() if value is not None}


def test_the_header_must_be_there_and_readable(customer: Customer) -> None:
    """contract-v2 6."""
    missing = customer.send("POST", "/Group", build_group([1]))
    assert read_issue(missing) == rule("Provenance header is required")
    for broken in ("{", "x", "[]", '"x"', "null", '{"recorded": 7}', '{"reason": {}}', '{"agent": [7]}', "é"):
        assert post(customer, broken.encode().decode("latin-1")) == UNREADABLE, broken


@pytest.mark.parametrize(
    "recorded",
    [None, "", "2026-08-05", "2026-08-05T14:31Z", "2026-08-05T14:31:04", "2026-08-05T14:31:04+0000", "x",
     "2026-13-05T14:31:04Z", "0001-01-01T00:00:00+23:59", "2026-08-05 14:31:04Z"],
)  # fmt: skip
def test_recorded_has_seconds_and_an_offset(customer: Customer, recorded: str | None) -> None:
    """contract-v2 6: date only, +0000, no seconds."""
    assert post(customer, customer.attest() | {"recorded": recorded}) == RECORDED


def test_recorded_is_within_the_last_day(customer: Customer) -> None:
    """contract-v2 6 and T6: not a millisecond in the future, not older than 24 hours."""
    now = customer.emulator.now()
    millisecond = timedelta(milliseconds=1)
    for at, expected in (
        (now - millisecond, 200),
        (now + 2 * millisecond, WINDOW),
        (now - timedelta(hours=24) + 2 * millisecond, 200),
        (now - timedelta(hours=24) - 2 * millisecond, WINDOW),
    ):
        assert post(customer, customer.attest() | {"recorded": format_instant(at)}) == expected


def test_recorded_may_say_z_or_another_offset(customer: Customer) -> None:
    """contract-v2 6 and 8."""
    at = customer.emulator.now() - timedelta(minutes=1)
    shifted = (at - timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%S-05:00")
    for text in (at.strftime("%Y-%m-%dT%H:%M:%SZ"), shifted, at.strftime("%Y-%m-%dT%H:%M:%S.1234567Z")):
        assert post(customer, customer.attest() | {"recorded": text}) == 200


@pytest.mark.parametrize(
    "reason",
    [
        None,
        [],
        [{}],
        [{"coding": []}],
        [{"coding": [TREAT, TREAT]}],
        [{"coding": [TREAT]}, {"coding": [TREAT]}],
        [{"coding": [{**TREAT, "code": "HPAYMT"}]}],
        [{"coding": [{**TREAT, "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason"}]}],
        [TREAT],
    ],
    ids=str,
)
def test_there_is_one_reason_with_one_old_coding(customer: Customer, reason: Any) -> None:
    """contract-v2 6: the R4-correct terminology URL is refused, and so is version 1's list of codings."""
    assert post(customer, customer.attest() | {"reason": reason}) == REASON


@pytest.mark.parametrize(
    "role",
    [
        None,
        [],
        [{"coding": []}],
        [{"coding": [AGENT, AGENT]}],
        [{"coding": [AGENT]}, {"coding": [AGENT]}],
        [{"coding": [{**AGENT, "system": "http://terminology.hl7.org/CodeSystem/v3-RoleClass"}]}],
    ],
    ids=str,
)
def test_there_is_one_role_with_one_old_coding(customer: Customer, role: Any) -> None:
    """contract-v2 6."""
    assert post(customer, customer.attest(agent=[build_agent(customer, role=role)])) == ROLE


def test_there_is_one_agent(customer: Customer) -> None:
    """contract-v2 6."""
    agent = build_agent(customer)
    for agents in ([], [agent, agent]):
        assert post(customer, customer.attest(agent=agents)) == ROLE


def test_systems_and_codes_ignore_case(customer: Customer) -> None:
    """contract-v2 6."""
    reason = [{"coding": [{"system": TREAT["system"].upper(), "code": "treat"}]}]
    role = [{"coding": [{"system": AGENT["system"].upper(), "code": "agnt"}]}]
    assert post(customer, customer.attest(reason=reason, agent=[build_agent(customer, role=role)])) == 200


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("Organization/{}", 200),
        ("https://sandbox.dpc.cms.gov/api/v2/Organization/{}", 200),
        ("Organization/{}/_history/2", 200),
        ("{}", WHO),
        ("Organization/1", WHO),
        ("Practitioner/{}", WHO),
        ("", WHO),
        ("Organization/00000000-0000-0000-0000-000000000000", rule("Org in Provenance not valid")),
    ],
)
def test_the_agent_is_the_tokens_organization(customer: Customer, reference: str, expected: Any) -> None:
    """contract-v2 6."""
    for organization_id in (customer.organization_id, customer.organization_id.upper()):
        who = {"reference": reference.format(organization_id)}
        assert post(customer, customer.attest(agent=[build_agent(customer, who=who)])) == expected


def test_the_header_of_version_1_is_refused(customer: Customer) -> None:
    """contract-v2 6: whoReference is not looked at."""
    agent = build_agent(customer, who=None, whoReference={"reference": f"Organization/{customer.organization_id}"})
    assert post(customer, customer.attest(agent=[agent])) == WHO


def test_what_is_extra_is_ignored(customer: Customer) -> None:
    """contract-v2 6: resourceType, target and unknown elements."""
    extra = customer.attest(resourceType=None, target=[{"reference": "x"}], text={"status": "empty"})
    assert post(customer, extra) == 200
    assert post(customer, customer.attest(resourceType="Patient")) == 200


def test_the_checks_come_in_order(customer: Customer) -> None:
    """contract-v2 6: recorded, reason, role, who, organisation; and before the body (1, order of checks)."""
    provenance = build_provenance("x", recorded="x", reason=[], agent=[])
    seen = []
    for repair in (
        {"recorded": format_instant(customer.emulator.now())},
        {"reason": [{"coding": [TREAT]}]},
        {"agent": [build_agent(customer, who={"reference": "x"})]},
        {"agent": [build_agent(customer)]},
    ):
        answer = customer.send("POST", "/Group", b"{", provenance=provenance)
        seen.append(read_issue(answer))
        provenance |= repair
    assert seen == [RECORDED, REASON, ROLE, WHO]
    assert customer.send("POST", "/Group", b"{", provenance=provenance).status_code == 500


def test_the_journal_keeps_what_was_attested(customer: Customer) -> None:
    """contract-v2 6: the header is logged, not stored."""
    customer.create_group([1])
    entry = customer.emulator.log()[-1]
    assert entry["provenance"] is True
    assert customer.organization_id in entry["provenance_text"]
