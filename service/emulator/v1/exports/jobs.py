"""Export jobs: asked for now, done at a poll or a minute later, gone after a day (contract-v1 10.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, request
from sqlalchemy import RowMapping, insert, select, update

from service.emulator.answers import JSON, build_response, refuse_unexpected
from service.emulator.clock import format_milliseconds, from_us, to_us
from service.emulator.tables import export_files, export_jobs, patients
from service.emulator.v1.calls import Call, json_route
from service.emulator.v1.exports.batches import save_batches
from service.emulator.v1.fhir.validation import find_uuid
from service.emulator.wire import format_date

RETENTION = timedelta(hours=24)
DURATION = timedelta(minutes=1)
EXTENSIONS = "https://dpc.cms.gov/"

blueprint = Blueprint("jobs", __name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What one export covers: types, the patients' ids, and the NPI that the claims are attributed to."""

    kinds: tuple[str, ...]
    since: datetime | None
    patient_ids: list[str]
    npi: str


def start_job(call: Call, wish: Wish) -> Response:
    """202 with the job's address; asking twice makes two jobs."""
    columns = (patients.c.id, patients.c.mbi, patients.c.given, patients.c.family, patients.c.gender)
    query = select(*columns, patients.c.birth_on).where(patients.c.organization_id == call.organization_id)
    wanted = set(wish.patient_ids)
    people = [dict(row) for row in call.connection.execute(query).mappings() if row["id"] in wanted]
    job_id = str(uuid4())
    ends_at_once = wish.since is not None and wish.since >= call.now
    row = {
        "id": job_id,
        "organization_id": call.organization_id,
        "request": _build_request(),
        "kinds": list(wish.kinds),
        "patients": [] if ends_at_once else people,
        "npi": wish.npi,
        "since_us": None if wish.since is None else to_us(wish.since),
        "submitted_us": call.now_us,
        "completed_us": call.now_us if ends_at_once else None,
        "polls": 0,
        "failed": False,
    }
    call.connection.execute(insert(export_jobs), row)
    call.note_patients(len(people))
    call.mark_effect()
    return build_response(None, 202, headers={"Content-Location": f"{call.base}/Jobs/{job_id}"})


def _build_request() -> str:
    """The URL as the server sees it, without the `?`: a defect of the server's (contract-v1 10.2)."""
    query: str = request.environ.get("QUERY_STRING", "")
    return request.base_url + query


@json_route(blueprint, "GET", "/Jobs/<job_id>", consumes=None)
def show_job(call: Call, job_id: str) -> Response:
    """202 while it works, 200 with the files, 410 after a day; refusals are bare words."""
    if find_uuid(job_id) is None:
        raise refuse_unexpected()
    query = select(export_jobs).where(export_jobs.c.id == find_uuid(job_id))
    job = call.connection.execute(query).mappings().first()
    if job is None:
        return build_response("Could not find job", 404, JSON)
    if job["organization_id"] != call.organization_id:
        return build_response("Invalid organization for job", 401, JSON)
    if job["completed_us"] is None:
        job = _poll(call, job)
    return _answer(call, job)


def _poll(call: Call, job: RowMapping) -> RowMapping:
    """Count the poll, and complete the job when that or the clock says so."""
    polls, ended_at = job["polls"] + 1, from_us(job["submitted_us"]) + DURATION
    changes: dict[str, Any] = {"polls": polls}
    if ended_at <= call.now or polls >= call.state.knobs.export_polls:
        completed_us = to_us(min(ended_at, call.now))
        is_whole = save_batches(call.connection, call.state, job, completed_us)
        changes |= {"completed_us": completed_us, "failed": not is_whole}
    own = export_jobs.c.id == job["id"]
    call.connection.execute(update(export_jobs).where(own).values(changes))
    return call.connection.execute(select(export_jobs).where(own)).mappings().one()


def _answer(call: Call, job: RowMapping) -> Response:
    if job["failed"]:
        return refuse_unexpected().to_response()
    if job["completed_us"] is None:
        return build_response(None, 202, JSON, {"X-Progress": _build_progress(call, job["polls"])})
    expires_at = from_us(job["completed_us"]) + RETENTION
    if call.now > expires_at:
        return build_response(None, 410, JSON)
    return build_response(_build_completion(call, job), 200, JSON, {"Expires": format_date(expires_at)})


def _build_progress(call: Call, polls: int) -> str:
    """Queued at the first poll, then running by even steps."""
    if polls <= 1:
        return "QUEUED: 0.00%"
    return f"RUNNING: {100 * (polls - 1) / (call.state.knobs.export_polls - 1):.2f}%"


def _build_completion(call: Call, job: RowMapping) -> dict[str, Any]:
    query = select(export_files).where(export_files.c.job_id == job["id"]).order_by(export_files.c.ordinal)
    files = list(call.connection.execute(query).mappings())
    times = (("submit_time", job["submitted_us"]), ("complete_time", job["completed_us"]))
    return {
        "transactionTime": format_milliseconds(job["submitted_us"]),
        "request": job["request"],
        "requiresAccessToken": True,
        "output": [_build_file(call, row) for row in files if row["kind"] != "OperationOutcome"],
        "error": [_build_file(call, row) for row in files if row["kind"] == "OperationOutcome"],
        "extension": [{"url": EXTENSIONS + name, "valueDateTime": format_milliseconds(at)} for name, at in times],
    }


def _build_file(call: Call, row: RowMapping) -> dict[str, Any]:
    """One file; its length is that of the compressed content as stored, its checksum that of the plain one."""
    return {
        "type": row["kind"],
        "url": f"{call.base}/Data/{row['name']}.ndjson",
        "count": row["count"],
        "extension": [
            {"url": f"{EXTENSIONS}checksum", "valueString": f"sha256:{row['checksum']}"},
            {"url": f"{EXTENSIONS}file_length", "valueDecimal": len(row["content"])},
        ],
    }
