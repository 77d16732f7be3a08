"""Builds the FHIR documents that tests read: people, Groups, Bundles, and what a check of them answers."""

from __future__ import annotations

from typing import Any

from readings import build_result

Json = dict[str, Any]

A, B, C = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02"
N, M, P = "3905293015", "2323232225", "1232125215"
US_MBI, US_NPI = "http://hl7.org/fhir/sid/us-mbi", "http://hl7.org/fhir/sid/us-npi"
OID_MBI, OID_NPI = "urn:oid:2.16.840.1.113883.4.927", "urn:oid:2.16.840.1.113883.4.6"
NAMING_SYSTEM = "http://terminology.hl7.org/NamingSystem/cmsMBI"
HICN = "http://hl7.org/fhir/sid/us-medicare"
BENE_ID = "https://bluebutton.cms.gov/resources/variables/bene_id"
CURRENCY = "https://bluebutton.cms.gov/resources/codesystem/identifier-currency"
ATR = "http://hl7.org/fhir/us/davinci-atr/StructureDefinition/"
BASE = "https://ehr.example.org/fhir/"


def expect(signal: str = "none", **parts: Any) -> Json:
    return build_result(format="fhir", mode_signal=signal, **parts)


def mbi(value: str, system: str | None = US_MBI, kind: str | None = None, **more: Any) -> Json:
    found: Json = {"value": value, **more}
    if system:
        found["system"] = system
    if kind:
        found["type"] = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": kind}]}
    return found


def tell_currency(code: str) -> list[Json]:
    return [{"url": CURRENCY, "valueCoding": {"system": CURRENCY, "code": code}}]


def npi(value: str) -> Json:
    return {"system": US_NPI, "value": value}


def patient(*identifiers: Json | str, id: str = "p1", **more: Any) -> Json:
    """A Patient with the identifiers given; bare numbers are MBIs."""
    found = [mbi(one) if isinstance(one, str) else one for one in identifiers]
    return {"resourceType": "Patient", "id": id, "identifier": found, **more}


def practitioner(*npis: str, id: str = "d1", **more: Any) -> Json:
    return {"resourceType": "Practitioner", "id": id, "identifier": [npi(one) for one in npis], **more}


def refer(text: str, **more: Any) -> Json:
    return {"reference": text, **more}


def member(entity: Json | str = A, *providers: Json | str, change: str | None = None, **more: Any) -> Json:
    """A member with logical references for bare numbers."""
    extension = [
        {"url": ATR + "ext-attributedProvider",
         "valueReference": {"type": "Practitioner", "identifier": npi(one)} if isinstance(one, str) else one}
        for one in providers
    ]  # fmt: skip
    if change:
        extension.append({"url": ATR + "ext-changeType", "valueCode": change})
    entity = {"type": "Patient", "identifier": mbi(entity)} if isinstance(entity, str) else entity
    return {"extension": extension, "entity": entity, **more}


def group(*members: Json, status: str | None = None, **more: Any) -> Json:
    extension = [{"url": ATR + "ext-attributionListStatus", "valueCode": status}] if status else []
    found = {"resourceType": "Group", "type": "person", "actual": True, "extension": extension}
    return {**found, "member": list(members), **more}


def attribute(*codes: str, key: str = "code", **more: Any) -> Json:
    coding = [{"system": US_NPI, key: code} for code in codes]
    return {
        "code": {"coding": [{"code": "attributed-to"}]}, "valueCodeableConcept": {"coding": coding},
        "exclude": False, **more,
    }  # fmt: skip


def bundle(*resources: Json, base: str = BASE, **more: Any) -> Json:
    """A Bundle whose entries have full URLs, unless the resource came as an entry."""
    entries = [
        one if "resource" in one else {"fullUrl": f"{base}{one['resourceType']}/{one.get('id', 'x')}", "resource": one}
        for one in resources
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries, **more}


def enter(resource: Json, url: str | None = None, mode: str | None = None) -> Json:
    """An entry."""
    found: Json = {"resource": resource}
    return {**found, **({"fullUrl": url} if url else {}), **({"search": {"mode": mode}} if mode else {})}
