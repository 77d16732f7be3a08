"""The six dpc-profile-* resources: differentials of our own writing with the contract's rules (contract-v1 6 to 11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.emulator.v1.fhir.profiles import ACT_REASON, PROFILES, ROLE_CLASS
from service.emulator.v1.fhir.validation import MBI_SYSTEM, NPI_SYSTEM

VERSION = "0.0.1"
_BASE = "http://hl7.org/fhir/StructureDefinition/"

Element = dict[str, Any]


def _build(name: str, kind: str, elements: Sequence[Element]) -> dict[str, Any]:
    profile_id = f"dpc-profile-{name}"
    return {
        "resourceType": "StructureDefinition",
        "id": profile_id,
        "url": PROFILES + profile_id,
        "version": VERSION,
        "name": f"Emulated {name} profile",
        "status": "draft",
        "fhirVersion": "3.0.2",
        "kind": "complex-type" if kind == "Address" else "resource",
        "abstract": False,
        "type": kind,
        "baseDefinition": _BASE + kind,
        "derivation": "constraint",
        "differential": {"element": [{"id": kind, "path": kind}, *elements]},
    }


def _require(path: str, **rules: Any) -> Element:
    return {"id": path, "path": path, "min": 1, **rules}


def _slice(path: str, name: str, *discriminators: str) -> list[Element]:
    """An open slicing, and its one slice that must occur exactly once."""
    cut = [{"type": "value", "path": one} for one in discriminators]
    return [
        {"id": path, "path": path, "slicing": {"discriminator": cut, "rules": "open"}},
        {"id": f"{path}:{name}", "path": path, "sliceName": name, "min": 1, "max": "1"},
    ]


def _fix(path: str, name: str, element: str, **value: str) -> Element:
    return {"id": f"{path}:{name}.{element}", "path": f"{path}.{element}", "min": 1, **value}


def _identify(kind: str, name: str, system: str) -> list[Element]:
    path = f"{kind}.identifier"
    return [*_slice(path, name, "system"), _fix(path, name, "system", fixedUri=system)]


def _name(kind: str) -> list[Element]:
    return [_require(f"{kind}.name"), _require(f"{kind}.name.family"), _require(f"{kind}.name.given")]


def _point_at(path: str, profile: str) -> Element:
    return _require(path, type=[{"code": "Reference", "targetProfile": f"{PROFILES}dpc-profile-{profile}"}])


def _build_attestation() -> dict[str, Any]:
    role = {"coding": [{"system": ROLE_CLASS, "code": "AGNT"}]}
    reason, agent = "Provenance.reason", "Provenance.agent"
    elements: list[Element] = [
        {"id": "Provenance.target", "path": "Provenance.target", "min": 0},
        *_slice(reason, "treatment", "system", "code"),
        _fix(reason, "treatment", "system", fixedUri=ACT_REASON),
        _fix(reason, "treatment", "code", fixedCode="TREAT"),
        *_slice(agent, "performer", "role"),
        {"id": f"{agent}:performer.role", "path": f"{agent}.role", "min": 1, "patternCodeableConcept": role},
        _point_at(f"{agent}.whoReference", "organization"),
        _point_at(f"{agent}.onBehalfOfReference", "practitioner"),
    ]
    return _build("attestation", "Provenance", elements)


def _build_roster() -> dict[str, Any]:
    """Published, but not applied to the Groups that come in (contract-v1 9.2)."""
    coding = "Group.characteristic.code.coding"
    elements: list[Element] = [
        {"id": "Group.active", "path": "Group.active", "fixedBoolean": True},
        {"id": "Group.type", "path": "Group.type", "fixedCode": "person"},
        {"id": "Group.actual", "path": "Group.actual", "fixedBoolean": True},
        _require("Group.characteristic", max="1"),
        *_slice(coding, "attribution", "code"),
        _fix(coding, "attribution", "code", fixedCode="attributed-to"),
        _require("Group.member"),
    ]
    return _build("attribution-roster", "Group", elements)


def _build_address() -> dict[str, Any]:
    names = ("use", "type", "line", "city", "state", "postalCode", "country")
    elements = [_require(f"Address.{name}") for name in names]
    return _build("address", "Address", [*elements, {"id": "Address.text", "path": "Address.text", "max": "0"}])


def _build_organization() -> dict[str, Any]:
    address = [{"code": "Address", "profile": f"{PROFILES}dpc-profile-address"}]
    elements: list[Element] = [
        *_identify("Organization", "organization-npi", NPI_SYSTEM),
        _require("Organization.address", max="1", type=address),
    ]
    return _build("organization", "Organization", elements)


def _build_patient() -> dict[str, Any]:
    elements = [
        *_identify("Patient", "patient-mbi", MBI_SYSTEM),
        *_name("Patient"),
        _require("Patient.gender"),
        _require("Patient.birthDate"),
        {"id": "Patient.managingOrganization", "path": "Patient.managingOrganization", "min": 0, "max": "1"},
    ]
    return _build("patient", "Patient", elements)


def _build_practitioner() -> dict[str, Any]:
    elements = [*_identify("Practitioner", "practitioner-npi", NPI_SYSTEM), *_name("Practitioner")]
    return _build("practitioner", "Practitioner", elements)


STRUCTURES: dict[str, dict[str, Any]] = {
    built["id"]: built
    for built in (
        _build_address(),
        _build_attestation(),
        _build_roster(),
        _build_organization(),
        _build_patient(),
        _build_practitioner(),
    )
}
