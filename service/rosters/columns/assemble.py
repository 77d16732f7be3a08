"""Puts judged rows together: duplicates, contradictions, findings in input order and what must not be removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.rosters.columns.evaluate import ENDED, NO_ROW, PRESENT, REMOVE, Judged
from service.rosters.columns.kernels import CHUNK, NO_MBI, Rows
from service.rosters.findings import CODE_INDEX, Findings
from service.rosters.reading import ALL_PRACTITIONERS, Columns

_NO_ROWS = np.empty(0, np.intp)
_HASH_BITS = 32
_MARK_BITS = 20
_FEW_ROWS = 4_096
_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: spreads neighbouring codes
Verdicts = NDArray[np.uint8]
Mark = tuple[Rows, NDArray[np.uint8] | int]


@dataclass(frozen=True, slots=True)
class Ragged:
    """Rows of the wrong width: their lines, and their packed MBI where that cell could still be read."""

    line: NDArray[np.int32]
    mbi: NDArray[np.uint64]


NO_RAGGED = Ragged(np.empty(0, np.int32), np.empty(0, np.uint64))


@dataclass(frozen=True, slots=True)
class Assembly:
    """The rows of one input, settled.

    `person_rows` are the first rows of each patient present, `repeated_rows` all rows of patients present on several.
    """

    data_rows: int
    present: Columns
    person_rows: Rows
    repeated_rows: Rows
    remove: Columns
    findings: Findings
    protected: NDArray[np.uint64]
    blind_errors: int


def join_judged(parts: Sequence[Judged]) -> Judged:
    """Answers the rows of all parts as one; cells of people stay with their parts."""
    if len(parts) == 1:
        return parts[0]
    return Judged(
        line=np.concatenate([part.line for part in parts]),
        mbi=np.concatenate([part.mbi for part in parts]),
        npi=np.concatenate([part.npi for part in parts]),
        verdict=np.concatenate([part.verdict for part in parts]),
        date_code=np.concatenate([part.date_code for part in parts]),
        months_over_twelve=sum(part.months_over_twelve for part in parts),
        dead=np.concatenate([part.dead for part in parts]),
    )


def assemble_rows(
    rows: Judged,
    ragged: Ragged = NO_RAGGED,
    positions: Sequence[str] | None = None,
    *,
    ended_is_absent: bool = False,
) -> Assembly:
    """Answers pairs without duplicates, findings by line, protected MBIs and the number of blind errors.

    `positions` names row i where lines are not the positions (FHIR); `ragged` belongs to tables only. A pair that
    has ended is removed, or merely absent where the input is a snapshot (feeds 3.5). The NPIs of `rows` are used up.
    """
    verdict = _hold_deceased(rows)
    if not ended_is_absent:
        verdict = _remove_ended(rows, verdict)
    verdict = _mark_conflicts(rows, verdict)
    present, later, extra, repeated = _drop_repeats(rows, _find_rows(verdict == PRESENT))
    remove, later_removals, _, _ = _drop_repeats(rows, _find_rows(verdict == REMOVE))
    wrong = np.flatnonzero(verdict < NO_ROW)
    repeats = np.concatenate([later, later_removals])
    marks = [(wrong, verdict[wrong]), *_list_remarks(rows, verdict, repeats, extra)]
    findings = _build_findings(rows, marks, ragged, positions)
    removals = _take_columns(rows, remove)
    columns = _draw_columns(rows, present)
    return Assembly(
        data_rows=int(np.count_nonzero(verdict != NO_ROW)) + len(ragged.line),
        present=columns,
        person_rows=_leave_out(present, extra),
        repeated_rows=repeated,
        remove=removals,
        findings=findings,
        protected=_list_protected(rows, verdict, ragged),
        blind_errors=findings.blind_errors,
    )


def _list_remarks(rows: Judged, verdict: Verdicts, repeats: Rows, further: Rows) -> list[Mark]:
    """Answers the rows that earn a warning, by code."""
    marks: list[Mark] = [
        (repeats, CODE_INDEX["duplicate_row"]),
        (further, CODE_INDEX["mbi_multiple_npi"]),
        (np.flatnonzero(verdict == ENDED), CODE_INDEX["attribution_ended"]),
    ]
    if len(rows.date_code):
        dated = np.flatnonzero((rows.date_code != 0) & (verdict != NO_ROW))
        marks.append((dated, rows.date_code[dated]))
    return marks


def _hold_deceased(rows: Judged) -> Verdicts:
    """Answers the verdicts with every row of a patient held of whom one row gives a date of death."""
    held = np.flatnonzero(rows.verdict == CODE_INDEX["deceased_hold"])
    dead = np.concatenate([rows.mbi[held], rows.dead])
    if not len(dead):
        return rows.verdict
    verdict = rows.verdict.copy()
    verdict[np.isin(rows.mbi, dead) & (verdict >= ENDED)] = CODE_INDEX["deceased_hold"]
    return verdict


def _remove_ended(rows: Judged, verdict: Verdicts) -> Verdicts:
    """Answers the verdicts with ended pairs as removals, unless another row has the pair still present."""
    ended = np.flatnonzero(verdict == ENDED)
    if not len(ended):
        return verdict
    verdict = verdict.copy()
    present = np.flatnonzero(verdict == PRESENT)
    pairs = set(_list_pairs(rows, present[np.isin(rows.mbi[present], rows.mbi[ended])]))
    gone = [pair not in pairs for pair in _list_pairs(rows, ended)]
    verdict[ended[np.array(gone, np.bool_)]] = REMOVE
    return verdict


def _mark_conflicts(rows: Judged, verdict: Verdicts) -> Verdicts:
    """Answers the verdicts with every row of a pair that is both added and removed turned into an error.

    A removal of all practitioners contradicts every addition of that patient.
    """
    removed = np.flatnonzero(verdict == REMOVE)
    if not len(removed):
        return verdict
    added = np.flatnonzero(verdict == PRESENT)
    added = added[np.isin(rows.mbi[added], rows.mbi[removed])]
    pairs = set(_list_pairs(rows, added))
    patients = {mbi for mbi, _ in pairs}
    gone = set(_list_pairs(rows, removed))
    verdict = verdict.copy()
    for row, (mbi, npi) in zip(removed.tolist(), _list_pairs(rows, removed), strict=True):
        if (mbi, npi) in pairs or (npi == ALL_PRACTITIONERS and mbi in patients):
            verdict[row] = CODE_INDEX["conflicting_actions"]
    for row, (mbi, npi) in zip(added.tolist(), _list_pairs(rows, added), strict=True):
        if (mbi, npi) in gone or (mbi, ALL_PRACTITIONERS) in gone:
            verdict[row] = CODE_INDEX["conflicting_actions"]
    return verdict


def _list_pairs(rows: Judged, chosen: Rows) -> list[tuple[int, int]]:
    return list(zip(rows.mbi[chosen].tolist(), rows.npi[chosen].tolist(), strict=True))


def _drop_repeats(rows: Judged, chosen: Rows) -> tuple[Rows, Rows, Rows, Rows]:
    """Answers (first rows of each pair, later rows of a pair, first rows of a patient's further practitioners, all
    rows of patients with several).

    Only rows whose MBI occurs more than once are compared, which is exact and cheap where that is rare.
    """
    candidates = _find_repeated(rows.mbi, chosen) if len(chosen) > 1 else _NO_ROWS
    if not len(candidates):
        return chosen, _NO_ROWS, _NO_ROWS, _NO_ROWS
    npi = rows.npi[chosen[candidates]]
    code = rows.mbi[chosen[candidates]]
    by_pair = np.lexsort((npi, code))
    code, npi = code[by_pair], npi[by_pair]
    same_patient = np.concatenate([[False], code[1:] == code[:-1]])
    same_pair = same_patient & np.concatenate([[False], npi[1:] == npi[:-1]])
    later = candidates[by_pair[same_pair]]
    first_of_pair = candidates[by_pair[~same_pair]]
    further = _find_further(rows.mbi, chosen, first_of_pair)
    keep = np.ones(len(chosen), np.bool_)
    keep[later] = False
    return chosen[keep], chosen[np.sort(later)], chosen[further], chosen[candidates]


def _leave_out(rows: Rows, some: Rows) -> Rows:
    """Answers rows, which ascend, without some of them; the others move to the head of their own array."""
    if not len(some):
        return rows
    keep = np.ones(len(rows), np.bool_)
    keep[np.searchsorted(rows, some)] = False
    end = 0
    for start in range(0, len(rows), CHUNK):
        kept = rows[start : start + CHUNK][keep[start : start + CHUNK]]
        rows[end : end + len(kept)] = kept
        end += len(kept)
    return rows[:end]


def _find_rows(chosen: NDArray[np.bool_]) -> Rows:
    return np.flatnonzero(chosen).astype(np.int32)


def _find_repeated(mbi: NDArray[np.uint64], chosen: Rows) -> Rows:
    """Answers, in order, the places of those chosen rows whose value occurs more than once among them.

    One sort of short hashes finds those that occur again, a small table of them lets few rows through, and these are
    compared exactly. Four bytes a row are taken; hashing twice is cheaper than to keep the hashes beside their order.
    """
    if len(chosen) <= _FEW_ROWS:
        return _keep_repeated(mbi, chosen, np.arange(len(chosen), dtype=np.int32))
    ordered = np.empty(len(chosen), np.uint32)
    for start, hashes in _iter_hashes(mbi, chosen):
        ordered[start : start + len(hashes)] = hashes
    ordered.sort()
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    del ordered
    if not len(repeated):
        return _NO_ROWS
    beyond = np.uint32(_HASH_BITS - _MARK_BITS)
    marked = np.zeros(1 << _MARK_BITS, np.bool_)
    marked[repeated >> beyond] = True
    found = []
    for start, hashes in _iter_hashes(mbi, chosen):
        places = np.flatnonzero(marked.take(hashes >> beyond, mode="clip"))
        nearest = np.minimum(np.searchsorted(repeated, hashes[places]), len(repeated) - 1)
        found.append(places[repeated[nearest] == hashes[places]] + start)
    return _keep_repeated(mbi, chosen, np.concatenate(found))


def _iter_hashes(mbi: NDArray[np.uint64], chosen: Rows) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """Yields hashes of the chosen values, so many at a time that they stay in the second-level cache."""
    for start in range(0, len(chosen), CHUNK):
        values = mbi.take(chosen[start : start + CHUNK], mode="clip")
        values *= _HASH_FACTOR
        values >>= np.uint64(64 - _HASH_BITS)
        yield start, values.astype(np.uint32)


def _keep_repeated(mbi: NDArray[np.uint64], chosen: Rows, places: Rows) -> Rows:
    """Answers those of a few places whose values do occur more than once."""
    values = mbi[chosen[places]]
    order = np.argsort(values)
    same = values[order[1:]] == values[order[:-1]]
    again = np.zeros(len(places), np.bool_)
    again[order[1:][same]] = True
    again[order[:-1][same]] = True
    return places[again]


def _find_further(mbi: NDArray[np.uint64], chosen: Rows, firsts: Rows) -> Rows:
    """Answers, of places of chosen rows with distinct pairs, those whose patient occurs on an earlier one."""
    firsts = np.sort(firsts)
    by_patient = np.argsort(mbi[chosen[firsts]], kind="stable")
    code = mbi[chosen[firsts[by_patient]]]
    again = np.concatenate([[False], code[1:] == code[:-1]])
    return np.sort(firsts[by_patient[again]])


def _take_columns(rows: Judged, chosen: Rows) -> Columns:
    return Columns(rows.mbi[chosen], rows.npi[chosen], rows.line[chosen])


def _draw_columns(rows: Judged, chosen: Rows) -> Columns:
    """Answers rows, which ascend, as columns; their NPIs move to the head of their own array, which is used up by it.

    Nobody asks for the NPI of a row again, and a second array of them would be a tenth of the peak; so would be one of
    all rows' places as numpy wants them.
    """
    mbi, line = np.empty(len(chosen), np.uint64), np.empty(len(chosen), np.int32)
    for start in range(0, len(chosen), CHUNK):
        places = chosen[start : start + CHUNK]
        stop = start + len(places)
        rows.npi[start:stop] = rows.npi.take(places)
        rows.mbi.take(places, out=mbi[start:stop], mode="clip")
        rows.line.take(places, out=line[start:stop], mode="clip")
    return Columns(mbi, rows.npi[: len(chosen)], line)


def _list_protected(rows: Judged, verdict: Verdicts, ragged: Ragged) -> NDArray[np.uint64]:
    """Answers the packed MBIs of wrong rows in input order, each once."""
    known, told = np.flatnonzero((verdict < NO_ROW) & (rows.mbi != NO_MBI)), ragged.mbi != NO_MBI
    mbi: NDArray[np.uint64] = np.concatenate([rows.mbi[known], ragged.mbi[told]])
    line = np.concatenate([rows.line[known], ragged.line[told]])
    if (line[1:] < line[:-1]).any():
        mbi = mbi[np.argsort(line, kind="stable")]
    repeated = _find_repeated(mbi, np.arange(len(mbi)))
    if len(repeated):
        _, first = np.unique(mbi[repeated], return_index=True)
        mbi = np.delete(mbi, np.delete(repeated, first))
    return mbi


def _repeat(code: int, count: int) -> Verdicts:
    return np.full(count, code, np.uint8)


def _build_findings(
    rows: Judged,
    marks: Sequence[Mark],
    ragged: Ragged,
    positions: Sequence[str] | None,
) -> Findings:
    """Answers the findings of all marks by line; within a line errors come first."""
    index = np.concatenate([marked for marked, _ in marks])
    codes = np.concatenate([code if isinstance(code, np.ndarray) else _repeat(code, len(rows)) for rows, code in marks])
    is_error = np.arange(len(index)) < len(marks[0][0])
    blind = is_error & (rows.mbi[index] == NO_MBI)
    lines = np.concatenate([rows.line[index], ragged.line])
    codes = np.concatenate([codes, _repeat(CODE_INDEX["ragged_row"], len(ragged.line))])
    blind = np.concatenate([blind, ragged.mbi == NO_MBI])
    order = np.argsort(lines, kind="stable")
    if positions is not None:
        return Findings([positions[index[place]] for place in order.tolist()], codes[order], blind[order])
    return Findings(lines[order], codes[order], blind[order])
