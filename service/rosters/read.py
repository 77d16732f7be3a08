"""Reads one roster file, whatever its format, into columns of pairs with findings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from service.rosters.content_types import is_contradicted
from service.rosters.formats import READERS, find_format
from service.rosters.limits import TooLarge
from service.rosters.reading import RosterOptions, RosterReading
from service.rosters.unpacking import BrokenGzip, inflate_file

_NUMBERED = frozenset({"csv", "practitioners_csv", "xlsx", "practitioners_xlsx", "json"})
"""Formats whose positions are numbers."""
_SHOWN = {"encrypted": "xlsx"}
BEYOND_THE_PROMISE = frozenset({"demographics_differ"})
"""Remarks of ours that a delivery shows, and that the promised output of `rollcall check` (feeds 6 and 8) has not."""


def read_roster(path: Path, options: RosterOptions) -> RosterReading:
    """Answers what a file says: pairs present and removed, findings, and people on demand.

    Never raises for what is in the file: a file that is refused whole has a `file_error` (feeds 6) and no rows.
    """
    name = find_format(path)
    if name != "gzip":
        return _read_as(name, path, options)
    try:
        with inflate_file(path) as inflated:
            # the name of the anonymous file says nothing, the one it came under may
            return _read_as(find_format(inflated), inflated, replace(options, filename=options.filename or path.name))
    except TooLarge:
        error = "too_large"
    except BrokenGzip as fault:
        error = "truncated" if fault.is_cut else "unsupported_format_gzip"
    return RosterReading(name, file_error=error)


def _read_as(name: str, path: Path, options: RosterOptions) -> RosterReading:
    reader = READERS.get(name)
    if reader is None:
        return RosterReading(_SHOWN.get(name, name), file_error=f"unsupported_format_{name}")
    if is_contradicted(options.content_type, name):
        return RosterReading(name, file_error="unsupported_format_mismatch")
    return reader(path, options)


def check_roster(path: Path, options: RosterOptions) -> dict[str, Any]:
    """Answers the reading in the shape that `rollcall check --format json` promises (feeds 8)."""
    reading = read_roster(path, options)
    numbered = reading.format in _NUMBERED
    shown = (f for f in reading.findings if f.code not in BEYOND_THE_PROMISE)
    marks = [(int(f.position) if numbered else f.position, f.code, f.severity) for f in shown]
    return {
        "format": reading.format,
        "mode_signal": reading.mode_signal,
        "file_error": reading.file_error,
        "present": [list(pair) for pair in reading.present.iter_pairs()],
        "remove": [list(pair) for pair in reading.remove.iter_pairs()],
        "mbi_changes": [list(change) for change in reading.mbi_changes],
        "errors": [[position, code] for position, code, severity in marks if severity == "error"],
        "warnings": [[position, code] for position, code, severity in marks if severity == "warning"],
        "protected_mbis": list(reading.protected_mbis),
        "blind_errors": reading.blind_errors,
    }
