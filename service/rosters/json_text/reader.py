"""Reads a JSON file: pairs, FHIR resources, or resources one a line (feeds 4 and 5.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from service.rosters.encoding import Source, Undecodable, open_source
from service.rosters.fhir.reader import FHIR_KEYS, build_fhir_reading
from service.rosters.json_text.documents import NotJson, Plan, TreeReader
from service.rosters.json_text.needed import keep_member, keep_resource
from service.rosters.json_text.pairs import ENVELOPE_KEYS, PairRows, build_pair_reading
from service.rosters.limits import MAX_ROWS, TooLarge
from service.rosters.reading import RosterOptions, RosterReading

KEYS = {name: name for name in (*FHIR_KEYS, *ENVELOPE_KEYS)}


def build_plan(take_row: Callable[[Any], None]) -> Plan:
    """Answers what is kept of FHIR resources and of the envelope of pairs."""
    return Plan(KEYS, take_row, {"member": keep_member}, keep_resource)


def read_json(path: Path, options: RosterOptions) -> RosterReading:
    """Answers what a JSON file says; every fault of the whole file is its `file_error`."""
    blank = RosterReading("json")
    rows = PairRows(options)
    documents: list[Any] = []
    named = replace(options, filename=options.filename or path.name)
    try:
        source = open_source(path)
        if source.text is not None:  # JSON is UTF-8 (RFC 8259, 8.1)
            raise Undecodable
        with source.open() as stream:
            collect_documents(stream, build_plan(rows.take), documents)
        return _build_reading(documents, rows, source, named)
    except Undecodable:
        error = "encoding_undecodable"
    except TooLarge:
        error = "too_large"
    except NotJson as fault:
        error = "truncated" if fault.is_cut else "unsupported_format_json"
    name = _find_format(documents) if documents else "json"
    return replace(blank, format=name, file_error=error)


def collect_documents(stream: BinaryIO, plan: Plan, documents: list[Any]) -> None:
    """Adds the top-level values of a stream to `documents`, the beginning of the one that is at fault included.

    Raises NotJson, TooLarge and Undecodable.
    """
    reader = TreeReader(plan)
    try:
        for document in reader.iter_documents(stream):
            documents.append(document)
            if len(documents) > MAX_ROWS:
                raise TooLarge
    except (NotJson, TooLarge, Undecodable):
        if reader.unfinished is not None:
            documents.append(reader.unfinished)
        raise


def number_documents(stream: BinaryIO, documents: Sequence[Any], first: int = 1) -> list[tuple[str, Any]]:
    """Answers each value with the physical line it is on, or with its place where they are not one a line.

    `first` is the number of the stream's first line.
    """
    lines = [number for number, line in enumerate(stream, first) if line.strip()]
    if len(lines) != len(documents):
        lines = list(range(1, len(documents) + 1))
    return [(f"{line}#", document) for line, document in zip(lines, documents, strict=True)]


def _build_reading(documents: list[Any], rows: PairRows, source: Source, options: RosterOptions) -> RosterReading:
    """Answers the values by what they are; raises TooLarge."""
    name = _find_format(documents)
    blank = RosterReading(name, encoding=source.encoding)
    if name == "ndjson":
        if not all(isinstance(one, dict) and "resourceType" in one for one in documents):
            return replace(blank, file_error="unsupported_format_ndjson")
        with source.open() as stream:
            reading = build_fhir_reading(number_documents(stream, documents), blank, options)
        # whether a set is whole only its manifest knows (feeds 4.1)
        return replace(reading, mode_signal="none") if reading.mode_signal == "snapshot" else reading
    if name == "fhir":
        return build_fhir_reading([("", documents[0])], blank, options)
    if isinstance(documents[0], list) or (isinstance(documents[0], dict) and "pairs" in documents[0]):
        return replace(build_pair_reading(documents[0], rows, options), encoding=source.encoding)
    return replace(blank, file_error="unsupported_format_json")


def _find_format(documents: list[Any]) -> str:
    if len(documents) > 1:
        return "ndjson"
    return "fhir" if isinstance(documents[0], dict) and "resourceType" in documents[0] else "json"
