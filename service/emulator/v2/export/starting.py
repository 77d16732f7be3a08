"""`$export` of a Group: the job that it starts, even when it answers 400 (contract-v2 7.1, T1, T2, T3 and T5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from flask import Response, request
from sqlalchemy import insert, select

from service.emulator.clock import to_us
from service.emulator.v2 import tables
from service.emulator.v2.answers import (
    INTERNAL,
    Dropped,
    Kind,
    build_answer,
    build_body,
    build_outcome,
    refuse,
)
from service.emulator.v2.calls import Call, find_uuid
from service.emulator.v2.export.wishes import Wish, list_complaints, read_wish

BATCH_SIZE = 100


def start_export(call: Call, group_id: str) -> Response:
    """202 with the job's address, 400 with one or two outcomes and the job started all the same, or 500."""
    wish = read_wish(call)
    group = _load_group(call, group_id)
    complaints = list_complaints()
    mbis, npis = _read_members(group)
    if _is_too_long(call, npis):
        complaints.append(build_outcome(INTERNAL, Kind.FAULT))
        job_id = ""
    else:
        job_id = _save_job(call, wish, mbis)
    if not complaints:
        return build_answer(status=202, headers={"Content-Location": f"{find_api_path(call)}/Jobs/{job_id}"})
    is_refused = len(complaints) > 1 or bool(job_id)
    return build_answer(b"".join(map(build_body, complaints)), 400 if is_refused else 500)


def find_api_path(call: Call) -> str:
    """The configured base of addresses in answers; the default configuration has no scheme (contract-v2 7.1)."""
    return call.base.partition("://")[2] if call.state.knobs.v2_bare_addresses else call.base


def _load_group(call: Call, group_id: str) -> Mapping[str, Any]:
    query = select(tables.groups.c.body).where(
        tables.groups.c.id == find_uuid(group_id), tables.groups.c.organization_id == call.organization_id
    )
    body: dict[str, Any] | None = call.connection.execute(query).scalar()
    if body is None:
        raise refuse(404, "Failed to find group", Kind.MISSING)
    return body


def _read_members(group: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """MBIs, members without a value left out, and one NPI per member; an identifier without a system is fatal."""
    mbis, npis = [], []
    for member in group.get("member", []):
        patient = member["entity"]["identifier"]
        practitioner = member["extension"][0]["valueReference"]["identifier"]
        if "system" not in patient or "system" not in practitioner:
            raise Dropped
        if patient.get("value"):
            mbis.append(patient["value"])
        npis.append(practitioner.get("value", ""))
    return mbis, npis


def _is_too_long(call: Call, npis: Sequence[str]) -> bool:
    """All NPIs, joined by commas, have to fit into one column (contract-v2 T5)."""
    limit = call.state.knobs.v2_npi_column
    return limit >= 0 and len(",".join(npis)) > limit


def _save_job(call: Call, wish: Wish, mbis: Sequence[str]) -> str:
    """The id of the job; without patients nothing is queued, and nobody will ever tell (contract-v2 T2)."""
    job_id = str(uuid4())
    call.note_patients(len(mbis))
    if not mbis:
        return job_id
    if wish.since is not None and wish.since >= call.now:
        mbis = []
    row = {
        "id": job_id,
        "organization_id": call.organization_id,
        "request": _build_request_url(),
        "types": list(wish.types),
        "since_us": None if wish.since is None else to_us(wish.since),
        "submitted_us": call.now_us,
        "completed_us": None,
        "is_failed": 0,
        "polls": 0,
    }
    call.connection.execute(insert(tables.jobs), row)
    for position, first in enumerate(range(0, max(1, len(mbis)), BATCH_SIZE)):
        batch = {"id": str(uuid4()), "job_id": job_id, "position": position, "mbis": mbis[first : first + BATCH_SIZE]}
        call.connection.execute(insert(tables.batches), batch)
    call.mark_effect()
    return job_id


def _build_request_url() -> str:
    query: str = request.environ.get("QUERY_STRING", "")
    return request.base_url + (f"?{query}" if query else "")
