"""Leaves out of a reading the rows about practitioners for whom its feed may not speak."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from service.rosters.findings import Finding, insert_findings
from service.rosters.reading import ALL_PRACTITIONERS, Columns, RosterReading

NOT_OF_FEED = "npi_not_of_feed"


def keep_practitioners(reading: RosterReading, npis: Collection[str]) -> RosterReading:
    """Answers the reading with the pairs of these practitioners only; every other one becomes an error.

    As with any row that is refused although its MBI is readable, nobody is missing from the file whom it names.
    A removal that names no practitioner stays: it concerns nothing but what the feed itself has claimed.
    """
    own = np.array(sorted([ALL_PRACTITIONERS, *map(int, npis)]), np.int64)
    is_present, is_remove = (np.isin(columns.npi, own) for columns in (reading.present, reading.remove))
    strange = np.sort(np.concatenate([reading.present.line[~is_present], reading.remove.line[~is_remove]])).tolist()
    if not strange:
        return reading
    named = [reading.protected, reading.present.mbi[~is_present], reading.remove.mbi[~is_remove]]
    found = [Finding(_find_position(reading, line), NOT_OF_FEED, "error", blind=False) for line in strange]
    return replace(
        reading,
        present=_choose(reading.present, is_present),
        remove=_choose(reading.remove, is_remove),
        protected=np.unique(np.concatenate(named)),
        findings=insert_findings(reading.findings, found),
    )


def _find_position(reading: RosterReading, line: int) -> str:
    """Answers where the findings of this input say that an entry stands; a JSON array counts from 0."""
    if reading.positions:
        return reading.positions[line - 1]
    return str(line - 1) if reading.format == "json" else str(line)


def _choose(columns: Columns, chosen: NDArray[np.bool_]) -> Columns:
    return Columns(columns.mbi[chosen], columns.npi[chosen], columns.line[chosen])
