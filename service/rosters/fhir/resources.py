"""What FHIR resources say about people: MBI, NPI, name, birth date, and what references lead to (feeds 4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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
_HISTORY = re.compile(r"/_history/[^/]*$")
_TYPE_AND_ID = re.compile(r"(?:(.*)/)?([A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})")


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name as DPC wants it: one given name and the family name."""

    given: str | None
    family: str | None


def read_patient_mbi(patient: Resource, environment: Environment) -> Reading:
    """Answers the one current MBI of a Patient; other Medicare-like numbers never count."""
    identifiers = list_objects(patient, "identifier")
    found = [one for one in identifiers if _is_of(one, MBI_SYSTEMS)]
    if not found:
        found = [one for one in identifiers if _is_medicare_typed(one) and _read_value(one, environment).value]
    found = [one for one in found if _is_current(one)] or [one for one in found if not _has_ended(one)] or found
    readings = [_read_value(one, environment) for one in found]
    values = {reading.value for reading in readings if reading.value}
    if len(values) > 1:
        return Reading(None, "multiple_mbi")
    good = [reading for reading in readings if reading.value]
    return (good or readings or [Reading(None, "mbi_missing")])[0]


def read_practitioner_npi(practitioner: Resource, environment: Environment) -> Reading:
    """Answers the one NPI of a Practitioner or of a logical reference; several different ones are an error."""
    values = [one.get("value") for one in list_objects(practitioner, "identifier") if _is_of(one, NPI_SYSTEMS)]
    readings = [read_npi(value, environment) for value in values if isinstance(value, str)]
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
        return (date.fromisoformat(text), None) if len(text) == 10 else (None, "dob_unparseable")
    except ValueError:
        return None, "dob_unparseable"


def find_gender(person: Resource) -> str | None:
    """Answers the gender if it is a code of FHIR."""
    gender = person.get("gender")
    return gender if isinstance(gender, str) and gender in GENDERS else None


def is_deceased(patient: Resource) -> bool:
    """Answers whether the Patient is said to have died."""
    return patient.get("deceasedBoolean") is True or bool(patient.get("deceasedDateTime"))


def list_objects(resource: Resource, key: str) -> list[Resource]:
    """Answers the objects in a repeating element; a lone object counts as one, anything else as none."""
    value = resource.get(key)
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, dict)]


class References:
    """Resources of one input by the ways they may be referred to; nothing is fetched."""

    def __init__(self, entries: Iterable[tuple[str | None, Resource]]) -> None:
        self._by_url: dict[str, Resource] = {}
        self._by_id: dict[str, Resource] = {}
        self._bases: set[str] = set()
        for url, resource in entries:
            if url:
                self._by_url.setdefault(url, resource)
                found = _TYPE_AND_ID.fullmatch(url)
                if found and found.group(1):
                    self._bases.add(found.group(1))
            self._by_id.setdefault(f"{resource.get('resourceType')}/{resource.get('id')}", resource)

    def find(self, reference: str, holder: Resource) -> Resource | None:
        """Answers what a reference means: full URL, contained, then type and id on a known server (feeds 4.2)."""
        text = _HISTORY.sub("", reference)
        if text in self._by_url:
            return self._by_url[text]
        if text.startswith("#"):
            return next((one for one in list_objects(holder, "contained") if one.get("id") == text[1:]), None)
        found = _TYPE_AND_ID.fullmatch(text)
        if not found or (found.group(1) and self._bases and found.group(1) not in self._bases):
            return None
        return self._by_id.get(found.group(2))


def read_reference_npi(
    reference: Resource, holder: Resource, references: References, environment: Environment
) -> Reading:
    """Answers the NPI a reference leads to, through a PractitionerRole if need be; an organization is refused."""
    text = reference.get("reference")
    target = references.find(text, holder) if isinstance(text, str) else None
    if target is not None and target.get("resourceType") == "PractitionerRole":
        inner = target.get("practitioner")
        text = inner.get("reference") if isinstance(inner, dict) else None
        target = references.find(text, target) if isinstance(text, str) else None
    if target is None:
        return _read_logical(reference, environment)
    kind = target.get("resourceType")
    if kind == "Organization":
        return Reading(None, "provider_is_org")
    return read_practitioner_npi(target, environment) if kind == "Practitioner" else Reading(None, "npi_missing")


def _read_logical(reference: Resource, environment: Environment) -> Reading:
    text = reference.get("reference")
    found = _TYPE_AND_ID.fullmatch(_HISTORY.sub("", text)) if isinstance(text, str) else None
    if found and found.group(2).startswith("Organization/"):
        return Reading(None, "provider_is_org")
    if isinstance(reference.get("identifier"), dict) and not reference.get("reference"):
        if reference.get("type") == "Organization":
            return Reading(None, "provider_is_org")
        return read_practitioner_npi(reference, environment)
    return Reading(None, "unresolved_reference")


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
