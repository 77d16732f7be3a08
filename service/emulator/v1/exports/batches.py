"""Doing an export: batches of a hundred patients, a file per type and batch (contract-v1 10.2 to 10.4)."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import orjson
from sqlalchemy import Connection, RowMapping, insert

from service.emulator.clock import from_us
from service.emulator.state import State
from service.emulator.tables import export_files
from service.emulator.v1.exports.claims import KINDS, Resource, build_beneficiary, build_claims
from service.emulator.v1.exports.outcomes import OK, build_troubles, load_outcomes

SIZE = 100
ERRORS = "OperationOutcome"


def save_batches(connection: Connection, state: State, job: RowMapping, completed_us: int) -> bool:
    """Write the files of all batches; False, and no file, when a batch is told to fail."""
    people: list[dict[str, str]] = job["patients"]
    batches = [people[first : first + SIZE] for first in range(0, len(people), SIZE)]
    if 1 <= state.knobs.failing_batch <= len(batches):
        return False
    outcomes = load_outcomes(connection)
    for batch in batches:
        found = collect_batch(state.seed, dict(job), batch, outcomes)
        rows = list(_build_rows(job, found, completed_us))
        if rows:
            connection.execute(insert(export_files), rows)
    return True


def collect_batch(
    seed: int, job: Mapping[str, Any], batch: Sequence[Mapping[str, str]], outcomes: Mapping[str, str]
) -> dict[str, list[Resource]]:
    """The resources of some patients by type, with the outcomes of those who give none under OperationOutcome.

    `job` needs kinds, npi, submitted_us and since_us.
    """
    now = from_us(job["submitted_us"])
    since = None if job["since_us"] is None else from_us(job["since_us"])
    found: dict[str, list[Resource]] = {kind: [] for kind in (*KINDS, ERRORS)}
    for patient in batch:
        person = build_beneficiary(seed, patient)
        outcome = outcomes.get(patient["mbi"], OK)
        if outcome != OK:
            found[ERRORS] += build_troubles(outcome, person, job["kinds"])
            continue
        claims = build_claims(person, job["npi"], now, since)
        for kind in job["kinds"]:
            found[kind] += claims[kind]
    return found


def _build_rows(
    job: RowMapping, found: Mapping[str, Sequence[Resource]], completed_us: int
) -> Iterator[dict[str, Any]]:
    """One row per type that has anything: empty files are not listed."""
    batch_id = str(uuid4())
    for ordinal, (kind, resources) in enumerate(found.items()):
        if not resources:
            continue
        content = b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in resources)
        yield {
            "name": f"{batch_id}-0.{kind.lower()}",
            "job_id": job["id"],
            "organization_id": job["organization_id"],
            "kind": kind,
            "ordinal": ordinal,
            "count": len(resources),
            "checksum": hashlib.sha256(content).hexdigest(),
            "content": gzip.compress(content, compresslevel=6, mtime=0),
            "created_us": completed_us,
        }
