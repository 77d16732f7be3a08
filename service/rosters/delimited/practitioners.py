"""Reads a list of practitioners, and tells one from a roster that lacks the MBI or hides it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from service.domain.identifiers import Environment, read_mbi, read_npi, refuse_npi
from service.rosters.delimited.rows import TableEnd
from service.rosters.delimited.table import Layout, Row
from service.rosters.delimited.trailers import find_declared_count, find_mismatch
from service.rosters.findings import CODE_INDEX, Findings
from service.rosters.reading import PractitionerName, RosterOptions, RosterReading
from service.rosters.values import find_name

_NO_PATIENT = frozenset({"mbi_missing", "mbi_length", "mbi_format"})
"""What is wrong with a cell that has not even the shape of a patient's number."""


def read_practitioners(
    rows: Iterable[Row], layout: Layout, blank: RosterReading, options: RosterOptions, path: Path | None = None
) -> RosterReading | None:
    """Answers the names of practitioners; a wrong NPI is a finding that blinds nobody, as no patient is meant.

    What trailers state is checked as in a roster; `path` is that of the bytes that a seal may speak of.

    None if the rows show that patients may be meant: a cell like a patient's number, a cell in a column without
    heading, or one NPI with two names.
    """
    names: dict[str, PractitionerName] = {}
    faults: list[tuple[int, str]] = []
    columns, width, count = layout.header.columns, layout.header.width, 0
    end = TableEnd(layout.header)
    for line, cells in end.iter_data(rows):
        count += 1
        if _tells_of_patients(cells, columns, options.environment):
            return None
        if len(cells) != width:
            faults.append((line, "ragged_row"))
            continue
        npi = refuse_npi(read_npi(cells[columns["npi"]], options.environment), options.organization_npi)
        if npi.value is None:
            faults.append((line, npi.code or "npi_missing"))
            continue
        given, family = (find_name(cells[columns[role]]) for role in ("first_name", "last_name"))
        said = PractitionerName(npi.value, given, family, str(line))
        known = names.get(npi.value, said)
        if _differ(known.given, given) or _differ(known.family, family):
            return None
        names[npi.value] = replace(known, given=known.given or given, family=known.family or family)
    lines = np.array([line for line, _ in faults], np.int32)
    codes = np.array([CODE_INDEX[code] for _, code in faults], np.uint8)
    findings = Findings(lines, codes, np.zeros(len(faults), np.bool_))
    blank = replace(blank, data_rows=count, declared_count=find_declared_count(end.counts))
    error = find_mismatch(end.counts, end.seal, blank, path)
    if error:
        return replace(blank, file_error=error)
    return replace(blank, findings=findings, practitioner_names=tuple(names.values()))


def _tells_of_patients(cells: list[str], columns: Mapping[str, int], environment: Environment) -> bool:
    """Answers whether a row holds what no list of practitioners has; a mistyped NPI may be as long as an SSN."""
    named = set(columns.values())
    for place, cell in enumerate(cells):
        code = read_mbi(cell, environment).code
        if code not in _NO_PATIENT and not (place == columns["npi"] and code == "mbi_is_ssn"):
            return True
        if place not in named and code != "mbi_missing":
            return True
    return False


def _differ(one: str | None, other: str | None) -> bool:
    """Answers whether two names are not the same one, written as differently as it may be."""
    return bool(one and other) and _fold(one) != _fold(other)


def _fold(name: str | None) -> str:
    return " ".join((name or "").casefold().split())
