"""What may happen to one patient at the claims server instead of claims, by script (contract-v1 10.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from service.emulator.tables import claims_outcomes
from service.emulator.v1.exports.claims import Beneficiary

OK = "ok"


@dataclass(frozen=True, slots=True)
class Trouble:
    """The text of one outcome; `{kind}` and `{id}` stand for the resource type asked for and the server's id."""

    text: str
    code: str
    names_claims_id: bool = False


TROUBLES = {
    "no_claims": Trouble(
        "DPC couldn't find any claims for this MBI; unable to demonstrate relationship with provider or organization",
        "suppressed",
    ),
    "no_relationship": Trouble("DPC couldn't find a claim for this MBI from an NPI in this organization", "suppressed"),
    "too_old": Trouble(
        "DPC couldn't find a claim within the past 18 months for this MBI from an NPI in this organization",
        "suppressed",
    ),
    "opted_out": Trouble("Data not available for opted out patient", "suppressed"),
    "internal_error": Trouble("Unable to retrieve patient data due to internal error", "exception"),
    "not_found": Trouble("{kind} resource not found in Blue Button for id: {id}", "exception", True),
    "claims_error": Trouble("Blue Button error fetching {kind} resource. HTTP return code: 500", "exception", True),
}
OUTCOMES = (OK, *TROUBLES)


def save_outcome(connection: Connection, mbi: str, outcome: str) -> None:
    """Script one MBI; `ok` takes the script away. Raises ValueError for an unknown outcome."""
    if outcome not in OUTCOMES:
        raise ValueError(f"outcome is one of {', '.join(OUTCOMES)}")
    table, key = claims_outcomes, mbi.upper()
    connection.execute(delete(table).where(table.c.mbi == key))
    if outcome != OK:
        connection.execute(insert(table), {"mbi": key, "outcome": outcome})


def load_outcomes(connection: Connection) -> dict[str, str]:
    """All scripted outcomes by MBI."""
    table = claims_outcomes
    return {row.mbi: row.outcome for row in connection.execute(select(table.c.mbi, table.c.outcome))}


def build_troubles(outcome: str, person: Beneficiary, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """The OperationOutcomes of one patient: one, or one for each type where the text names the type."""
    trouble = TROUBLES[outcome]
    texts = [trouble.text.format(kind=kind, id=person.claims_id) for kind in kinds]
    known_as = person.claims_id if trouble.names_claims_id else person.mbi
    return [_build_outcome(trouble.code, text, known_as) for text in dict.fromkeys(texts)]


def _build_outcome(code: str, text: str, known_as: str) -> dict[str, Any]:
    issue = {
        "severity": "error",
        "code": code,
        "details": {"text": text},
        "location": ["Patient", "id", known_as],
    }
    return {"resourceType": "OperationOutcome", "issue": [issue]}
