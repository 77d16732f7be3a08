"""What references lead to inside one input, and the NPI that is found there (feeds 4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from sys import intern
from typing import TypeVar

from service.domain.identifiers import Environment, Reading
from service.rosters.fhir.resources import Resource, choose_npi, list_objects, read_practitioner_npi

_Key = TypeVar("_Key")
_HISTORY = re.compile(r"/_history/[^/]*$")
_TYPE_AND_ID = re.compile(r"(?:(.*)/)?([A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})")
_NO_NPI = Reading(None, "npi_missing")
_UNRESOLVED = Reading(None, "unresolved_reference")


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference leads to; `holder` is the resource that the references in it are read from."""

    resource: Resource
    holder: Resource


_SEVERAL: Resource = {}
"""Stands where resources that differ have one name."""
AMBIGUOUS = Target(_SEVERAL, _SEVERAL)
"""What a reference leads to that could mean different resources: nobody can tell which."""


class References:
    """Resources of one input by the ways they may be referred to; nothing is fetched."""

    def __init__(self, entries: Iterable[tuple[str | None, Resource]]) -> None:
        self._by_url: dict[str, Resource] = {}
        self._by_id: dict[str, Resource] = {}
        self._namesakes: dict[str, dict[str | None, Resource]] = {}
        self._base_of: dict[int, str] = {}
        self._inside: dict[int, tuple[Resource, dict[str, Resource]]] = {}
        for url, resource in entries:
            if url:
                _add(self._by_url, url, resource)
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
            _add(namesakes, self._base_of.get(id(resource)), resource)

    def find(self, reference: object, holder: Resource) -> Target | None:
        """Answers what a reference means: full URL, contained, then type and id on the same server (feeds 4.2).

        A name that resources share which differ is AMBIGUOUS.
        """
        if not isinstance(reference, str):
            return None
        text = strip_version(reference)
        if text in self._by_url:
            return _aim(self._by_url[text])
        if text.startswith("#"):
            inside = self._list_contained(holder).get(text[1:])
            return None if inside is None else _aim(inside, holder)
        found = _TYPE_AND_ID.fullmatch(text)
        resource = self._find_by_id(found.group(2), found.group(1), holder) if found else None
        return None if resource is None else _aim(resource)

    def _list_contained(self, holder: Resource) -> dict[str, Resource]:
        """Answers what a resource contains by id; kept, as each member of a list may ask the list for it."""
        known = self._inside.get(id(holder))
        if known is None:
            inside: dict[str, Resource] = {}
            for one in list_objects(holder, "contained"):
                if isinstance(one.get("id"), str):
                    _add(inside, one["id"], one)
            known = self._inside[id(holder)] = (holder, inside)
        return known[1]

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
            return next(iter(known.values()))
        return known.get(base, known.get(None))


def _add(known: dict[_Key, Resource], key: _Key, resource: Resource) -> None:
    """Adds a resource under a name; where another one has it the name leads nowhere, unless the two are equal."""
    first = known.setdefault(key, resource)
    if first is not resource and first is not _SEVERAL and first != resource:
        known[key] = _SEVERAL


def _aim(resource: Resource, holder: Resource | None = None) -> Target:
    return AMBIGUOUS if resource is _SEVERAL else Target(resource, resource if holder is None else holder)


def strip_version(reference: str) -> str:
    """Answers a reference without the version it names."""
    return _HISTORY.sub("", reference)


def read_reference_npi(
    reference: Resource, holder: Resource, references: References, environment: Environment
) -> Reading:
    """Answers the NPI a reference leads to, through a PractitionerRole if need be; an organization is refused.

    A Practitioner without NPI has that of the reference's own identifier; two that differ are an error.
    """
    target = references.find(reference.get("reference"), holder)
    if target is not None and target.resource.get("resourceType") == "PractitionerRole":
        inner = target.resource.get("practitioner")
        if not isinstance(inner, dict):
            return _NO_NPI
        reference, target = inner, references.find(inner.get("reference"), target.holder)
    if target is None:
        return _read_logical(reference, environment)
    if target is AMBIGUOUS:
        return _UNRESOLVED
    kind = target.resource.get("resourceType")
    if kind == "Organization":
        return Reading(None, "provider_is_org")
    if kind != "Practitioner":
        return _NO_NPI
    npi, own = read_practitioner_npi(target.resource, environment), read_practitioner_npi(reference, environment)
    if npi.code == "npi_missing":
        return own
    return choose_npi([npi, own]) if npi.value and own.value else npi


def _read_logical(reference: Resource, environment: Environment) -> Reading:
    """Answers the NPI that stands in the reference itself; where it leads to cannot be looked up."""
    text = reference.get("reference")
    found = _TYPE_AND_ID.fullmatch(strip_version(text)) if isinstance(text, str) else None
    if reference.get("type") == "Organization" or (found and found.group(2).startswith("Organization/")):
        return Reading(None, "provider_is_org")
    npi = read_practitioner_npi(reference, environment)
    return _UNRESOLVED if npi.code == "npi_missing" and text is not None else npi
