"""Jobs: under way for some polls or a minute, then a manifest for a day, then gone (contract-v2 7.2)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import orjson
from flask import Response
from sqlalchemy import RowMapping, insert, select, update

from service.emulator.clock import from_us, to_us
from service.emulator.v2 import tables
from service.emulator.v2.answers import JSON, Kind, build_answer, build_body, format_fraction, refuse, refuse_internal
from service.emulator.v2.calls import Call, find_uuid
from service.emulator.v2.export.claims import Claimant
from service.emulator.v2.export.collecting import ERRORS, collect
from service.emulator.v2.export.starting import find_api_path

RETENTION = timedelta(hours=24)
DURATION = timedelta(minutes=1)


def show_job(call: Call, job_id: str) -> Response:
    """202, 200, 410 or 500; an unknown job looks like one that never begins (contract-v2 T2)."""
    known_id = find_uuid(job_id)
    if known_id is None:
        raise refuse(404, "Failed to get job status", Kind.MISSING)
    query = select(tables.jobs).where(
        tables.jobs.c.id == known_id, tables.jobs.c.organization_id == call.organization_id
    )
    job = call.connection.execute(query).mappings().first()
    if job is None:
        return build_answer(status=202, content_type=JSON)
    if job["completed_us"] is None:
        job = _poll(call, job)
    return _answer(call, job)


def _poll(call: Call, job: RowMapping) -> RowMapping:
    """Count the poll, and complete the job when that or the clock says so."""
    own = tables.jobs.c.id == job["id"]
    polls, ended_at = job["polls"] + 1, from_us(job["submitted_us"]) + DURATION
    changes: dict[str, Any] = {"polls": polls}
    if ended_at <= call.now or polls >= call.state.knobs.export_polls:
        changes["completed_us"] = to_us(min(ended_at, call.now))
        changes["is_failed"] = int(not _save_files(call, job))
    call.connection.execute(update(tables.jobs).where(own).values(changes))
    return call.connection.execute(select(tables.jobs).where(own)).mappings().one()


def _load_batches(call: Call, job: RowMapping) -> list[RowMapping]:
    query = select(tables.batches).where(tables.batches.c.job_id == job["id"]).order_by(tables.batches.c.position)
    return list(call.connection.execute(query).mappings())


def _save_files(call: Call, job: RowMapping) -> bool:
    """One file for each type and batch; False when a batch was told to fail."""
    batches = _load_batches(call, job)
    if 1 <= call.state.knobs.failing_batch <= len(batches):
        return False
    since = None if job["since_us"] is None else from_us(job["since_us"])
    for batch in batches:
        claimants = [Claimant(call.state.seed, mbi, "R4") for mbi in batch["mbis"]]
        found = collect(call.connection, claimants, job["types"], from_us(job["submitted_us"]), since)
        for kind, resources in found.items():
            row = {
                "name": f"{batch['id']}-0.{kind.lower()}",
                "job_id": job["id"],
                "kind": kind,
                "count": len(resources),
                "body": b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in resources),
            }
            call.connection.execute(insert(tables.files), row)
    return True


def _answer(call: Call, job: RowMapping) -> Response:
    if job["is_failed"]:
        raise refuse_internal()
    if job["completed_us"] is None:
        return build_answer(status=202, content_type=JSON, headers={"X-Progress": _build_progress(call, job)})
    expires_at = from_us(job["completed_us"]) + RETENTION
    if call.now > expires_at:
        return build_answer(status=410, content_type=JSON)
    headers = {"Expires": expires_at.strftime("%a, %d %b %Y %H:%M:%S UTC")}
    return build_answer(build_body(_build_manifest(call, job)), content_type=JSON, headers=headers)


def _build_progress(call: Call, job: RowMapping) -> str:
    """The share of patients done is taken of the length of the MBIs' text: it never nears 100 (contract-v2 7.2)."""
    if job["polls"] <= 1:
        return "QUEUED: 0.00%"
    patients = [batch["mbis"] for batch in _load_batches(call, job)]
    done = sum(map(len, patients)) * (job["polls"] - 1) // max(1, call.state.knobs.export_polls - 1)
    length = sum(len(",".join(mbis)) for mbis in patients)
    return f"RUNNING: {100 * done / max(1, length):.2f}%"


def _build_manifest(call: Call, job: RowMapping) -> dict[str, Any]:
    query = select(tables.files).where(tables.files.c.job_id == job["id"]).order_by(tables.files.c.name)
    files = list(call.connection.execute(query).mappings())
    times = (("submit_time", job["submitted_us"]), ("complete_time", job["completed_us"]))
    return {
        "transactionTime": _format(job["submitted_us"]),
        "request": job["request"],
        "requiresAccessToken": True,
        "output": [_build_file(call, row) for row in files if row["kind"] != ERRORS],
        "error": [{"type": ERRORS, "url": _build_address(call, row["name"])} for row in files if row["kind"] == ERRORS],
        "extension": [{"url": f"https://dpc.cms.gov/{name}", "valueDateTime": _format(at)} for name, at in times],
    }


def _format(microseconds: int) -> str:
    return format_fraction(from_us(microseconds), "Z", 6)


def _build_address(call: Call, name: str) -> str:
    return f"{find_api_path(call)}/Data/{name}.ndjson"


def _build_file(call: Call, row: RowMapping) -> dict[str, Any]:
    """The checksum is bare hexadecimal here (contract-v2 7.2)."""
    return {
        "type": row["kind"],
        "url": _build_address(call, row["name"]),
        "count": row["count"],
        "extension": [
            {"url": "https://dpc.cms.gov/checksum", "valueString": hashlib.sha256(row["body"]).hexdigest()},
            {"url": "https://dpc.cms.gov/file_length", "valueDecimal": len(row["body"])},
        ],
    }
