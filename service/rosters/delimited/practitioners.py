"""Reads a list of practitioners, and tells one from a roster that lacks the MBI or hides it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from service.domain.identifiers import Environment, read_mbi, read_npi, refuse_npi
from service.rosters.delimited.table import Layout, Row, find_trailer, is_blank_row
from service.rosters.findings import CODE_INDEX, Findings
from service.rosters.reading import PractitionerName, RosterOptions, RosterReading
from service.rosters.values import find_name

_NO_PATIENT = frozenset({"mbi_missing", "mbi_length", "mbi_format"})
"""What is wrong with a cell that has not even the shape of a patient's number."""


def read_practitioners(
    rows: Iterable[Row], layout: Layout, blank: RosterReading, options: RosterOptions
) -> RosterReading | None:
    """Answers the names of practitioners; a wrong NPI is a finding that blinds nobody, as no patient is meant.

    None if the rows show that patients may be meant: a cell like a patient's number, a cell in a column without
    heading, or one NPI with two names.
    """
    names: dict[str, PractitionerName] = {}
    faults: list[tuple[int, str]] = []
    columns, width, count = layout.header.columns, layout.header.width, 0
    for line, cells in rows:
        if is_blank_row(cells) or find_trailer(cells, layout.header.start):
            continue
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
    return replace(blank, data_rows=count, findings=findings, practitioner_names=tuple(names.values()))


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
