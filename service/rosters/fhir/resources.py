"""What FHIR resources say about people: MBI, NPI, name, birth date, and whether they are alive (feeds 4.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from service.domain.identifiers import Environment, Reading, read_mbi, read_npi
from service.rosters.values import find_name

Resource = Mapping[str, Any]

MBI_SYSTEMS = frozenset(
    {
        "http://hl7.org/fhir/sid/us-mbi",
        "urn:oid:2.16.840.1.113883.4.927",
        "http://terminology.hl7.org/NamingSystem/cmsMBI",
    }
)
NPI_SYSTEMS = frozenset({"http://hl7.org/fhir/sid/us-npi", "urn:oid:2.16.840.1.113883.4.6"})
CURRENCY_SYSTEM = "https://bluebutton.cms.gov/resources/codesystem/identifier-currency"
GENDERS = frozenset({"male", "female", "other", "unknown"})
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name as DPC wants it: one given name and the family name."""

    given: str | None
    family: str | None


def read_patient_mbi(patient: Resource, environment: Environment) -> Reading:
    """Answers the one current MBI of a Patient; other Medicare-like numbers never count."""
    found = _list_mbi_identifiers(patient, environment)
    found = [one for one in found if _is_current(one)] or [one for one in found if not _has_ended(one)] or found
    readings = [_read_value(one, environment) for one in found]
    values = {reading.value for reading in readings if reading.value}
    if len(values) > 1:
        return Reading(None, "multiple_mbi")
    good = [reading for reading in readings if reading.value]
    return (good or readings or [Reading(None, "mbi_missing")])[0]


def list_patient_mbis(patient: Resource, environment: Environment) -> list[str]:
    """Answers every MBI of a Patient, former ones included: all of them are that person's."""
    found = (_read_value(one, environment).value for one in _list_mbi_identifiers(patient, environment))
    return [value for value in found if value]


def read_practitioner_npi(practitioner: Resource, environment: Environment) -> Reading:
    """Answers the one NPI of a Practitioner or of a logical reference; several different ones are an error."""
    values = [one.get("value") for one in list_objects(practitioner, "identifier") if _is_of(one, NPI_SYSTEMS)]
    return choose_npi([read_npi(value, environment) for value in values if isinstance(value, str)])


def choose_npi(readings: Sequence[Reading]) -> Reading:
    """Answers the one NPI among what was found at one place; several different ones are an error (feeds 4.2)."""
    if len({reading.value for reading in readings if reading.value}) > 1:
        return Reading(None, "npi_format")
    good = [reading for reading in readings if reading.value]
    return (good or readings or [Reading(None, "npi_missing")])[0]


def find_person_name(person: Resource) -> Name:
    """Answers the official name, else the first."""
    names = list_objects(person, "name")
    if not names:
        return Name(None, None)
    name = next((one for one in names if one.get("use") == "official"), names[0])
    given = name.get("given")
    first = given[0] if isinstance(given, list) and given else given
    family = name.get("family")
    if isinstance(family, list):  # DSTU2 allowed several
        family = " ".join(part for part in family if isinstance(part, str))
    return Name(_find_text(first), _find_text(family))


def read_birth_date(person: Resource) -> tuple[date | None, str | None]:
    """Answers the birth date and the dob_* warning it earns."""
    text = person.get("birthDate")
    if not isinstance(text, str) or not text:
        return None, None
    if re.fullmatch(r"[0-9]{4}(?:-[0-9]{2})?", text):
        return None, "dob_partial"
    try:
        return (date.fromisoformat(text), None) if _DAY.fullmatch(text) else (None, "dob_unparseable")
    except ValueError:
        return None, "dob_unparseable"


def find_gender(person: Resource) -> str | None:
    """Answers the gender if it is a code of FHIR."""
    gender = person.get("gender")
    return gender if isinstance(gender, str) and gender in GENDERS else None


def is_deceased(patient: Resource) -> bool:
    """Answers whether the Patient is said to have died; what says so in a way of its own is for a person to read."""
    flag, day = patient.get("deceasedBoolean"), patient.get("deceasedDateTime")
    return not (flag is None or flag is False) or not (day is None or day == "")


def list_objects(resource: Resource, key: str) -> list[Resource]:
    """Answers the objects in a repeating element; a lone object counts as one, anything else as none."""
    value = resource.get(key)
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, dict)]


def _list_mbi_identifiers(patient: Resource, environment: Environment) -> list[Resource]:
    """Answers the identifiers of an MBI system, else those typed as Medicare's whose value is an MBI (feeds 4.2)."""
    identifiers = list_objects(patient, "identifier")
    found = [one for one in identifiers if _is_of(one, MBI_SYSTEMS)]
    return found or [one for one in identifiers if _is_medicare_typed(one) and _read_value(one, environment).value]


def _read_value(identifier: Resource, environment: Environment) -> Reading:
    value = identifier.get("value")
    return read_mbi(value if isinstance(value, str) else "", environment)


def _is_of(identifier: Resource, systems: frozenset[str]) -> bool:
    system = identifier.get("system")
    return isinstance(system, str) and system in systems


def list_codings(concept: object) -> Sequence[Resource]:
    """Answers the codings of a CodeableConcept."""
    return list_objects(concept, "coding") if isinstance(concept, dict) else []


def _is_medicare_typed(identifier: Resource) -> bool:
    return any(coding.get("code") == "MC" for coding in list_codings(identifier.get("type")))


def _is_current(identifier: Resource) -> bool:
    return any(
        isinstance(coding := extension.get("valueCoding"), dict)
        and coding.get("code") == "current"
        and CURRENCY_SYSTEM in (coding.get("system"), extension.get("url"))
        for extension in list_objects(identifier, "extension")
    )


def _has_ended(identifier: Resource) -> bool:
    period = identifier.get("period")
    return isinstance(period, dict) and bool(period.get("end"))


def _find_text(value: object) -> str | None:
    return find_name(value) if isinstance(value, str) else None
