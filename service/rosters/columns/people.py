"""People of a roster, made one by one from columns only when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.domain.demographics import is_contradiction
from service.rosters.columns.evaluate import Judged
from service.rosters.columns.kernels import FEW, Rows, number_column, number_texts, take_cells, unpack_codes
from service.rosters.reading import Demographics
from service.rosters.values import find_gender, find_name, read_birth_date, split_whole_name

_SLICE = 8_192
_TELLING_APART = ("birth_date", "last_name", "whole_name")
"""Rows of a patient that agree in these words contradict nothing."""

if TYPE_CHECKING:
    StringChunks = pa.ChunkedArray[pa.StringScalar]
    StringColumn = pa.Array[pa.StringScalar]

Read = TypeVar("Read")


class PiecedColumn:
    """A column of text in the pieces it was read in: to join them would take its memory twice."""

    def __init__(self, pieces: Sequence[StringColumn]) -> None:
        self._pieces = pieces
        self._starts = np.array([0, *accumulate(len(piece) for piece in pieces[:-1])])

    def take(self, rows: Rows) -> StringColumn:
        """Answers the cells of some rows, in the order of the rows."""
        if len(self._pieces) == 1:
            return take_cells(self._pieces[0], rows)
        place = np.searchsorted(self._starts, rows, side="right") - 1
        taken = [
            take_cells(self._pieces[piece], rows[place == piece] - self._starts[piece]) for piece in np.unique(place)
        ]
        joined = pa.concat_arrays(taken) if taken else self._pieces[0][:0]
        if (place[1:] >= place[:-1]).all():
            return joined
        return take_cells(joined, np.argsort(np.argsort(place, kind="stable")))

    def number(self, rows: Rows) -> NDArray[np.signedinteger[Any]]:
        """Answers a number for each of some rows, the same for the same text."""
        if len(self._pieces) == 1:
            return number_texts(self._pieces[0], rows)
        return number_column(self.take(rows))


@dataclass(frozen=True, slots=True, eq=False)
class ColumnPeople(Sequence[Demographics]):
    """One `Demographics` per patient: the rows of the patients, and the columns that hold their cells."""

    rows: Rows
    mbi: NDArray[np.uint64]
    line: NDArray[np.int32]
    cells: Mapping[str, PiecedColumn]

    @property
    def codes(self) -> NDArray[np.uint64]:
        """The packed MBI of each."""
        return self.mbi[self.rows]

    def take(self, places: NDArray[np.intp]) -> list[Demographics]:
        """Answers the people at these places, in the order of the places."""
        return self._build(self.rows[places])

    def find_contradicting(self, repeated: Rows) -> list[int]:
        """Answers the lines, of all rows of patients with several, that contradict an earlier one of the patient.

        Nearly all of them say the same in the same words and are passed over by columns; the others are compared one
        by one.
        """
        lines: list[int] = []
        known: dict[str, Demographics] = {}
        unlike = self._find_unlike(repeated)
        for start in range(0, len(unlike), _SLICE):
            for told in self._build(unlike[start : start + _SLICE]):
                first = known.setdefault(told.mbi, told)
                if is_contradiction(first, told):
                    lines.append(int(told.position))
                else:
                    known[told.mbi] = replace(
                        first, family=first.family or told.family, birth_on=first.birth_on or told.birth_on
                    )
        return lines

    def _find_unlike(self, repeated: Rows) -> Rows:
        """Answers, of all rows of patients with several, those of patients who are not described in the same words."""
        if not len(repeated):
            return repeated
        if len(repeated) <= FEW:
            return self._find_unlike_of_few(repeated)
        order = np.argsort(self.mbi[repeated], kind="stable")
        codes = self.mbi[repeated[order]]
        starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
        sizes = np.diff(starts, append=len(codes))
        unlike = np.zeros(len(repeated), np.bool_)
        for role in _TELLING_APART:
            if role in self.cells:
                words = self.cells[role].number(repeated)[order]
                unlike |= words != np.repeat(words[starts], sizes)
        found: Rows = repeated[order][np.repeat(np.bitwise_or.reduceat(unlike, starts), sizes)]
        return found

    def _find_unlike_of_few(self, repeated: Rows) -> Rows:
        """Answers the same row by row, which is quicker where few are."""
        words = [self.cells[role].number(repeated).tolist() for role in _TELLING_APART if role in self.cells]
        if not words:
            return repeated[:0]
        codes = self.mbi[repeated].tolist()
        first: dict[int, tuple[int, ...]] = {}
        said = zip(codes, zip(*words, strict=True), strict=True)
        unlike = {code for code, word in said if first.setdefault(code, word) != word}
        return repeated[[code in unlike for code in codes]] if unlike else repeated[:0]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Demographics: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Demographics]: ...
    def __getitem__(self, index: int | slice) -> Demographics | Sequence[Demographics]:
        if isinstance(index, slice):
            return ColumnPeople(self.rows[index], self.mbi, self.line, self.cells)
        place = range(len(self))[index]
        return self._build(self.rows[place : place + 1])[0]

    def __iter__(self) -> Iterator[Demographics]:
        for start in range(0, len(self), _SLICE):
            yield from self._build(self.rows[start : start + _SLICE])

    def _build(self, rows: Rows) -> list[Demographics]:
        mbis = unpack_codes(self.mbi[rows])
        lines = self.line[rows].tolist()
        given, family = self._build_names(rows)
        born = self._read_distinct("birth_date", rows, lambda cell: read_birth_date(cell).on)
        gender = self._read_distinct("gender", rows, find_gender)
        return [
            Demographics(mbi, its_given, its_family, on, code, str(line))
            for mbi, its_given, its_family, on, code, line in zip(mbis, given, family, born, gender, lines, strict=True)
        ]

    def _build_names(self, rows: Rows) -> tuple[list[str | None], list[str | None]]:
        given = self._read_distinct("first_name", rows, find_name)
        family = self._read_distinct("last_name", rows, find_name)
        if "whole_name" in self.cells:
            whole = self._read_distinct("whole_name", rows, split_whole_name)
            for place, names in enumerate(whole):
                if names and given[place] is None and family[place] is None:
                    given[place], family[place] = names
        return given, family

    def _read_distinct(self, role: str, rows: Rows, read: Callable[[str], Read | None]) -> list[Read | None]:
        """Answers what each cell of a role says; what many rows share is read once."""
        if role not in self.cells:
            return [None] * len(rows)
        texts = self.cells[role].take(rows).to_pylist()
        said = {text: read(text or "") for text in set(texts)}
        return [said[text] for text in texts]


def build_people(rows: Judged, chosen: Rows, cells: Mapping[str, StringChunks]) -> Sequence[Demographics]:
    """Answers the people of the chosen rows; nothing where the file names nobody."""
    if not cells or len(chosen) == 0:
        return ()
    pieces = {role: PiecedColumn(column.chunks) for role, column in cells.items()}
    return ColumnPeople(chosen, rows.mbi, rows.line, pieces)
