"""What an export says of a patient for whom it has no claims (contract-v1 10.4, by the aggregator both share)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from service.emulator.tables import claims_outcomes

_NO_RELATION = "DPC couldn't find a claim for this MBI from an NPI in this organization"
_TOO_OLD = "DPC couldn't find a claim within the past 18 months for this MBI from an NPI in this organization"
_NO_CLAIMS = (
    "DPC couldn't find any claims for this MBI; unable to demonstrate relationship with provider or organization"
)
_BROKEN = "Unable to retrieve patient data due to internal error"
_TEXTS = {
    "no_claims": ("suppressed", _NO_CLAIMS),
    "no_relationship": ("suppressed", _NO_RELATION),
    "too_old": ("suppressed", _TOO_OLD),
    "opted_out": ("suppressed", "Data not available for opted out patient"),
    "not_found": ("exception", "Patient resource not found in Blue Button for id: {mbi}"),
    "claims_error": ("exception", "Blue Button error fetching Patient resource. HTTP return code: 500"),
}


def load_scripted(connection: Connection) -> dict[str, str]:
    """The scripted outcomes by MBI, the same for all versions (see POST /_emulator/outcomes)."""
    return {row.mbi: row.outcome for row in connection.execute(select(claims_outcomes))}


def build_trouble(outcome: str, mbi: str) -> dict[str, Any]:
    """The OperationOutcome of one patient; it names the MBI in clear, as DPC's does."""
    code, text = _TEXTS.get(outcome, ("exception", _BROKEN))
    issue = {
        "severity": "error",
        "code": code,
        "details": {"text": text.format(mbi=mbi)},
        "location": ["Patient", "id", mbi],
    }
    return {"resourceType": "OperationOutcome", "issue": [issue]}
