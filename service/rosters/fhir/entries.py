"""The resources of an input with where they stand, and what their envelopes say about completeness (feeds 4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from service.rosters.fhir.resources import Resource, list_objects

WEAKENING = ("delta", "partial", "none", "snapshot")
"""Signals, the one that takes most power away first; of several the first counts (feeds 7.2)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A resource, the JSON pointer to it, and the URL it is known by."""

    pointer: str
    url: str | None
    resource: Resource

    @property
    def kind(self) -> str:
        """The type of the resource."""
        return str(self.resource.get("resourceType"))


def iter_entries(documents: Iterable[tuple[str, Any]]) -> Iterator[Entry]:
    """Yields every resource of (pointer, document): those inside a Bundle or Parameters in place of a Bundle."""
    for pointer, document in documents:
        if not isinstance(document, dict) or "resourceType" not in document:
            continue
        bundles = list(_iter_bundles(pointer, document))
        for inner, bundle in bundles:
            yield from _iter_bundle(inner, bundle)
        if not bundles:
            yield Entry(pointer, None, document)


def find_envelope_signal(documents: Iterable[tuple[str, Any]]) -> str:
    """Answers what Bundles and Parameters say about completeness; it may only take power away (feeds 7.2)."""
    signals = ["none"]
    for pointer, document in documents:
        if not isinstance(document, dict):
            continue
        if document.get("resourceType") == "Parameters":
            signals.append("delta")
        signals.extend(_find_bundle_signal(bundle) for _, bundle in _iter_bundles(pointer, document))
    return find_weakest(signals)


def find_weakest(signals: Iterable[str]) -> str:
    """Answers the signal that takes most power away."""
    return min(signals, key=WEAKENING.index)


def _iter_bundles(pointer: str, document: Resource) -> Iterator[tuple[str, Resource]]:
    if document.get("resourceType") == "Bundle":
        yield pointer, document
    elif document.get("resourceType") == "Parameters":
        for place, parameter in enumerate(list_objects(document, "parameter")):
            inner = parameter.get("resource")
            if isinstance(inner, dict) and inner.get("resourceType") == "Bundle":
                yield f"{pointer}/parameter/{place}/resource", inner


def _iter_bundle(pointer: str, bundle: Resource) -> Iterator[Entry]:
    entries = bundle.get("entry")
    for place, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            url = entry.get("fullUrl")
            yield Entry(f"{pointer}/entry/{place}/resource", url if isinstance(url, str) else None, entry["resource"])


def _find_bundle_signal(bundle: Resource) -> str:
    if bundle.get("type") in ("transaction", "batch"):
        return "delta"
    return "partial" if _is_partial(bundle) else "none"


def _is_partial(bundle: Resource) -> bool:
    if any(link.get("relation") == "next" for link in list_objects(bundle, "link")):
        return True
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) and "resource" in one for one in entries):
        return True  # something was listed that cannot be read
    matches = [entry for entry in entries if _find_search_mode(entry) != "include"]
    total = bundle.get("total")
    return isinstance(total, int) and total > len(matches)


def _find_search_mode(entry: Resource) -> object:
    search = entry.get("search")
    return search.get("mode") if isinstance(search, dict) else None
