"""DPC's profiles: the messages that HAPI would list for a resource (contract-v1 2.2 b, 6, 7, 8 and 9.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from service.emulator.answers import Refused, refuse_invalid
from service.emulator.v1.fhir.validation import MBI_SYSTEM, NPI_SYSTEM, as_object, as_objects, as_texts

PROFILES = "https://dpc.cms.gov/api/v1/StructureDefinition/"
ACT_REASON = "http://hl7.org/fhir/v3/ActReason"
ROLE_CLASS = "http://hl7.org/fhir/v3/RoleClass"

_ADDRESS_FIELDS = ("use", "type", "line", "city", "state", "postalCode", "country")


def build_refusal(messages: Sequence[str]) -> Refused:
    """422 with one issue per message, message template and braces included."""
    prefix = "The request body {gov.cms.dpc.fhir.validations.ProfileValidator."
    return refuse_invalid(422, [f"{prefix}{message}}}" for message in messages])


def _source(profile: str) -> str:
    return f"(from {PROFILES}{profile}|0.0.1)"


def _missing(path: str, profile: str) -> str:
    return f"{path}: minimum required = 1, but only found 0 {_source(profile)}"


def _exceeding(path: str, count: int, profile: str) -> str:
    return f"{path}: max allowed = 1, but found {count} {_source(profile)}"


def _no_slice(slice_name: str, profile: str) -> str:
    return (
        f"Slice '{slice_name}': a matching slice is required, but not found {_source(profile)}. "
        "Note that other slices are allowed in addition to this required slice"
    )


def _check_slice(path: str, slice_name: str, count: int, profile: str) -> list[str]:
    if count == 0:
        return [_no_slice(f"{path}:{slice_name}", profile)]
    return [_exceeding(path, count, profile)] if count > 1 else []


def _check_meta(resource: Mapping[str, Any]) -> list[str]:
    urls = as_texts(as_object(resource.get("meta")).get("profile"))
    return [
        f"Profile reference '{url}' has not been checked because it could not be found"
        for url in urls
        if not url.startswith((PROFILES, "http://hl7.org/fhir/StructureDefinition/"))
    ]


def _check_names(resource: Mapping[str, Any], kind: str, profile: str) -> list[str]:
    names = as_objects(resource.get("name"))
    if not names:
        return [_missing(f"{kind}.name", profile)]
    found = []
    for name in names:
        if not as_texts(name.get("family")):
            found.append(_missing(f"{kind}.name.family", profile))
        if not as_texts(name.get("given")):
            found.append(_missing(f"{kind}.name.given", profile))
    return found


def find_identifiers(resource: Mapping[str, Any], system: str) -> list[Mapping[str, Any]]:
    """The identifiers of one system."""
    return [one for one in as_objects(resource.get("identifier")) if one.get("system") == system]


def check_practitioner(resource: Mapping[str, Any]) -> list[str]:
    """The messages for a Practitioner; empty when it satisfies dpc-profile-practitioner."""
    profile = "dpc-profile-practitioner"
    count = len(find_identifiers(resource, NPI_SYSTEM))
    return [
        *_check_meta(resource),
        *_check_slice("Practitioner.identifier", "practitioner-npi", count, profile),
        *_check_names(resource, "Practitioner", profile),
    ]


def check_patient(resource: Mapping[str, Any]) -> list[str]:
    """The messages for a Patient; empty when it satisfies dpc-profile-patient."""
    profile = "dpc-profile-patient"
    count = len(find_identifiers(resource, MBI_SYSTEM))
    found = [
        *_check_meta(resource),
        *_check_slice("Patient.identifier", "patient-mbi", count, profile),
        *_check_names(resource, "Patient", profile),
    ]
    return found + [_missing(f"Patient.{name}", profile) for name in ("gender", "birthDate") if not resource.get(name)]


def check_organization(resource: Mapping[str, Any]) -> list[str]:
    """The messages for an Organization; empty when it satisfies dpc-profile-organization."""
    profile = "dpc-profile-organization"
    count = len(find_identifiers(resource, NPI_SYSTEM))
    found = _check_slice("Organization.identifier", "organization-npi", count, profile)
    addresses = as_objects(resource.get("address"))
    if len(addresses) != 1:
        path = "Organization.address"
        found.append(_exceeding(path, len(addresses), profile) if addresses else _missing(path, profile))
    for address in addresses:
        found += [
            _missing(f"Organization.address.{name}", profile) for name in _ADDRESS_FIELDS if not address.get(name)
        ]
        if address.get("text"):
            found.append(f"Organization.address.text: max allowed = 0, but found 1 {_source('dpc-profile-address')}")
    return found


def has_coding(concept: object, system: str, code: str) -> bool:
    """Whether a CodeableConcept or Coding holds the coding."""
    return any(
        coding.get("system") == system and coding.get("code") == code
        for coding in (*as_objects(as_object(concept).get("coding")), as_object(concept))
    )


def check_provenance(resource: Mapping[str, Any]) -> list[str]:
    """The messages for a Provenance; empty when it satisfies dpc-profile-attestation (contract-v1 9.1)."""
    profile = "dpc-profile-attestation"
    found = [] if resource.get("recorded") else [_missing("Provenance.recorded", profile)]
    reasons = [one for one in as_objects(resource.get("reason")) if has_coding(one, ACT_REASON, "TREAT")]
    found += _check_slice("Provenance.reason", "treatment", len(reasons), profile)
    agents = [
        agent
        for agent in as_objects(resource.get("agent"))
        if any(has_coding(role, ROLE_CLASS, "AGNT") for role in as_objects(agent.get("role")))
    ]
    found += _check_slice("Provenance.agent", "performer", len(agents), profile)
    for agent in agents:
        found += [
            _missing(f"Provenance.agent.{label}", profile)
            for key, label in (("whoReference", "who[x]"), ("onBehalfOfReference", "onBehalfOf[x]"))
            if not as_object(agent.get(key))
        ]
    return found
