"""Reads a bulk export: a folder of NDJSON files with the manifest that lists them (feeds 4.1 and 4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from service.rosters.encoding import Undecodable, open_source
from service.rosters.fhir.entries import add_counts, find_weakest
from service.rosters.fhir.reader import build_fhir_reading
from service.rosters.fhir.resources import list_objects
from service.rosters.json_text.documents import NotJson, Plan, TreeReader
from service.rosters.json_text.reader import KEYS, SHRINK, collect_documents, number_documents
from service.rosters.json_text.times import find_time
from service.rosters.limits import MAX_EXPANDED_BYTES, TooLarge
from service.rosters.positions import choose_position
from service.rosters.reading import RosterOptions, RosterReading

MANIFEST = "manifest.json"
_LONGEST_NAME = 255
"""Bytes; asking a file system for a longer name is an error, not the answer that there is none."""
_MANIFEST_KEYS = {
    name: name for name in ("output", "url", "type", "count", "error", "deleted", "request", "transactionTime")
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export says it consists of: counts by file name, what it says about completeness, and as of when."""

    counts: dict[str, object]
    signal: str | None
    as_of_at: datetime | None = None


def read_export_set(folder: Path, options: RosterOptions) -> RosterReading:
    """Answers the folder as one input; every fault of the whole set is its `file_error`."""
    blank = RosterReading("ndjson", encoding="utf-8")
    try:
        manifest = _load_manifest(folder)
        files = [file for name in manifest.counts if (file := _find_file(folder, name))]
        if not files:
            return replace(blank, file_error="unsupported_format_ndjson")
        if sum(file.stat().st_size for file in files) > MAX_EXPANDED_BYTES:
            raise TooLarge
        documents = {file.name: _read_file(file, f"file-{n}") for n, file in enumerate(files, 1)}
        reading = build_fhir_reading([one for found in documents.values() for one in found], blank, options)
        counts = {name: len(found) for name, found in documents.items()}
        declared = add_counts(manifest.counts.values())
        return replace(
            reading,
            mode_signal=_find_signal(manifest, counts, reading.mode_signal),
            declared_count=reading.declared_count if declared is None else declared,
            as_of_at=manifest.as_of_at,
        )
    except Undecodable:
        error = "encoding_undecodable"
    except TooLarge:
        error = "too_large"
    except NotJson as fault:
        error = "truncated" if fault.is_cut else "unsupported_format_ndjson"
    return replace(blank, file_error=error)


def _load_manifest(folder: Path) -> Manifest:
    """Answers the manifest, or all NDJSON files where there is none; raises as `read_export_set` catches."""
    path = _find_file(folder, MANIFEST)
    if path is None:
        return Manifest(dict.fromkeys(sorted(file.name for file in folder.glob("*.ndjson"))), None)
    with open_source(path).open() as stream:
        found = list(TreeReader(Plan(_MANIFEST_KEYS, lambda _: None, {})).iter_documents(stream))
    content = found[0] if len(found) == 1 and isinstance(found[0], dict) else {}
    counts: dict[str, object] = {}
    signals = ["snapshot"]
    for output in list_objects(content, "output"):
        name = _find_name(output.get("url"))
        if name in counts:
            signals.append("partial")  # two files that are one here
        counts[name] = output.get("count")
    signals.extend(_iter_signals(content))
    return Manifest(counts, find_weakest(signals), find_time(content.get("transactionTime")))


def _iter_signals(content: dict[str, Any]) -> Iterator[str]:
    if "_since" in str(content.get("request")) or content.get("deleted"):
        yield "delta"
    if content.get("error"):
        yield "partial"


def _find_signal(manifest: Manifest, counts: dict[str, int], of_resources: str) -> str:
    """Answers what the set says: a whole list only when both the Group and the manifest do (feeds 4.1)."""
    if manifest.signal is None:
        return "none" if of_resources == "snapshot" else of_resources
    stated = {name: count for name, count in manifest.counts.items() if count is not None}
    complete = counts.keys() == manifest.counts.keys() and all(counts[name] == n for name, n in stated.items())
    return find_weakest([of_resources, manifest.signal, "snapshot" if complete else "partial"])


def _find_name(url: object) -> str:
    """Answers the last part of a URL, which is how a downloaded file is called."""
    try:
        return PurePosixPath(urlsplit(url).path).name if isinstance(url, str) else ""
    except ValueError:
        return ""


def _find_file(folder: Path, name: str) -> Path | None:
    """Answers a plain file directly in the folder; nothing outside of it is ever followed."""
    file = folder / name
    may_be = 0 < len(name.encode("utf-8", "replace")) <= _LONGEST_NAME and file.name == name
    return file if may_be and file.is_file() and not file.is_symlink() else None


def _read_file(file: Path, otherwise: str) -> list[tuple[str, Any]]:
    """Answers the lines of a file, each with the name of the file, or with `otherwise` where nobody may see that."""
    documents: list[Any] = []
    source = open_source(file)
    if source.text is not None:
        raise Undecodable
    with source.open() as stream:
        if file.stat().st_size:
            collect_documents(stream, Plan(KEYS, _refuse_row, SHRINK), documents)
    if not all(isinstance(one, dict) and "resourceType" in one for one in documents):
        raise NotJson
    with source.open() as stream:
        numbered = number_documents(stream, documents)
    shown = choose_position(file.name, otherwise)
    return [(f"{shown}:{pointer}", document) for pointer, document in numbered]


def _refuse_row(_: object) -> None:
    raise NotJson
