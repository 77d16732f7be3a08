"""What FHIR resources say about people: MBI, NPI, name, birth date, and what references lead to (feeds 4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from sys import intern
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
_HISTORY = re.compile(r"/_history/[^/]*$")
_TYPE_AND_ID = re.compile(r"(?:(.*)/)?([A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})")
_NO_NPI = Reading(None, "npi_missing")


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
        return (date.fromisoformat(text), None) if _DAY.fullmatch(text) else (None, "dob_unparseable")
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


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference leads to; `holder` is the resource that the references in it are read from."""

    resource: Resource
    holder: Resource


class References:
    """Resources of one input by the ways they may be referred to; nothing is fetched."""

    def __init__(self, entries: Iterable[tuple[str | None, Resource]]) -> None:
        self._by_url: dict[str, Resource] = {}
        self._by_id: dict[str, Resource] = {}
        self._namesakes: dict[str, dict[str | None, Resource]] = {}
        self._base_of: dict[int, str] = {}
        for url, resource in entries:
            if url:
                self._by_url.setdefault(url, resource)
                found = _TYPE_AND_ID.fullmatch(url)
                if found and found.group(1):
                    self._base_of[id(resource)] = intern(found.group(1))
            self._add_by_id(resource)
        self._bases = frozenset(self._base_of.values())

    def _add_by_id(self, resource: Resource) -> None:
        """Adds a resource by its type and id; those of one name are told apart by their servers."""
        if not isinstance(resource.get("id"), str):
            return
        name = f"{resource.get('resourceType')}/{resource['id']}"
        first = self._by_id.setdefault(name, resource)
        if first is not resource:
            namesakes = self._namesakes.setdefault(name, {self._base_of.get(id(first)): first})
            namesakes.setdefault(self._base_of.get(id(resource)), resource)

    def find(self, reference: object, holder: Resource) -> Target | None:
        """Answers what a reference means: full URL, contained, then type and id on the same server (feeds 4.2)."""
        if not isinstance(reference, str):
            return None
        text = _HISTORY.sub("", reference)
        if text in self._by_url:
            return Target(self._by_url[text], self._by_url[text])
        if text.startswith("#"):
            inside = (one for one in list_objects(holder, "contained") if one.get("id") == text[1:])
            return next((Target(one, holder) for one in inside), None)
        found = _TYPE_AND_ID.fullmatch(text)
        resource = self._find_by_id(found.group(2), found.group(1), holder) if found else None
        return Target(resource, resource) if resource is not None else None

    def _find_by_id(self, name: str, base: str | None, holder: Resource) -> Resource | None:
        """Answers the resource of that type and id, never one of another server than is meant."""
        if base and self._bases and base not in self._bases:
            return None
        first = self._by_id.get(name)
        if first is None:
            return None
        known = self._namesakes.get(name) or {self._base_of.get(id(first)): first}
        base = base or self._base_of.get(id(holder))
        if base is None and len(known) == 1:
            return first
        return known.get(base) or known.get(None)


def read_reference_npi(
    reference: Resource, holder: Resource, references: References, environment: Environment
) -> Reading:
    """Answers the NPI a reference leads to, through a PractitionerRole if need be; an organization is refused."""
    target = references.find(reference.get("reference"), holder)
    if target is not None and target.resource.get("resourceType") == "PractitionerRole":
        inner = target.resource.get("practitioner")
        if not isinstance(inner, dict):
            return Reading(None, "npi_missing")
        reference, target = inner, references.find(inner.get("reference"), target.holder)
    if target is None:
        return _read_logical(reference, environment)
    kind = target.resource.get("resourceType")
    if kind == "Organization":
        return Reading(None, "provider_is_org")
    return read_practitioner_npi(target.resource, environment) if kind == "Practitioner" else _NO_NPI


def _read_logical(reference: Resource, environment: Environment) -> Reading:
    """Answers the NPI that stands in the reference itself; where it leads to cannot be looked up."""
    text = reference.get("reference")
    found = _TYPE_AND_ID.fullmatch(_HISTORY.sub("", text)) if isinstance(text, str) else None
    if reference.get("type") == "Organization" or (found and found.group(2).startswith("Organization/")):
        return Reading(None, "provider_is_org")
    npi = read_practitioner_npi(reference, environment)
    return Reading(None, "unresolved_reference") if npi.code == "npi_missing" and text is not None else npi


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
