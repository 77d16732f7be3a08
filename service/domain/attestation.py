"""The statement of treatment purpose: built as FHIR Provenance and checked before it is ever spoken."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from service.domain.errors import AttestationRefused

ACT_REASON = "http://hl7.org/fhir/v3/ActReason"
ROLE_CLASS = "http://hl7.org/fhir/v3/RoleClass"
LONGEST_PROVENANCE = 2048
"""Bytes. The request head is limited to 8 KiB and the access token takes about 1.7 (contract-v1 1.1)."""


def build_provenance(organization_dpc_id: str, practitioner_dpc_id: str, recorded_at: datetime) -> str:
    """Answer the value of `X-Provenance`: one line of ASCII, no patient in it (contract-v1 9.1).

    Treatment purpose (TREAT), spoken by the organisation as agent (AGNT) on behalf of the practitioner.
    """
    recorded = recorded_at.astimezone(UTC).isoformat(timespec="milliseconds")
    provenance = {
        "resourceType": "Provenance",
        "recorded": recorded,
        "reason": [{"system": ACT_REASON, "code": "TREAT"}],
        "agent": [
            {
                "role": [{"coding": [{"system": ROLE_CLASS, "code": "AGNT"}]}],
                "whoReference": {"reference": f"Organization/{organization_dpc_id}"},
                "onBehalfOfReference": {"reference": f"Practitioner/{practitioner_dpc_id}"},
            }
        ],
    }
    return json.dumps(provenance, separators=(",", ":"), ensure_ascii=True)


def check_provenance(text: str, organization_dpc_id: str, practitioner_dpc_id: str, now: datetime) -> None:
    """Raise AttestationRefused unless the text fits the profile `dpc-profile-attestation` and names whom we mean.

    The server compares nothing but the NPI in the body (contract-v1 14.21), so what it would let pass is refused here:
    another organisation, another practitioner, a time in the future.
    """
    if not (text.isascii() and text.isprintable()) or len(text) > LONGEST_PROVENANCE:
        raise AttestationRefused("The Provenance must be one short line of ASCII.")
    provenance = _read_object(text)
    if provenance.get("resourceType") != "Provenance":
        raise AttestationRefused("The attestation is not a Provenance.")
    if _count_coding(provenance.get("reason"), ACT_REASON, "TREAT") != 1:
        raise AttestationRefused("The Provenance must state treatment (TREAT) as its reason, once.")
    agents = provenance.get("agent")
    if not isinstance(agents, list) or len(agents) != 1 or not _is_agent(agents[0]):
        raise AttestationRefused("The Provenance must have exactly one agent in the role AGNT.")
    if _reference(agents[0], "whoReference") != f"Organization/{organization_dpc_id}":
        raise AttestationRefused("The Provenance speaks for another organisation.")
    if _reference(agents[0], "onBehalfOfReference") != f"Practitioner/{practitioner_dpc_id}":
        raise AttestationRefused("The Provenance speaks on behalf of another practitioner.")
    _check_recorded(provenance.get("recorded"), now)


def _check_recorded(recorded: object, now: datetime) -> None:
    try:
        recorded_at = datetime.fromisoformat(str(recorded))
    except ValueError:
        raise AttestationRefused("The Provenance has no readable time of recording.") from None
    if recorded_at.tzinfo is None or recorded_at > now:
        raise AttestationRefused("The Provenance is dated without a zone or in the future.")


def _read_object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError:
        raise AttestationRefused("The Provenance is not JSON.") from None
    if not isinstance(value, dict):
        raise AttestationRefused("The Provenance is not a JSON object.")
    return value


def _is_agent(agent: object) -> bool:
    roles = agent.get("role") if isinstance(agent, dict) else None
    if not isinstance(roles, list):
        return False
    return any(isinstance(r, dict) and _count_coding(r.get("coding"), ROLE_CLASS, "AGNT") == 1 for r in roles)


def _count_coding(codings: object, system: str, code: str) -> int:
    if not isinstance(codings, list):
        return 0
    return sum(isinstance(c, dict) and c.get("system") == system and c.get("code") == code for c in codings)


def _reference(agent: dict[str, object], name: str) -> str | None:
    reference = agent.get(name)
    value = reference.get("reference") if isinstance(reference, dict) else None
    return value if isinstance(value, str) else None
