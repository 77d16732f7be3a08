"""Export of a Group, its job and its files, all with lower-case paths."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
from flask import Response, request
from sqlalchemy import RowMapping, insert, select, update

from service.emulator.answers import JSON, build_response, refuse
from service.emulator.clock import from_us, to_us
from service.emulator.preview.calls import Call
from service.emulator.preview.groups import load_members, load_owned_group
from service.emulator.preview.tables import files, jobs, people
from service.emulator.v2.answers import format_fraction
from service.emulator.v2.export.claims import TYPES, Claimant
from service.emulator.v2.export.collecting import ERRORS, collect

DURATION = timedelta(minutes=1)


def start_export(call: Call, group_id: str) -> Response:
    """202 with the job's address; `_since` and type filters are not supported and not looked at."""
    group = load_owned_group(call, group_id)
    if request.headers.get("Prefer") != "respond-async":
        raise refuse(400, "The 'Prefer' header must be 'respond-async'")
    types = [name for name in request.args.get("_type", "").split(",") if name] or list(TYPES)
    for name in types:
        if name not in TYPES:
            raise refuse(400, f"Unsupported resource name in the '_type' query parameter: {name}")
    patients = load_members(call, group["id"])
    if not patients:
        raise refuse(406, "Cannot perform export with no beneficiaries")
    call.note_patients(len(patients))
    return build_response(None, 202, headers={"Content-Location": f"{call.base}/jobs/{_save(call, types, patients)}"})


def _save(call: Call, types: list[str], patients: list[str]) -> str:
    query = select(people.c.id, people.c.identifier).where(people.c.organization_id == call.organization_id)
    known = {row.id: row.identifier for row in call.connection.execute(query)}
    row = {
        "id": str(uuid4()),
        "organization_id": call.organization_id,
        "request": request.url,
        "types": list(dict.fromkeys(types)),
        "identifiers": [known[one] for one in patients],
        "submitted_us": call.now_us,
        "polls": 0,
    }
    call.connection.execute(insert(jobs), row)
    call.mark_effect()
    return str(row["id"])


def show_job(call: Call, job_id: str) -> Response:
    """202 with `X-Progress: In Progress`, then 200 with the files."""
    job = _load_job(call, job_id)
    if job["completed_us"] is None:
        job = _poll(call, job)
    if job["completed_us"] is None:
        return build_response(None, 202, JSON, {"X-Progress": "In Progress"})
    query = select(files.c.name, files.c.kind).where(files.c.job_id == job["id"]).order_by(files.c.name)
    found = call.connection.execute(query).all()
    listed = [(kind, {"type": kind, "url": f"{call.base}/data/{job['id']}/{name}.ndjson"}) for name, kind in found]
    manifest: dict[str, Any] = {
        "transactionTime": format_fraction(from_us(job["submitted_us"]), "Z", 6),
        "request": job["request"],
        "requiresAccessToken": True,
        "output": [view for kind, view in listed if kind != ERRORS],
        "error": [view for kind, view in listed if kind == ERRORS],
    }
    return build_response(manifest, 200, JSON)


def show_file(call: Call, job_id: str, name: str) -> Response:
    """One file of a finished job."""
    job = _load_job(call, job_id)
    query = select(files.c.body).where(files.c.job_id == job["id"], files.c.name == name)
    body: bytes | None = call.connection.execute(query).scalar()
    if body is None:
        raise refuse(404, "Cannot find file")
    return build_response(body, 200, "application/ndjson")


def _load_job(call: Call, job_id: str) -> RowMapping:
    query = select(jobs).where(jobs.c.id == job_id, jobs.c.organization_id == call.organization_id)
    row = call.connection.execute(query).mappings().first()
    if row is None:
        raise refuse(404, "Could not find job")
    return row


def _poll(call: Call, job: RowMapping) -> RowMapping:
    """Count the poll, and complete the job when that or the clock says so."""
    own = jobs.c.id == job["id"]
    polls, ended_at = job["polls"] + 1, from_us(job["submitted_us"]) + DURATION
    changes: dict[str, Any] = {"polls": polls}
    if ended_at <= call.now or polls >= call.state.knobs.export_polls:
        changes["completed_us"] = to_us(min(ended_at, call.now))
        _save_files(call, job)
    call.connection.execute(update(jobs).where(own).values(changes))
    return call.connection.execute(select(jobs).where(own)).mappings().one()


def _save_files(call: Call, job: RowMapping) -> None:
    """One file for each type; the errors' name says so."""
    claimants = [Claimant(call.state.seed, one, "STU3") for one in job["identifiers"]]
    found = collect(call.connection, claimants, job["types"], from_us(job["submitted_us"]), None)
    for kind, resources in found.items():
        suffix = "-error" if kind == ERRORS else ""
        body = b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in resources)
        row = {"name": str(uuid4()).upper() + suffix, "job_id": job["id"], "kind": kind, "body": body}
        call.connection.execute(insert(files), row)
