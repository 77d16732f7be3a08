"""The resources of an input with where they stand, and what their envelopes say about completeness (feeds 4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from service.rosters.fhir.resources import Resource, list_objects
from service.rosters.limits import limit_count

WEAKENING = ("delta", "partial", "none", "snapshot")
"""Signals, the one that takes most power away first; of several the first counts (feeds 7.2)."""

_NO_MATCH = ("include", "outcome")
_NEXT, _PREVIOUS = "next", frozenset({"previous", "prev"})


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
    """Yields every resource of (pointer, document): those inside a Bundle in place of it.

    Parameters that hold a Bundle are yielded where they say more than that.
    """
    for pointer, document in documents:
        if not isinstance(document, dict) or "resourceType" not in document:
            continue
        bundles = list(_iter_bundles(pointer, document))
        for inner, bundle in bundles:
            yield from _iter_bundle(inner, bundle)
        if not bundles or any("resource" not in one for one in list_objects(document, "parameter")):
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


def find_declared_total(documents: Iterable[tuple[str, Any]]) -> int | None:
    """Answers how many matches all Bundles together say they hold, None where none says so."""
    bundles = [
        bundle
        for pointer, document in documents
        if isinstance(document, dict)
        for _, bundle in _iter_bundles(pointer, document)
    ]
    return add_counts(bundle.get("total") for bundle in bundles)


def add_counts(counts: Iterable[object]) -> int | None:
    """Answers the sum of those that are counts, None where none is."""
    stated = [one for one in counts if isinstance(one, int) and not isinstance(one, bool)]
    return limit_count(sum(stated)) if stated else None


def find_weakest(signals: Iterable[str]) -> str:
    """Answers the signal that takes most power away."""
    return min(signals, key=WEAKENING.index)


def _iter_bundles(pointer: str, document: Resource) -> Iterator[tuple[str, Resource]]:
    """Yields every Bundle, those inside Parameters and other Bundles (the answers to a batch) included."""
    if document.get("resourceType") == "Bundle":
        yield pointer, document
        for place, entry in _list_entries(document):
            yield from _iter_bundles(f"{pointer}/entry/{place}/resource", entry["resource"])
    elif document.get("resourceType") == "Parameters":
        for place, parameter in enumerate(list_objects(document, "parameter")):
            inner = parameter.get("resource")
            if isinstance(inner, dict) and inner.get("resourceType") == "Bundle":
                yield from _iter_bundles(f"{pointer}/parameter/{place}/resource", inner)


def _iter_bundle(pointer: str, bundle: Resource) -> Iterator[Entry]:
    for place, entry in _list_entries(bundle):
        url = entry.get("fullUrl")
        if entry["resource"].get("resourceType") != "Bundle":
            yield Entry(f"{pointer}/entry/{place}/resource", url if isinstance(url, str) else None, entry["resource"])


def _list_entries(bundle: Resource) -> list[tuple[int, Resource]]:
    """Answers the entries that hold a resource, with their places."""
    entries = bundle.get("entry")
    numbered = enumerate(entries if isinstance(entries, list) else [])
    return [(place, one) for place, one in numbered if isinstance(one, dict) and isinstance(one.get("resource"), dict)]


def _find_bundle_signal(bundle: Resource) -> str:
    kinds = (entry["resource"].get("resourceType") for _, entry in _list_entries(bundle))
    if bundle.get("type") in ("transaction", "batch") or "Parameters" in kinds:
        return "delta"
    return "partial" if _is_partial(bundle) else "none"


def _is_partial(bundle: Resource) -> bool:
    """Answers whether a Bundle lacks what it speaks of: another page, an entry, or a part of its total (feeds 4.2).

    The last page of several has no next one; it is whole only if its total says so. A history holds what was true.
    """
    relations = {str(link.get("relation")).strip().lower() for link in list_objects(bundle, "link")}
    if _NEXT in relations or bundle.get("type") == "history":
        return True
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or len(_list_entries(bundle)) < len(entries):
        return True  # something was listed that cannot be read
    total = bundle.get("total")
    if total is None:
        return not relations.isdisjoint(_PREVIOUS)
    return type(total) is not int or total != _count_matches(bundle)


def _count_matches(bundle: Resource) -> int:
    """Answers how many entries a total speaks of: those that matched, not those that were merely included.

    Where an entry does not say which it is, only those of the one kind that carries the roster count: the Groups, or
    else the Patients. A total that happens to equal all entries may be that of patients of whom some are missing.
    """
    entries = [entry for _, entry in _list_entries(bundle)]
    kinds = [entry["resource"].get("resourceType") for entry in entries]
    carrier = next((kind for kind in ("Group", "Patient") if kind in kinds), None)
    return sum(
        mode not in _NO_MATCH if mode else carrier in (None, kind)
        for mode, kind in zip(map(_find_search_mode, entries), kinds, strict=True)
    )


def _find_search_mode(entry: Resource) -> object:
    search = entry.get("search")
    mode = search.get("mode") if isinstance(search, dict) else None
    return mode if isinstance(mode, str) else None
