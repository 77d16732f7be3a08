"""Tables as CSV or JSON: asked for by Accept, harmless to a spreadsheet, under a name that cannot split a header."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from flask import Response, request
from werkzeug.exceptions import NotAcceptable

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\0")

Cell = str | int | float | bool | None


def wants_csv(wish: str | None) -> bool:
    """Answer whether CSV is wanted: `?format=` decides, else what Accept prefers; raises NotAcceptable for neither."""
    if wish is not None:
        return wish == "csv"
    if not request.accept_mimetypes:
        return False
    found = request.accept_mimetypes.best_match(("application/json", "text/csv"))
    if found is None:
        raise NotAcceptable
    return found == "text/csv"


def escape_cell(cell: Cell) -> str:
    """Answer the text of a cell; one that a spreadsheet would run as a formula gets an apostrophe (ASVS 1.2.10)."""
    if cell is None:
        return ""
    text = str(cell)
    is_number = isinstance(cell, int | float)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) and not is_number else text


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Yield the table line by line, quoted by RFC 4180, headings first."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for row in chain([columns], rows):
        writer.writerow([escape_cell(cell) for cell in row])
        yield _drain(buffer)


def build_csv_answer(name: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """Answer a download of the table; `name` is reduced to letters, digits, dash and underscore."""
    return _build_download(name, "csv", write_csv(columns, rows), "text/csv")


def build_json_answer(
    name: str, facts: Mapping[str, object], columns: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> Response:
    """Answer a download of the table as an object: what `facts` tell of the whole, then the rows under `items`."""
    return _build_download(name, "json", write_json(facts, columns, rows), "application/json")


def write_json(facts: Mapping[str, object], columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Yield an object with the facts and the table under `items`, an array of objects, one a line."""
    yield "{\n" + "".join(f"{json.dumps(key)}: {json.dumps(fact)},\n" for key, fact in facts.items()) + '"items": ['
    start = ""
    for row in rows:
        yield f"{start}\n{json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False)}"
        start = ","
    yield "\n]}\n"


def _build_download(name: str, suffix: str, text: Iterator[str], mimetype: str) -> Response:
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)[:80] or "table"
    response = Response(text, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{safe}.{suffix}"'
    return response


def _drain(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
