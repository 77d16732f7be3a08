"""Files of an export: whole, compressed, or in ranges whose end is exclusive (contract-v1 10.3)."""

from __future__ import annotations

import gzip
import re

from flask import Blueprint, Response, request
from sqlalchemy import RowMapping, select

from service.emulator.answers import JSON, build_response, refuse_json, refuse_unexpected
from service.emulator.clock import from_us
from service.emulator.tables import export_files
from service.emulator.v1.calls import Call, json_route
from service.emulator.v1.exports.jobs import RETENTION

NDJSON = "application/ndjson"
OPEN_RANGE = 1024 * 1024  # what a range without an end asks for

_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9]+\.[a-z]+")
_RANGE = re.compile(r"([a-zA-Z]+)=([0-9]{1,18})-([0-9]{1,18})?")

blueprint = Blueprint("files", __name__)


@json_route(blueprint, "GET", "/Data/<name>.ndjson", accepts=(NDJSON,), consumes=None)
def show_file(call: Call, name: str) -> Response:
    """GET and HEAD of one file; 410 after a day only for GET."""
    span = None if request.method == "HEAD" else _read_range(request.headers.get("Range"))
    if _NAME.fullmatch(name) is None:
        raise refuse_unexpected()
    query = select(export_files).where(
        export_files.c.name == name, export_files.c.organization_id == call.organization_id
    )
    row = call.connection.execute(query).mappings().first()
    if row is None:
        raise refuse_json(404, "Cannot find file")
    headers = _build_headers(row)
    if request.method == "HEAD":
        return build_response(None, 200, NDJSON, {**headers, "Content-Length": str(len(row["content"]))})
    if call.now > from_us(row["created_us"]) + RETENTION:
        return build_response(None, 410, JSON)
    if _is_known(row):
        return build_response(None, 304, NDJSON, headers)
    return _answer_whole(row, headers) if span is None else _answer_range(row, headers, *span)


def _read_range(header: str | None) -> tuple[int, int] | None:
    """Begin and exclusive end; refuses with 400 or 416."""
    if header is None:
        return None
    found = _RANGE.fullmatch(header.strip())
    if found is None:
        raise refuse_json(400, f"{header} is not a valid range request")
    if found[1] != "bytes":
        raise refuse_json(416, "Only `bytes` are acceptable as ranges")
    begin = int(found[2])
    end = begin + OPEN_RANGE if found[3] is None else int(found[3])
    if end < begin:
        raise refuse_json(416, "Range end cannot be before begin")
    return begin, end


def _build_headers(row: RowMapping) -> dict[str, str]:
    """A checksum without quotes, and an instant in milliseconds instead of an HTTP date."""
    return {
        "ETag": row["checksum"],
        "Last-Modified": str(_find_milliseconds(row)),
        "Cache-Control": "no-cache, no-store",
    }


def _find_milliseconds(row: RowMapping) -> int:
    return int(row["created_us"]) // 1000


def _is_known(row: RowMapping) -> bool:
    since = request.headers.get("If-Modified-Since", "")
    is_unmodified = since.isascii() and since.isdigit() and int(since[:18]) >= _find_milliseconds(row)
    return request.headers.get("If-None-Match") == row["checksum"] or is_unmodified


def _answer_whole(row: RowMapping, headers: dict[str, str]) -> Response:
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return build_response(row["content"], 200, NDJSON, {**headers, "Content-Encoding": "gzip"})
    return build_response(gzip.decompress(row["content"]), 200, NDJSON, headers)


def _answer_range(row: RowMapping, headers: dict[str, str], begin: int, end: int) -> Response:
    """206 of the plain content; the stated length is that of the range, whether or not the file has as much."""
    content = gzip.decompress(row["content"])
    if begin > len(content):
        raise refuse_unexpected()
    length = str(end - begin)
    stated = {"Content-Range": f"bytes {begin}-{end}/{length}", "Content-Length": length}
    return build_response(content[begin:end], 206, NDJSON, {**headers, **stated})
