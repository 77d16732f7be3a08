"""Reads a bulk export: NDJSON files with the manifest that lists them, in a folder or as one body (feeds 4.1, 4.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from service.rosters.encoding import Undecodable, open_source
from service.rosters.fhir.entries import add_counts, find_weakest
from service.rosters.fhir.reader import Documents, build_fhir_reading
from service.rosters.json_text.documents import NotJson
from service.rosters.json_text.joined_set import MANIFEST, JoinedSet, WrongSize, find_joined_set
from service.rosters.json_text.manifests import Manifest, Output, build_manifest, load_manifest
from service.rosters.json_text.parts import PACKED, Part, find_file, find_part
from service.rosters.json_text.reader import build_plan, collect_documents, number_documents
from service.rosters.limits import MAX_EXPANDED_BYTES, TooLarge
from service.rosters.positions import choose_file_name
from service.rosters.reading import RosterOptions, RosterReading
from service.rosters.unpacking import BrokenGzip

_FILES = "*.ndjson"
_BLANK = RosterReading("ndjson", encoding="utf-8")


def read_export_set(path: Path, options: RosterOptions) -> RosterReading:
    """Answers a folder, or the body that holds the same, as one input.

    Every fault of the whole set is its `file_error`.
    """
    try:
        if path.is_dir():
            return _read_folder(path, options)
        joined = find_joined_set(path)
        if joined is None:
            raise NotJson
        if joined.is_cut:
            return _read_parts(joined.manifest, joined.cut_parts(), options)
        return _read_lines(joined, options)
    except Undecodable:
        error = "encoding_undecodable"
    except TooLarge:
        error = "too_large"
    except WrongSize:
        error = "count_mismatch"
    except NotJson as fault:
        error = "truncated" if fault.is_cut else "unsupported_format_ndjson"
    except BrokenGzip as fault:
        error = "truncated" if fault.is_cut else "unsupported_format_gzip"
    return replace(_BLANK, file_error=error)


def _read_folder(folder: Path, options: RosterOptions) -> RosterReading:
    """Answers the files that the manifest lists, or all NDJSON files where there is none."""
    path = find_file(folder, MANIFEST)
    if path is None:
        names = sorted(
            {file.name.removesuffix(PACKED) for ending in ("", PACKED) for file in folder.glob(_FILES + ending)}
        )
        manifest = Manifest(tuple(map(Output, names)), None)
    else:
        with open_source(path).open() as stream:
            manifest = build_manifest(load_manifest(stream))
    return _read_parts(manifest, [part for name in manifest.counts if (part := find_part(folder, name))], options)


def _read_parts(manifest: Manifest, parts: Sequence[Part], options: RosterOptions) -> RosterReading:
    """Answers a set whose files are told apart."""
    if not parts:
        raise NotJson
    left = MAX_EXPANDED_BYTES
    counts: Counter[str] = Counter()
    documents: list[tuple[str, Any]] = []
    for n, packed in enumerate(parts, 1):
        with packed.unpack() as part:
            left -= part.size
            if left < 0:
                raise TooLarge
            found = _read_part(part)
            counts[part.name] += len(found)
            shown = choose_file_name(part.name, f"file-{n}")
            documents.extend((f"{shown}:{pointer}", document) for pointer, document in _number(part, found))
    return _build_reading(manifest, documents, options, is_complete=_is_complete(manifest, counts))


def _read_lines(joined: JoinedSet, options: RosterOptions) -> RosterReading:
    """Answers a set whose lines stand behind its manifest one after the other.

    It is whole only where there are as many resources of each type as the manifest says of its files.
    """
    rest = joined.find_rest()
    if not any(piece.strip() for piece in rest.iter_bytes()):
        raise NotJson
    found = _read_part(rest)
    files = _list_files(joined.manifest, found)
    documents = _number(rest, found, 0 if files else joined.head.count(b"\n") + 1)
    if files:
        documents = list(_iter_named(documents, files))
    return _build_reading(joined.manifest, documents, options, is_complete=_has_all_lines(joined.manifest, found))


def _build_reading(
    manifest: Manifest, documents: Documents, options: RosterOptions, *, is_complete: bool
) -> RosterReading:
    reading = build_fhir_reading(documents, _BLANK, options)
    declared = add_counts(manifest.counts.values())
    said = "none" if manifest.signal is None else manifest.signal
    return replace(
        reading,
        mode_signal=find_weakest([reading.mode_signal, said, "snapshot" if is_complete else "partial"]),
        declared_count=reading.declared_count if declared is None else declared,
        as_of_at=manifest.as_of_at,
    )


def _is_complete(manifest: Manifest, counts: Mapping[str, int]) -> bool:
    """Answers whether every file is there, with as many lines as are said of it."""
    if manifest.signal is None:
        return True
    stated = {name: count for name, count in manifest.counts.items() if count is not None}
    return counts.keys() == manifest.counts.keys() and all(counts[name] == n for name, n in stated.items())


def _has_all_lines(manifest: Manifest, found: Sequence[Any]) -> bool:
    """Answers whether there are as many resources of each type as the manifest says, in whatever order."""
    lengths = manifest.list_lengths()
    if lengths is None:
        return False
    kinds = [output.kind for output in manifest.outputs]
    is_typed = None not in kinds
    stated: Counter[object] = Counter()
    for kind, length in zip(kinds, lengths, strict=True):
        stated[kind if is_typed else None] += length
    return +stated == Counter(_find_kind(one) if is_typed else None for one in found)


def _list_files(manifest: Manifest, found: Sequence[Any]) -> list[Output]:
    """Answers the file of each line, nothing where the lines do not follow the manifest."""
    lengths = manifest.list_lengths()
    if lengths is None or sum(lengths) != len(found):
        return []
    files = [output for output, length in zip(manifest.outputs, lengths, strict=True) for _ in range(length)]
    kinds = zip(files, map(_find_kind, found), strict=True)
    return files if all(output.kind in (None, kind) for output, kind in kinds) else []


def _iter_named(numbered: Documents, files: Sequence[Output]) -> Iterator[tuple[str, Any]]:
    """Yields each resource with the name of its file and the line in it."""
    before, last, n, current = 0, 0, 0, None
    for (pointer, document), output in zip(numbered, files, strict=True):
        if output is not current:
            before, n, current = last, n + 1, output
        last = int(pointer.removesuffix("#"))
        yield f"{choose_file_name(output.name, f'file-{n}')}:{max(last - before, 1)}#", document


def _find_kind(document: Any) -> object:
    kind = document["resourceType"]
    return kind if isinstance(kind, str) else None


def _read_part(part: Part) -> list[Any]:
    """Answers the resources of a file."""
    documents: list[Any] = []
    with part.open() as stream:
        if part.size:
            collect_documents(stream, build_plan(_refuse_row), documents)
    if not all(isinstance(one, dict) and "resourceType" in one for one in documents):
        raise NotJson
    return documents


def _number(part: Part, documents: Sequence[Any], first: int = 1) -> list[tuple[str, Any]]:
    with part.open() as stream:
        return number_documents(stream, documents, first)


def _refuse_row(_: object) -> None:
    raise NotJson
