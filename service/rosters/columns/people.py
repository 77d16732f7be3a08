"""People of a roster, made one by one from columns only when somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.rosters.columns.assemble import Rows
from service.rosters.columns.evaluate import Judged
from service.rosters.columns.kernels import unpack_codes
from service.rosters.reading import Demographics
from service.rosters.values import find_gender, find_name, read_birth_date, split_whole_name

_SLICE = 8_192

if TYPE_CHECKING:
    StringColumn = pa.ChunkedArray[pa.StringScalar]


@dataclass(frozen=True, slots=True, eq=False)
class ColumnPeople(Sequence[Demographics]):
    """One `Demographics` per patient: the rows of the patients, and the columns that hold their cells."""

    rows: Rows
    mbi: NDArray[np.uint64]
    line: NDArray[np.int32]
    cells: Mapping[str, StringColumn]

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
        return self._build(slice(place, place + 1))[0]

    def __iter__(self) -> Iterator[Demographics]:
        for start in range(0, len(self), _SLICE):
            yield from self._build(slice(start, start + _SLICE))

    def _build(self, chosen: slice) -> list[Demographics]:
        rows = self.rows[chosen]
        cells = {role: column.take(rows).to_pylist() for role, column in self.cells.items()}
        mbis = unpack_codes(self.mbi[rows])
        lines = self.line[rows].tolist()
        return [
            _build_person(mbi, line, {role: texts[place] or "" for role, texts in cells.items()})
            for place, (mbi, line) in enumerate(zip(mbis, lines, strict=True))
        ]


def build_people(rows: Judged, chosen: Rows, cells: Mapping[str, StringColumn]) -> Sequence[Demographics]:
    """Answers the people of the chosen rows; nothing where the file names nobody."""
    return ColumnPeople(chosen, rows.mbi, rows.line, cells) if cells and len(chosen) else ()


def _build_person(mbi: str, line: int, cells: Mapping[str, str]) -> Demographics:
    given, family = find_name(cells.get("first_name")), find_name(cells.get("last_name"))
    if given is None and family is None:
        given, family = split_whole_name(cells.get("whole_name"))
    return Demographics(
        mbi=mbi,
        given=given,
        family=family,
        birth_on=read_birth_date(cells.get("birth_date", "")).on,
        gender=find_gender(cells.get("gender", "")),
        position=str(line),
    )
