"""The files of finished jobs, whole or by byte range (contract-v2 7.3)."""

from __future__ import annotations

from flask import Response, request
from sqlalchemy import RowMapping, false, select
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from service.emulator.clock import from_us
from service.emulator.v2.answers import TEXT, Kind, build_answer, refuse
from service.emulator.v2.calls import Call
from service.emulator.v2.tables import files, jobs
from service.emulator.wire import MARKS, PLAIN, format_date


def show_file(call: Call, file_name: str) -> Response:
    """200, 206 or 304, never compressed; whatever follows the last dot is cut off before the file is looked for."""
    name = file_name.rpartition(".")[0] or file_name
    row = _load(call, name)
    headers = {
        "Content-Disposition": "attachment",
        "Last-Modified": format_date(from_us(row["completed_us"])),
    }
    response = build_answer(row["body"], content_type="application/octet-stream", headers=headers)
    request.environ[MARKS].add(PLAIN)
    length = len(row["body"])
    try:
        response.make_conditional(request.environ, accept_ranges=True, complete_length=length)
    except RequestedRangeNotSatisfiable:
        beyond = {"Content-Range": f"bytes */{length}"}
        return build_answer(b"invalid range: failed to overlap\n", 416, TEXT, beyond)
    return response


def _load(call: Call, name: str) -> RowMapping:
    query = (
        select(files.c.body, jobs.c.completed_us)
        .join(jobs, jobs.c.id == files.c.job_id)
        .where(files.c.name == name, jobs.c.organization_id == call.organization_id, jobs.c.is_failed == false())
    )
    row = call.connection.execute(query).mappings().first()
    if row is None:
        raise refuse(404, f"Failed to get file {name}", Kind.FAULT)
    return row
