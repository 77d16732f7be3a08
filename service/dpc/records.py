"""What DPC says and is told, as frozen values; patient values never show in a repr."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class AttributionState:
    """One patient's row in a Group; it has expired when `end_at <= now`, whatever `inactive` says."""

    patient_id: str
    start_at: datetime
    end_at: datetime
    inactive: bool


@dataclass(frozen=True, slots=True)
class GroupState:
    """One practitioner's Group as DPC holds it, inactive rows included, in no particular order."""

    group_id: str
    npi: str
    members: tuple[AttributionState, ...]


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """A patient as registered with DPC; the MBI is in upper case."""

    patient_id: str
    mbi: str = field(repr=False)
    given: str = field(repr=False)
    family: str = field(repr=False)
    birth_on: date = field(repr=False)
    gender: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewPatient:
    """A patient to be registered."""

    mbi: str = field(repr=False)
    given: str = field(repr=False)
    family: str = field(repr=False)
    birth_on: date = field(repr=False)
    gender: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PractitionerRecord:
    """A practitioner as registered with DPC."""

    practitioner_id: str
    npi: str
    given: str
    family: str


@dataclass(frozen=True, slots=True)
class NewPractitioner:
    """A practitioner to be registered."""

    npi: str
    given: str
    family: str


@dataclass(frozen=True, slots=True)
class OrganizationRecord:
    """The organisation that the token belongs to."""

    organization_id: str
    npi: str
    name: str


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A public key registered with DPC."""

    key_id: str
    label: str
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A client token as DPC lists it: never its value."""

    token_id: str
    label: str
    created_at: datetime | None
    expires_at: datetime | None
