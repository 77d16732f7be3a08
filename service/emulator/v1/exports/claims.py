"""Synthetic claims of one patient, the same for the same seed, and more of them as the clock goes on."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from service.emulator.clock import EPOCH, format_milliseconds, to_us
from service.emulator.v1.fhir.validation import MBI_SYSTEM, NPI_SYSTEM

PATIENT, EXPLANATION, COVERAGE = KINDS = ("Patient", "ExplanationOfBenefit", "Coverage")
LOOK_BACK = timedelta(days=730)
LAG = timedelta(days=14)  # from the service to the day on which the claims server knows the claim

_BLUE_BUTTON = "https://bluebutton.cms.gov/resources/"
_CURRENCY = f"{_BLUE_BUTTON}codesystem/identifier-currency"
_CLAIM_KINDS = ("CARRIER", "OUTPATIENT", "DME")
_DIAGNOSES = ("I10", "E119", "J449", "N183", "M179", "Z0000")
_PARTS = ("A", "B", "D")
_STATES = ("05", "17", "36", "48")

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Beneficiary:
    """One patient as the claims server knows them; `dice` draws the rest, always alike."""

    mbi: str
    given: str
    family: str
    gender: str
    birth_on: str
    claims_id: str
    dice: random.Random


def build_beneficiary(seed: int, patient: Mapping[str, str]) -> Beneficiary:
    """The claims server's person for a patient with mbi, given, family, gender and birth_on."""
    dice = random.Random(f"{seed}:{patient['mbi']}")  # noqa: S311 - a reproducible draw, not a secret
    claims_id = f"-{dice.randrange(10**13, 10**14)}"
    names = ("mbi", "given", "family", "gender", "birth_on")
    return Beneficiary(**{name: patient[name] for name in names}, claims_id=claims_id, dice=dice)


def build_claims(person: Beneficiary, npi: str, now: datetime, since: datetime | None) -> dict[str, list[Resource]]:
    """The resources by type that are known at `now` and were updated after `since`."""
    turn_of_year = datetime(now.year, 1, 1, 5, tzinfo=UTC)
    is_fresh = since is None or turn_of_year > since
    return {
        PATIENT: [_build_patient(person, turn_of_year)] if is_fresh else [],
        COVERAGE: [_build_coverage(person, part, turn_of_year) for part in _PARTS] if is_fresh else [],
        EXPLANATION: _build_explanations(person, npi, now, since),
    }


def _build_meta(updated_at: datetime) -> Resource:
    return {"lastUpdated": format_milliseconds(to_us(updated_at))}


def _build_patient(person: Beneficiary, updated_at: datetime) -> Resource:
    current = {"url": _CURRENCY, "valueCoding": {"system": _CURRENCY, "code": "current", "display": "Current"}}
    return {
        "resourceType": PATIENT,
        "id": person.claims_id,
        "meta": _build_meta(updated_at),
        "identifier": [
            {"system": f"{_BLUE_BUTTON}variables/bene_id", "value": person.claims_id},
            {"extension": [current], "system": MBI_SYSTEM, "value": person.mbi},
        ],
        "name": [{"use": "usual", "family": person.family, "given": person.given.split()}],
        "gender": person.gender,
        "birthDate": person.birth_on,
        "address": [{"state": _STATES[int(person.claims_id[1:]) % len(_STATES)]}],
    }


def _build_coverage(person: Beneficiary, part: str, updated_at: datetime) -> Resource:
    return {
        "resourceType": COVERAGE,
        "id": f"part-{part.lower()}-{person.claims_id}",
        "meta": _build_meta(updated_at),
        "status": "active",
        "type": {"coding": [{"system": "http://hl7.org/fhir/v3/ActCode", "code": "SUBSIDIZ"}]},
        "beneficiary": {"reference": f"Patient/{person.claims_id}"},
        "grouping": {"subGroup": "Medicare", "subPlan": f"Part {part}"},
    }


def _build_explanations(person: Beneficiary, npi: str, now: datetime, since: datetime | None) -> list[Resource]:
    """One claim every two to four months, at fixed days that depend on the person alone."""
    step = timedelta(days=person.dice.randrange(60, 121))
    phase = EPOCH + timedelta(days=person.dice.randrange(60), hours=person.dice.randrange(8, 18))
    draws = [person.dice.randrange(10**6) for _ in range(7)]
    first, last = (now - LOOK_BACK - phase) // step + 1, (now - LAG - phase) // step
    built = []
    for n in range(first, last + 1):
        served_at = phase + n * step
        if since is None or served_at + LAG > since:
            built.append(_build_explanation(person, npi, n, served_at, draws[n % len(draws)] + n))
    return built


def _build_explanation(person: Beneficiary, npi: str, n: int, served_at: datetime, draw: int) -> Resource:
    kind, day = _CLAIM_KINDS[draw % len(_CLAIM_KINDS)], served_at.date().isoformat()
    return {
        "resourceType": EXPLANATION,
        "id": f"{kind.lower()}-{person.claims_id}-{n}",
        "meta": _build_meta(served_at + LAG),
        "status": "active",
        "type": {"coding": [{"system": f"{_BLUE_BUTTON}codesystem/eob-type", "code": kind}]},
        "patient": {"reference": f"Patient/{person.claims_id}"},
        "billablePeriod": {"start": day, "end": day},
        "careTeam": [{"sequence": 1, "provider": {"identifier": {"system": NPI_SYSTEM, "value": npi}}}],
        "diagnosis": [
            {
                "sequence": 1,
                "diagnosisCodeableConcept": {
                    "coding": [
                        {
                            "system": "http://hl7.org/fhir/sid/icd-10",
                            "code": _DIAGNOSES[draw % len(_DIAGNOSES)],
                        }
                    ]
                },
            }
        ],
        "insurance": {"coverage": {"reference": f"Coverage/part-b-{person.claims_id}"}},
        "payment": {"amount": {"value": 20 + draw % 480, "system": "urn:iso:std:iso:4217", "code": "USD"}},
    }
