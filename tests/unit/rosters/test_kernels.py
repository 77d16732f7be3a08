"""The array kernels say of every cell exactly what the rules of the domain say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.identifiers import LOOSE_ALPHABETS, Environment, pack_mbi, read_mbi, read_npi
from service.rosters.columns.fixed import gather_fixed
from service.rosters.columns.kernels import (
    FEW,
    NO_MBI,
    NO_NPI,
    build_strings,
    number_texts,
    pack_mbi_column,
    read_npi_column,
    take_texts,
    unpack_codes,
    view_strings,
)
from service.rosters.columns.repairs import repair_mbis, repair_npis
from service.rosters.findings import CODES

SEEDS = [
    "1S00E00AA00",
    "1EG4TE5MK73",
    "1s00-e00-aa00",
    "900000001C1",
    "1E+10",
    "NA",
    "WA900000",
    "0S00E00AA00",
    "900000001.0",
]
NPI_SEEDS = ["3905293015", "2323232225", "808403905293015", "3905293015.0", "3.9E+09", "N/A", "0000000006"]
NOISE = "01Ss9OZAe- .'=\"+\u2013\u00a0\uff11#\u200e\u202e\u2068\u2002\u3000"


def mutate(seeds: list[str]) -> st.SearchStrategy[str]:
    """Seeds with a few characters changed, put in or taken out."""
    edits = st.lists(st.tuples(st.integers(0, 16), st.sampled_from(NOISE), st.integers(0, 2)), max_size=3)

    def apply(seed: str, changes: list[tuple[int, str, int]]) -> str:
        for place, char, cut in changes:
            seed = seed[:place] + char + seed[place + cut :]
        return seed

    return st.builds(apply, st.sampled_from(seeds), edits)


CELLS = st.lists(st.one_of(mutate(SEEDS + NPI_SEEDS), st.text(max_size=20)), min_size=1, max_size=20)


@pytest.mark.parametrize("environment", list(Environment))
@pytest.mark.parametrize("few", [0, 64])
@settings(deadline=None)
@given(cells=CELLS)
def test_repairs_of_mbis_agree_with_the_rules(environment: Environment, few: int, cells: list[str]) -> None:
    packed, codes = repair_mbis(build_strings(cells), np.arange(len(cells)), environment, few)
    for cell, code, fault in zip(cells, packed.tolist(), codes.tolist(), strict=True):
        wanted = read_mbi(cell, environment)
        assert CODES[fault] == (wanted.code or "")
        assert code == (pack_mbi(wanted.value) if wanted.value else int(NO_MBI))


@pytest.mark.parametrize("environment", list(Environment))
@pytest.mark.parametrize("few", [0, 64])
@settings(deadline=None)
@given(cells=CELLS)
def test_repairs_of_npis_agree_with_the_rules(environment: Environment, few: int, cells: list[str]) -> None:
    npis, codes = repair_npis(build_strings(cells), np.arange(len(cells)), environment, few)
    for cell, npi, fault in zip(cells, npis.tolist(), codes.tolist(), strict=True):
        wanted = read_npi(cell, environment)
        assert CODES[fault] == (wanted.code or "")
        assert npi == (int(wanted.value) if wanted.value else int(NO_NPI))


@pytest.mark.parametrize("environment", list(Environment))
@settings(deadline=None)
@given(cells=CELLS)
def test_the_tables_accept_canonical_and_allowed_cells_only(environment: Environment, cells: list[str]) -> None:
    column = build_strings(cells)
    for cell, code in zip(cells, pack_mbi_column(column, environment).tolist(), strict=True):
        wanted = read_mbi(cell, environment)
        assert code == (pack_mbi(cell) if wanted.value == cell else int(NO_MBI))
    for cell, npi in zip(cells, read_npi_column(column, environment).tolist(), strict=True):
        assert npi == (int(cell) if read_npi(cell, environment).value == cell else int(NO_NPI))


@pytest.mark.parametrize("odd", [0, 1, 2, 40, 200])
def test_few_and_many_cells_of_another_width_leave_the_others_as_they_are(odd: int) -> None:
    """The cells between those of another width are copied at once where these are few, and one by one otherwise."""
    cells = [f"1S00E00AA{place % 100:02d}" for place in range(200)]
    for place in range(odd):
        cells[place * 199 // max(odd - 1, 1)] = ("", "1S00", "1S00E00AA001")[place % 3]
    offsets, content = view_strings(build_strings(["before", *cells])[1:])
    text = gather_fixed(offsets, content, 11)
    assert [bytes(row) for row in text] == [cell.encode() if len(cell) == 11 else bytes(11) for cell in cells]


@settings(deadline=None)
@given(st.lists(st.tuples(*(st.sampled_from(alphabet) for alphabet in LOOSE_ALPHABETS)).map("".join)))
def test_unpacking_a_column_undoes_packing(mbis: list[str]) -> None:
    assert unpack_codes(np.array([pack_mbi(mbi) for mbi in mbis], np.uint64)) == mbis


@pytest.mark.parametrize("cells", [[], [""], ["1"], ["", "1S00E00AA00"], ["1S00E00AA00", ""]])
def test_columns_with_less_text_than_one_identifier_are_read(cells: list[str]) -> None:
    wanted = [pack_mbi(cell) if cell == "1S00E00AA00" else int(NO_MBI) for cell in cells]
    assert pack_mbi_column(build_strings(cells), Environment.SANDBOX).tolist() == wanted
    assert read_npi_column(build_strings(cells), Environment.SANDBOX).tolist() == [int(NO_NPI)] * len(cells)


@settings(deadline=None)
@given(cells=st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=20), many=st.booleans())
def test_texts_of_rows_are_told_apart_one_by_one_and_by_columns(cells: list[str | None], many: bool) -> None:
    column = build_strings(cells)
    rows = np.array([*reversed(range(len(cells))), 0] * (FEW if many else 1))
    wanted = [cells[row] or "" for row in rows.tolist()]
    assert take_texts(column, rows) == wanted
    numbers = number_texts(column, rows).tolist()
    assert len(set(zip(wanted, numbers, strict=True))) == len(set(wanted)) == len(set(numbers))
