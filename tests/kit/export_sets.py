"""Bulk exports in a folder, and the same as one body."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fhir_documents import BASE, Json, group, member, patient, practitioner, refer

from service.domain.identifiers import Environment
from service.rosters.json_text.joined_set import open_delivery
from service.rosters.read import check_roster, read_roster
from service.rosters.reading import RosterOptions

SANDBOX = RosterOptions(Environment.SANDBOX)
MADE_AT = "2021-08-05T14:31:04.441Z"
Files = Mapping[str, Sequence[Json]]


def build_files(mbis: Sequence[str], npi: str) -> dict[str, list[Json]]:
    """Answers the files of an export: a whole list of these patients under one practitioner."""
    members = [member(refer(f"Patient/p{n}"), refer("Practitioner/d1")) for n in range(len(mbis))]
    return {
        "Patient.ndjson": [patient(mbi, id=f"p{n}") for n, mbi in enumerate(mbis)],
        "Practitioner.ndjson": [practitioner(npi)],
        "Group.ndjson": [group(*members, status="final", id="g1")],
    }


def build_manifest(files: Files, **more: Any) -> Json:
    """Answers the manifest that an EHR would give these files; keywords replace its elements."""
    output = [
        {"type": name.partition(".")[0], "url": f"{BASE}bulk/{name}", "count": len(lines)}
        for name, lines in files.items()
    ]
    request = f"{BASE}Group/g1/$export"
    return {"transactionTime": MADE_AT, "request": request, "output": output, "error": [], "deleted": []} | more


def write_lines(lines: Sequence[Json]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def save_set(folder: Path, files: Mapping[str, bytes], manifest: Json | None) -> Path:
    """Writes an export into a new folder."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    if manifest is not None:
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return folder


def save_export(folder: Path, files: Files, **more: Any) -> Path:
    """Writes an export with the manifest that is due to it."""
    return save_set(folder, {name: write_lines(lines) for name, lines in files.items()}, build_manifest(files, **more))


def join_set(folder: Path) -> bytes:
    """Answers the body that is delivered of a folder."""
    with open_delivery(folder) as stream:
        return stream.read()


def tell_all(path: Path) -> Json:
    """Answers all that a reading says, so that two can be compared whole."""
    reading = read_roster(path, SANDBOX)
    people = [*map(asdict, reading.demographics), *map(asdict, reading.practitioner_names)]
    parts = (reading.as_of_at, reading.declared_count, reading.data_rows, list(reading.positions), reading.encoding)
    return {"checked": check_roster(path, SANDBOX), "people": people, "parts": parts}
