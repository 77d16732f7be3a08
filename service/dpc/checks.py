"""What is checked around a call: before it, what DPC would answer opaquely or not at all; after it, what it shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import orjson

from service.domain.errors import AttestationRefused, InvalidInput
from service.dpc.answers import Unreadable
from service.dpc.records import GroupState, NewPatient, NewPractitioner

HEADERS_LIMIT_BYTES = 6 * 1024  # the server's limit for all headers is 8 KiB, its answer then no FHIR (contract-v1 1.1)

# An attestation lasts 90 days (contract-v1 9.4); a day of tolerance for clocks and for rounding in answers.
RENEWED_AT_LEAST = timedelta(days=89)

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MBI = re.compile(r"\d[A-Z][A-Z0-9]\d[A-Z][A-Z0-9]\d[A-Z]{2}\d{2}")
_NPI = re.compile(r"\d{10}")
_HTML = re.compile(r"[<>]|(?<! )&|&(?! )")
_GENDERS = frozenset({"male", "female", "other", "unknown"})


def check_patient_ids(patient_ids: Sequence[str]) -> None:
    """Raises InvalidInput unless there is at least one id and all are lower-case UUIDs, each once.

    Other spellings count twice against DPC's limit, malformed ones are a 500 (contract-v1 14 no. 20, 25).
    """
    if not patient_ids:
        raise InvalidInput("A change of a Group names at least one patient.")
    check_ids(patient_ids)
    if len(set(patient_ids)) != len(patient_ids):
        raise InvalidInput("A patient is named twice in one change of a Group.")


def check_ids(ids: Sequence[str]) -> None:
    """Raises InvalidInput unless every id is a lower-case UUID."""
    if not all(map(_UUID.fullmatch, ids)):
        raise InvalidInput("An id is not a UUID in lower case.")


def check_npi(npi: str) -> None:
    """Raises InvalidInput unless the NPI has ten digits and the right check digit (Luhn with prefix 80840)."""
    if not _NPI.fullmatch(npi) or not npi.isascii() or not _is_luhn("80840" + npi):
        raise InvalidInput("An NPI has not ten digits, or its check digit is wrong.")


def _is_luhn(digits: str) -> bool:
    doubled = (int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def check_new_patients(patients: Sequence[NewPatient]) -> None:
    """Raises InvalidInput for what DPC would refuse for the whole call, naming the position only."""
    _check_each_once([patient.mbi for patient in patients], "patient")
    for position, patient in enumerate(patients, 1):
        if not _MBI.fullmatch(patient.mbi) or not patient.mbi.isascii():
            raise InvalidInput(f"Patient {position} has no MBI of eleven upper-case characters.")
        if patient.gender not in _GENDERS:
            raise InvalidInput(f"Patient {position} has no gender that FHIR knows.")
        _check_names((patient.given, patient.family), f"Patient {position}")


def check_new_practitioners(practitioners: Sequence[NewPractitioner]) -> None:
    """Raises InvalidInput for what DPC would refuse for the whole call, naming the position only."""
    _check_each_once([practitioner.npi for practitioner in practitioners], "practitioner")
    for position, practitioner in enumerate(practitioners, 1):
        check_npi(practitioner.npi)
        _check_names((practitioner.given, practitioner.family), f"Practitioner {position}")


def _check_each_once(keys: Sequence[str], noun: str) -> None:
    if not keys:
        raise InvalidInput(f"A registration names at least one {noun}.")
    if len(set(keys)) != len(keys):
        raise InvalidInput(f"A {noun} is named twice in one registration.")


def _check_names(names: Sequence[str], whose: str) -> None:
    """DPC takes `A & B` and refuses `A&B`, `<` and `>` with a bare 400 (contract-v1 1.4)."""
    if not all(name.strip() for name in names):
        raise InvalidInput(f"{whose} lacks a given or a family name.")
    if any(_HTML.search(name) or not name.isprintable() for name in names):
        raise InvalidInput(f"{whose} has a name with '<', '>', a bare '&' or control characters.")


def check_provenance(provenance: str, organization_id: str) -> str:
    """Answers the practitioner's id that an attestation names, after checking that we may say it.

    Raises AttestationRefused unless it is one line of ASCII, a Provenance, and by our own organisation: DPC compares
    neither the organisation nor the Group with it (contract-v1 9.1, 14 no. 21).
    """
    if not provenance.isascii() or not provenance.isprintable():
        raise AttestationRefused("The Provenance is not one line of plain ASCII.")
    try:
        tree = orjson.loads(provenance)
        agent = tree["agent"][0]
        who = str(agent["whoReference"]["reference"])
        practitioner = str(agent["onBehalfOfReference"]["reference"])
        kind = tree["resourceType"]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        raise AttestationRefused("The Provenance cannot be read as one.") from None
    if kind != "Provenance" or who.rpartition("/")[2] != organization_id:
        raise AttestationRefused("The Provenance does not speak for this organisation.")
    return practitioner.rpartition("/")[2]


def check_headers_size(headers: Mapping[str, str]) -> None:
    """Raises AttestationRefused when all headers together come near the server's limit."""
    size = sum(len(name) + len(value) + 4 for name, value in headers.items())
    if size >= HEADERS_LIMIT_BYTES:
        raise AttestationRefused("The Provenance is too long for one request header.")


def check_all_there(intended: set[str], found: Iterable[str]) -> None:
    """Raises Unreadable unless everything intended was found; names nothing."""
    missing = len(intended - set(found))
    if missing:
        raise Unreadable(f"{missing} of {len(intended)} are missing in the answer")


def check_same_group(group: GroupState, group_id: str | None, npi: str) -> None:
    """Raises Unreadable when the answer shows another Group than the one written to."""
    if group.npi != npi or (group_id is not None and group.group_id != group_id):
        raise Unreadable("the answer shows another Group")


def check_attested(group: GroupState, patient_ids: Sequence[str], answered_at: datetime) -> None:
    """Raises Unreadable unless each patient is active until 89 days after `answered_at` (server's time) at least."""
    until_at = answered_at + RENEWED_AT_LEAST
    active = (row.patient_id for row in group.members if not row.inactive and row.end_at >= until_at)
    check_all_there(set(patient_ids), active)


def check_replaced(group: GroupState, patient_ids: Sequence[str], answered_at: datetime) -> None:
    """Raises Unreadable unless exactly these patients are in the Group, all active."""
    check_attested(group, patient_ids, answered_at)
    if len(group.members) != len(patient_ids):
        raise Unreadable("the Group holds others than those it was replaced with")


def check_removed(group: GroupState, patient_ids: Sequence[str]) -> None:
    """Raises Unreadable unless each patient is listed as inactive: removed rows stay listed (contract-v1 9.4)."""
    check_all_there(set(patient_ids), (row.patient_id for row in group.members if row.inactive))
