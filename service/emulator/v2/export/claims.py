"""Synthetic claims in R4 or STU3: the same patient always has the same ones, and the clock brings new ones."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

TYPES = ("Patient", "Coverage", "ExplanationOfBenefit")
MBI_SYSTEM = "http://hl7.org/fhir/sid/us-mbi"
NPI_SYSTEM = "http://hl7.org/fhir/sid/us-npi"
BLUE_BUTTON = "https://bluebutton.cms.gov/resources"
LOADED_AT = datetime(2020, 2, 15, 6, tzinfo=UTC)  # when patients and coverages were loaded, all alike
MOST_CLAIMS = 12

_FIRST_ON = date(2020, 1, 10)
_INTERVAL = timedelta(days=60)
_LAG = timedelta(days=14)
_PRACTICE_NPI = "1234567893"
_NAMES = ("Sample", "Example", "Testing", "Specimen", "Pattern")
_CODES = (("99213", "Z00.00"), ("99214", "I10"), ("80053", "E11.9"), ("93000", "I48.91"), ("71046", "J18.9"))
_PARTS = ("part-a", "part-b", "part-d")

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claimant:
    """One patient of the claims server; `release` is R4 or STU3."""

    seed: int
    mbi: str
    release: str

    @property
    def dice(self) -> random.Random:
        """Draws that depend on nothing but seed and MBI."""
        digest = hashlib.sha256(f"{self.seed}:{self.mbi}".encode()).digest()
        return random.Random(digest)  # noqa: S311 - reproducible, not secret

    @property
    def beneficiary_id(self) -> str:
        """The claims server's own id; negative ones are synthetic."""
        return f"-{self.dice.randrange(10**13, 10**14)}"


def build_records(claimant: Claimant, now: datetime, since: datetime | None) -> dict[str, list[Resource]]:
    """What the claims server holds at `now` by resource type, only what was updated after `since`."""
    built = {
        "Patient": [_build_patient(claimant)],
        "Coverage": [_build_coverage(claimant, part) for part in _PARTS],
        "ExplanationOfBenefit": list(_build_claims(claimant, now)),
    }
    if since is None:
        return built
    return {kind: [one for one in found if _read_updated(one) > since] for kind, found in built.items()}


def _read_updated(resource: Resource) -> datetime:
    return datetime.fromisoformat(resource["meta"]["lastUpdated"])


def _build_head(kind: str, resource_id: str, updated_at: datetime) -> Resource:
    return {
        "resourceType": kind,
        "id": resource_id,
        "meta": {"lastUpdated": updated_at.isoformat(timespec="milliseconds")},
    }


def _build_patient(claimant: Claimant) -> Resource:
    dice = claimant.dice
    born_on = date(1930, 1, 1) + timedelta(days=dice.randrange(25 * 365))
    identifiers = [
        {"system": f"{BLUE_BUTTON}/variables/bene_id", "value": claimant.beneficiary_id},
        {"system": MBI_SYSTEM, "value": claimant.mbi},
    ]
    return {
        **_build_head("Patient", claimant.beneficiary_id, LOADED_AT),
        "identifier": identifiers,
        "name": [{"use": "usual", "family": dice.choice(_NAMES), "given": ["Synthetic"]}],
        "gender": dice.choice(("female", "male")),
        "birthDate": born_on.isoformat(),
        "address": [{"state": "99", "postalCode": "99999"}],
    }


def _build_coverage(claimant: Claimant, part: str) -> Resource:
    patient = {"reference": f"Patient/{claimant.beneficiary_id}"}
    coverage = {
        **_build_head("Coverage", f"{part}-{claimant.beneficiary_id}", LOADED_AT),
        "status": "active",
        "beneficiary": patient,
    }
    if claimant.release == "STU3":
        return {**coverage, "grouping": {"subGroup": "Medicare", "subPlan": part}}
    kind = {"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "plan"}
    payor = {"identifier": {"value": "Centers for Medicare and Medicaid Services"}}
    return {**coverage, "payor": [payor], "class": [{"type": {"coding": [kind]}, "value": part}]}


def _build_claims(claimant: Claimant, now: datetime) -> Iterator[Resource]:
    """The latest claims whose records had arrived by `now`."""
    first_on = _FIRST_ON + timedelta(days=claimant.dice.randrange(_INTERVAL.days))
    days_known = (now.date() - _LAG - first_on).days
    arrived = max(0, days_known // _INTERVAL.days + 1)
    for number in range(max(0, arrived - MOST_CLAIMS), arrived):
        claim = _build_claim(claimant, number, first_on + number * _INTERVAL)
        if _read_updated(claim) <= now:
            yield claim


def _build_claim(claimant: Claimant, number: int, served_on: date) -> Resource:
    claim_id = f"carrier-{claimant.beneficiary_id}{number:03d}"
    procedure, diagnosis = _CODES[(number + claimant.dice.randrange(len(_CODES))) % len(_CODES)]
    period = {"start": served_on.isoformat(), "end": served_on.isoformat()}
    updated_at = datetime.combine(served_on + _LAG, time(6), tzinfo=UTC)
    hcpcs = {"system": f"{BLUE_BUTTON}/codesystem/hcpcs", "code": procedure}
    icd = {"system": "http://hl7.org/fhir/sid/icd-10", "code": diagnosis}
    claim = {
        **_build_head("ExplanationOfBenefit", claim_id, updated_at),
        "status": "active",
        "identifier": [{"system": f"{BLUE_BUTTON}/variables/clm_id", "value": claim_id.removeprefix("carrier-")}],
        "type": {"coding": [{"system": f"{BLUE_BUTTON}/codesystem/eob-type", "code": "CARRIER"}]},
        "patient": {"reference": f"Patient/{claimant.beneficiary_id}"},
        "billablePeriod": period,
        "diagnosis": [{"sequence": 1, "diagnosisCodeableConcept": {"coding": [icd]}}],
    }
    price = 80 + 10 * (number % 7)
    return {**claim, **_build_charge(claimant, hcpcs, period, price, updated_at)}


def _build_charge(claimant: Claimant, hcpcs: Resource, period: Resource, price: int, created_at: datetime) -> Resource:
    """What the two releases write differently: insurance, payment and the one item."""
    item: Resource = {"sequence": 1, "servicedPeriod": period, "quantity": {"value": 1}}
    coverage = {"coverage": {"reference": f"Coverage/part-b-{claimant.beneficiary_id}"}}
    if claimant.release == "STU3":
        amount = {"system": "urn:iso:std:iso:4217", "code": "USD", "value": price}
        item |= {"service": {"coding": [hcpcs]}, "diagnosisLinkId": [1]}
        return {"insurance": coverage, "payment": {"amount": amount}, "item": [item]}
    item |= {"productOrService": {"coding": [hcpcs]}, "diagnosisSequence": [1]}
    return {
        "use": "claim",
        "outcome": "complete",
        "created": created_at.isoformat(timespec="seconds"),
        "insurer": {"identifier": {"value": "CMS"}},
        "provider": {"identifier": {"system": NPI_SYSTEM, "value": _PRACTICE_NPI}},
        "insurance": [{"focal": True, **coverage}],
        "payment": {"amount": {"currency": "USD", "value": price}},
        "item": [item],
    }
