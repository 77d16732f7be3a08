"""What the sender says about a file in headers: its digest, its mode, its date, and how long to wait for it."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from urllib.parse import unquote

from werkzeug.datastructures import Headers

from service.domain.canonical import read_time
from service.domain.errors import InvalidInput
from service.workflows.receive import Upload

_SHA256_BYTES = 32
_FILE_NAME = re.compile(r'filename\*?\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.IGNORECASE)
_USUAL_WAIT = 5
_LONGEST_WAIT = 30


def read_upload(headers: Headers) -> Upload:
    """Read the headers of a posted file; raises InvalidInput naming the header that is wrong."""
    return Upload(
        content_type=headers.get("Content-Type"),
        filename=read_file_name(headers.get("Content-Disposition")),
        mode=headers.get("X-Roster-Mode"),
        as_of_at=_read_time(headers.get("X-Roster-As-Of")),
        sequence=headers.get("X-Roster-Sequence"),
        idempotency_key=headers.get("Idempotency-Key"),
        sha256=read_digest(headers.get("Content-Digest"), headers.get("Digest")),
        count=_read_count(headers.get("X-Roster-Count")),
        again=_read_flag(headers.get("X-Roster-Again"), "X-Roster-Again"),
    )


def read_file_name(disposition: str | None) -> str | None:
    """Answer every file name that Content-Disposition gives (RFC 6266: two of one file), as one text; None without one.

    What the name says may only weaken a feed, so each of them counts, well written or not.
    """
    names = [unquote(name.strip('" ')) for name in _FILE_NAME.findall(disposition or "")]
    return " ".join(names) or None


def read_patience(headers: Headers) -> int:
    """Answer for how many seconds an answer may wait until the file has been read (RFC 7240, Prefer).

    Usually five; `wait=N` says otherwise, up to thirty, and `respond-async` alone asks not to wait.
    """
    wishes = {
        name.strip().lower(): value.strip().strip('"')
        for part in ",".join(headers.getlist("Prefer")).split(",")
        for name, _, value in [part.partition(";")[0].partition("=")]
    }
    wished = wishes.get("wait", "")
    if wished.isascii() and wished.isdigit():
        return min(int(wished[:9]), _LONGEST_WAIT)
    return 0 if "respond-async" in wishes else _USUAL_WAIT


def read_digest(content_digest: str | None, digest: str | None) -> str | None:
    """Answer the SHA-256 in hex that Content-Digest (RFC 9530) or Digest (RFC 3230) declares; None without one.

    Other algorithms are ignored, as both standards ask; raises InvalidInput for a SHA-256 that cannot be read.
    """
    for part in (content_digest or "").split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "sha-256":
            if not (len(value) > 2 and value[0] == value[-1] == ":"):
                raise _wrong_digest("Content-Digest")
            return _decode(value[1:-1], "Content-Digest")
    for part in (digest or "").split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "sha-256":
            return _decode(value, "Digest")
    return None


def _read_flag(text: str | None, header: str) -> bool:
    if text not in (None, "true", "false"):
        raise _wrong_header(header, f"{header} is true or false.")
    return text == "true"


def _decode(text: str, header: str) -> str:
    try:
        decoded = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise _wrong_digest(header) from None
    if len(decoded) != _SHA256_BYTES:
        raise _wrong_digest(header)
    return decoded.hex()


def _wrong_digest(header: str) -> InvalidInput:
    return _wrong_header(header, f"The header {header} does not hold a SHA-256 in base64.")


def _wrong_header(header: str, sentence: str) -> InvalidInput:
    return InvalidInput(sentence, next_action=f"Correct the header {header}, or leave it out, and send the file again.")


def _read_count(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise _wrong_header("X-Roster-Count", "X-Roster-Count must be a whole number.")
    return int(text)


def _read_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return read_time(text)
    except ValueError:
        sentence = "X-Roster-As-Of must be a time with its zone, for example 2026-01-31T00:00:00Z."
        raise _wrong_header("X-Roster-As-Of", sentence) from None
