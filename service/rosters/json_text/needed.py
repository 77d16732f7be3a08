"""What rosters need of the resources that come by the hundred thousand; the rest is let go while they stream in.

Nothing is judged here: whatever might matter to the readers of FHIR stays as it was sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from operator import attrgetter
from typing import Any

from service.rosters.fhir.members import Member, shrink_member
from service.rosters.fhir.resources import GENDERS, MBI_SYSTEMS, NPI_SYSTEMS, list_codings, list_objects

Kept = tuple[Any, int]
"""A value as it is kept, and as how many values it counts."""

_READ_WHOLE = frozenset({"Bundle", "Group", "OperationOutcome", "Organization", "Parameters"})
_UNREAD = {
    "Patient": frozenset({"extension", "link"}),
    "Practitioner": frozenset({"extension", "code"}),
    "PractitionerRole": frozenset({"extension", "code", "identifier"}),
}
"""Elements that are named like ones of other resources, and say nothing here."""
_NUMBERS = {"Patient": (MBI_SYSTEMS, "MC"), "Practitioner": (NPI_SYSTEMS, "NPI")}
"""The systems of the number that is read, and its type code."""
_NAMED = ("use", "family", "given")
_SHARED = {text: text for text in (*GENDERS, *MBI_SYSTEMS, *NPI_SYSTEMS, *_READ_WHOLE, *_UNREAD)}
_LONGEST_SHARED = 500
_list_parts = attrgetter(*Member.__slots__)


def keep_member(item: Any) -> Kept:
    """Answers what pairs need of a member of a Group."""
    member = shrink_member(item)
    return member, 1 + sum(count_values(part) for part in _list_parts(member) if part)


def keep_resource(resource: dict[str, Any]) -> Kept | None:
    """Answers what rosters need of a resource, None where that is all of it.

    Of a kind that says nothing about a roster (Coverage, Encounter) only what references to it need.
    """
    kind = resource["resourceType"]
    if not isinstance(kind, str) or kind in _READ_WHOLE:
        return None
    if kind in _UNREAD:
        found = {key: _keep_element(kind, key, value) for key, value in resource.items() if key not in _UNREAD[kind]}
    else:
        found = {key: resource[key] for key in ("resourceType", "id") if key in resource}
    return found, count_values(found)


def count_values(value: Any) -> int:
    """Answers how many values a tree consists of; its depth is that of the JSON it was read from."""
    if isinstance(value, dict):
        return 1 + sum(map(count_values, value.values()))
    return 1 + sum(map(count_values, value)) if isinstance(value, list | tuple) else 1


def _keep_element(kind: str, key: str, value: Any) -> Any:
    if isinstance(value, str):
        return _SHARED.get(value, value)
    if key == "identifier" and kind in _NUMBERS:
        return _keep_numbers(value, *_NUMBERS[kind])
    if key == "name":
        return _let_out(_keep_name(one) for one in list_objects({key: value}, key))
    if key == "generalPractitioner":
        return _let_out(map(_share_reference, list_objects({key: value}, key)))
    return value


def _let_out(found: Iterable[Any]) -> Any:
    """Answers several objects as a list, and one as itself: a lone object counts as one."""
    objects = list(found)
    return objects[0] if len(objects) == 1 else objects


def _keep_numbers(value: Any, systems: frozenset[str], code: str) -> Any:
    """Answers the identifiers that could hold the number, those of its system without what else marks it."""
    found: list[Any] = []
    for one in list_objects({"identifier": value}, "identifier"):
        system = one.get("system")
        if isinstance(system, str) and system in systems:
            found.append({key: _SHARED[system] if key == "system" else part for key, part in one.items()
                          if key not in ("type", "use")})  # fmt: skip
        elif not isinstance(system, str) or _may_mean(system, systems) or _is_typed(one, code):
            found.append(one)
    return _let_out(found)


def _may_mean(system: str, systems: frozenset[str]) -> bool:
    """Answers whether a system is one of the known ones but for how it is written."""
    return system.strip().rstrip("/").lower() in {known.lower() for known in systems}


def _is_typed(identifier: Any, code: str) -> bool:
    return any(str(coding.get("code")).strip().upper() == code for coding in list_codings(identifier.get("type")))


def _keep_name(name: Any) -> dict[str, Any]:
    """Answers a name without the given names behind the first."""
    kept = {key: name[key] for key in _NAMED if key in name}
    given = kept.get("given")
    if isinstance(given, list) and given and isinstance(given[0], str):
        kept["given"] = given[0]
    return kept


def _share_reference(reference: Any) -> Any:
    """Answers a reference; all Patients with the same practitioner share an object."""
    text = reference.get("reference")
    is_plain = reference.keys() == {"reference"} and isinstance(text, str) and len(text) <= _LONGEST_SHARED
    return _build_reference(text) if is_plain else reference


@lru_cache(maxsize=4_096)
def _build_reference(text: str) -> dict[str, str]:
    return {"reference": text}
