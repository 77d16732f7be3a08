"""Turns cells of a piece of a table into packed pairs and verdicts, all rows at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.domain.identifiers import Environment
from service.rosters.columns.dates import check_birth_dates
from service.rosters.columns.kernels import (
    NO_MBI,
    NO_NPI,
    number_distinct,
    pack_mbi_column,
    read_npi_column,
    take_cells,
)
from service.rosters.columns.repairs import repair_mbis, repair_npis
from service.rosters.findings import CODE_INDEX
from service.rosters.headings import PERSON_ROLES
from service.rosters.reading import ALL_PRACTITIONERS, RosterOptions
from service.rosters.values import find_action, is_blank_date, read_event_date, unwrap_cell

PRESENT, REMOVE, ENDED, PERSON_ONLY, NO_ROW = 255, 254, 253, 252, 251
"""Verdicts that are no code: the pair holds, goes, or has ended; the row tells of a person
and of no pair; the line is no row."""

Cells = Mapping[str, pa.StringArray]
Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a table as text: the physical line of each, and a column of cells per role."""

    line: NDArray[np.int32]
    cells: Cells


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows as packed pairs with a verdict each (an index into CODES, or PRESENT, REMOVE ...).

    `date_code` holds the dob_* warning of each row (0 = none), empty without a birth date column. `dead` are packed
    MBIs of patients with a date of death on a row whose verdict is another: it holds their other rows all the same.
    """

    line: NDArray[np.int32]
    mbi: NDArray[np.uint64]
    npi: NDArray[np.int64]
    verdict: Codes
    date_code: Codes = field(default_factory=lambda: np.empty(0, np.uint8))
    months_over_twelve: int = 0
    people: Cells = field(default_factory=dict)
    dead: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))


def judge_batch(batch: Batch, options: RosterOptions) -> Judged:
    """Answers every row of the batch with exactly one verdict (feeds 6); earlier rules win."""
    mbi, mbi_code = _read_mbis(batch.cells["mbi"], options.environment)
    npi, npi_code = _read_npis(batch.cells["npi"], options.environment)
    verdict = np.full(len(mbi), PRESENT, np.uint8)
    actions = batch.cells.get("action")
    if actions is not None:
        verdict = _map_distinct(actions, _find_action_verdict)
        _allow_all_practitioners(batch.cells["npi"], verdict, npi, npi_code)
    starts = batch.cells.get("start_date")
    late_months = 0 if starts is None else check_birth_dates(starts)[1]
    ends = batch.cells.get("end_date")
    if ends is not None:
        late_months = max(late_months, _apply_end_dates(ends, verdict, options.today))
    np.putmask(verdict, (npi_code != 0) & (verdict >= ENDED), npi_code)
    refuse_organization(npi, verdict, options.organization_npi)
    deaths, dead = batch.cells.get("death_date"), np.empty(0, np.uint64)
    if deaths is not None:
        is_dead = _map_distinct(deaths, _find_death_verdict) != 0
        is_wrong = verdict == CODE_INDEX["bad_action"]
        verdict[is_dead & ~is_wrong] = CODE_INDEX["deceased_hold"]
        dead = mbi[is_dead & is_wrong & (mbi != NO_MBI)]
        late_months = max(late_months, _count_late_months(deaths, is_dead))
    np.putmask(verdict, mbi == NO_MBI, mbi_code)
    return _build_judged(batch, mbi, npi, verdict, late_months, dead)


def refuse_organization(npi: NDArray[np.int64], verdict: Codes, organization_npi: str | None) -> None:
    """Makes an error of every row that names the organisation itself as practitioner (feeds 2.3)."""
    if organization_npi is not None:
        np.putmask(
            verdict, (npi == int(organization_npi)) & (verdict >= ENDED), np.uint8(CODE_INDEX["provider_is_org"])
        )


def _build_judged(
    batch: Batch,
    mbi: NDArray[np.uint64],
    npi: NDArray[np.int64],
    verdict: Codes,
    late_months: int,
    dead: NDArray[np.uint64],
) -> Judged:
    people = {role: cells for role, cells in batch.cells.items() if role in PERSON_ROLES}
    births = batch.cells.get("birth_date")
    if births is None:
        return Judged(batch.line, mbi, npi, verdict, months_over_twelve=late_months, people=people, dead=dead)
    date_code, months = check_birth_dates(births)
    return Judged(batch.line, mbi, npi, verdict, date_code, max(months, late_months), people, dead)


def _read_mbis(cells: pa.StringArray, environment: Environment) -> tuple[NDArray[np.uint64], Codes]:
    """Answers packed MBIs and, where there is none, the code why; only failing cells are looked at twice."""
    packed = pack_mbi_column(cells, environment)
    codes = np.zeros(len(packed), np.uint8)
    rows = np.flatnonzero(packed == NO_MBI)
    if len(rows):
        packed[rows], codes[rows] = repair_mbis(cells, rows, environment)
    return packed, codes


def _read_npis(cells: pa.StringArray, environment: Environment) -> tuple[NDArray[np.int64], Codes]:
    npis = read_npi_column(cells, environment)
    codes = np.zeros(len(npis), np.uint8)
    rows = np.flatnonzero(npis == NO_NPI)
    if len(rows):
        npis[rows], codes[rows] = repair_npis(cells, rows, environment)
    return npis, codes


def _map_distinct(cells: pa.StringArray, find: Callable[[str], int]) -> Codes:
    """Answers a small number per cell, asked once per distinct text."""
    index, texts = number_distinct(cells)
    values = np.array([find(text) for text in texts], np.uint8)
    found: Codes = values[index] if len(values) else np.empty(0, np.uint8)
    return found


def _find_action_verdict(cell: str) -> int:
    action = find_action(cell)
    if action is None:
        return CODE_INDEX["bad_action"]
    return PRESENT if action == "present" else REMOVE


def _find_death_verdict(cell: str) -> int:
    return 0 if is_blank_date(cell) else 1


def _allow_all_practitioners(cells: pa.StringArray, verdict: Codes, npi: NDArray[np.int64], npi_code: Codes) -> None:
    """A removal with a blank NPI concerns all practitioners; a placeholder there is still an error."""
    rows = np.flatnonzero((verdict == REMOVE) & (npi_code == CODE_INDEX["npi_missing"]))
    for row in rows.tolist():
        if not unwrap_cell(cells[row].as_py()):
            npi[row] = ALL_PRACTITIONERS
            npi_code[row] = 0


def _apply_end_dates(cells: pa.StringArray, verdict: Codes, today: date | None) -> int:
    """Marks present pairs whose end date has passed; what that means depends on the rest of the file.

    Answers how many cells have a month over twelve.
    """
    found = _map_distinct(cells, lambda cell: _find_end_verdict(cell, today))
    changed = (verdict == PRESENT) & (found != PRESENT)
    verdict[changed] = found[changed]
    return _count_late_months(cells, found == CODE_INDEX["bad_end_date"])


def _count_late_months(cells: pa.StringArray, chosen: NDArray[np.bool_]) -> int:
    """Answers how many of the chosen cells have a month over twelve, the mark of a file that puts days first."""
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return 0
    return sum(read_event_date(cell or "").month_over_twelve for cell in take_cells(cells, rows).to_pylist())


def _find_end_verdict(cell: str, today: date | None) -> int:
    if is_blank_date(cell):
        return PRESENT
    end = read_event_date(cell).on
    if end is None:
        return CODE_INDEX["bad_end_date"]
    return ENDED if today is not None and end < today else PRESENT
