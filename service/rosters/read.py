"""Reads one roster file, whatever its format, into columns of pairs with findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from service.rosters.formats import READERS, find_format
from service.rosters.reading import RosterOptions, RosterReading

_NUMBERED = frozenset({"csv", "practitioners_csv", "xlsx", "json"})
"""Formats whose positions are numbers."""


def read_roster(path: Path, options: RosterOptions) -> RosterReading:
    """Answers what a file says: pairs present and removed, findings, and people on demand.

    Never raises for what is in the file: a file that is refused whole has a `file_error` (feeds 6) and no rows.
    """
    name = find_format(path)
    reader = READERS.get(name)
    if reader is None:
        return RosterReading(name, file_error=f"unsupported_format_{name}")
    return reader(path, options)


def check_roster(path: Path, options: RosterOptions) -> dict[str, Any]:
    """Answers the reading in the shape that `rollcall check --format json` promises (feeds 8)."""
    reading = read_roster(path, options)
    numbered = reading.format in _NUMBERED
    marks = [(int(f.position) if numbered else f.position, f.code, f.severity) for f in reading.findings]
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
