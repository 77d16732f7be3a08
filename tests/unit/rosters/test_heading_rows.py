"""The headings that a person maps columns by: found where they are sure, and never a row about a patient."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbooks import build_workbook, write_row

from service.domain.identifiers import Environment
from service.rosters.heading_rows import Headings, read_headings
from service.rosters.headings import hash_header
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions

FindHeadings = Callable[..., Headings | None]

A, B, C = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02"
N, M = "3905293015", "2323232225"


@pytest.fixture
def find_headings(tmp_path: Path) -> FindHeadings:
    def find(text: str | bytes, **options: Any) -> Headings | None:
        path = tmp_path / "roster"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_headings(path, RosterOptions(Environment.SANDBOX, **options))

    return find


FOUND = [
    # text, the cells, their line
    (f"MBI,NPI\n{A},{N}\n", ("MBI", "NPI"), 1),
    ("MBI,NPI\n", ("MBI", "NPI"), 1),
    (f"MBI,Rendering NPI,PCP NPI\n{A},{N},{M}\n", ("MBI", "Rendering NPI", "PCP NPI"), 1),
    (f"A title\nof today\n\n MBI ;NPI\u00a0;\n{A};{N};\n", ("MBI", "NPI", ""), 4),
    (f'"A\ntitle"\nMember ID|Doctor\nW123456789|{N}\n', ("Member ID", "Doctor"), 3),
    (f"Member ID\tDoctor\n{A}\t{N}\n", ("Member ID", "Doctor"), 1),
    (
        f"Practice:,Happy Healthcare,\nAs of,08/05/2021,\nMember,Doctor,Born\n{A},{N},\n",
        ("Member", "Doctor", "Born"),
        3,
    ),
    (f",Member,Doctor\n0,{A},{N}\n1,{B},{M}\n", ("", "Member", "Doctor"), 1),
    (f"#,Member,Doctor,% of visits 2021\n1,{A},{N},9\n2,{B},{M},7\n", ("#", "Member", "Doctor", "% of visits 2021"), 1),
    (f"Member,Doctor\n{A},{N}\nTotal: 1\n", ("Member", "Doctor"), 1),
    (f"Numéro,Médecin\n{A},{N}\n".encode("cp1252"), ("Numéro", "Médecin"), 1),
    (f"Numéro,Médecin\n{A},{N}\n".encode("utf-16"), ("Numéro", "Médecin"), 1),
    (gzip.compress(f"Member,Doctor\n{A},{N}\n".encode()), ("Member", "Doctor"), 1),
]


@pytest.mark.parametrize(("text", "cells", "line"), FOUND, ids=range(len(FOUND)))
def test_headings_are_found(find_headings: FindHeadings, text: str | bytes, cells: tuple[str, ...], line: int) -> None:
    assert find_headings(text) == Headings(cells, hash_header(cells), line)


PATIENTS = [
    "",
    f"{A},{N}\n{B},{M}\n",
    f"{A},Doe,Ann,{N}\n{B},Roe,Luz,{M}\n",
    f"Doe,Ann\n{A},{N}\n{B},{M}\n".replace("Doe,Ann", f"Doe,{A}"),
    f"Doe,Ann,,\nRoe,Luz,{A},{N}\n",
    f"Doe,Ann,N/A,unknown\nRoe,Luz,{A},{N}\n",
    f"Doe,Ann,F,NY,none\nRoe,Luz,F,TX,{A}\n",
    f"Doe,Ann,F,NY\nRoe,Luz,F,{A}\n",
    f"Roe,Luz,F,{A}\nDoe,Ann,F,Missouri\nPoe,Eve,M,{B}\n",
    "Doe,Ann,1940-01-01\nRoe,Luz,1941-01-01\n",
    f"Doe,Ann,1940-01-01\nRoe,Luz\n{A},{N}\n",
    f"987-65-4329,Doe\n{A},Roe\n",
    f"987654329A,Doe\n{A},Roe\n",
    f"W00012345,Doe\n{A},Roe\n",
    f"01/02/1940,Doe\n{A},Roe\n",
    f"42,Doe\n{A},Roe\n",
    "Doe,Ann\nRoe,Luz\n",
    "Doe,Ann\n",
    f"One heading\n{A}\n",
    "a,b\n" * 20 + f"Member,Doctor\n{A},{N}\n",
    b"\xff\xfe\x00",
    b"%PDF-1.7",
    f'[["{A}","{N}"]]',
    f'Member,Doctor,"Nam\n{A},{N},x\n',
    "x" * 300_000,
]


@pytest.mark.parametrize("text", PATIENTS, ids=range(len(PATIENTS)))
def test_what_could_be_a_patient_is_never_taken_for_headings(find_headings: FindHeadings, text: str | bytes) -> None:
    assert find_headings(text) is None


CELLS = st.sampled_from(["Doe", "Ann", "F", "", "N/A", "1940-01-01", "02/28/1939", "W00012345", "x@y.z", "3"])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8))
def test_a_table_without_header_has_no_headings(
    find_headings: FindHeadings, people: list[tuple[str, str, str]]
) -> None:
    rows = "".join(f"1S00E00AA{place:02d},{','.join(cells)},{N}\n" for place, cells in enumerate(people))
    assert find_headings(rows) is None


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_mapping_by_these_headings_reads_the_file(
    find_headings: FindHeadings, tmp_path: Path, delimiter: str
) -> None:
    text = f"Member,Doctor,Since\n{A},{N},2020\n".replace(",", delimiter)
    headings = find_headings(text)
    assert headings
    mapping = {"mbi": headings.cells[0], "npi": headings.cells[1]}
    options = RosterOptions(Environment.SANDBOX, column_mapping=mapping, header_hash=headings.header_hash)
    reading = read_roster(tmp_path / "roster", options)
    assert (reading.file_error, reading.header_hash, len(reading.present)) == (None, headings.header_hash, 1)


def test_a_mapping_that_no_longer_fits_does_not_hide_the_headings(find_headings: FindHeadings) -> None:
    found = find_headings("MBI,NPI\n", column_mapping={"mbi": "Member"}, header_hash="old")
    assert found and found.cells == ("MBI", "NPI")


def test_the_encoding_of_the_feed_counts(find_headings: FindHeadings) -> None:
    text = f"Numéro,Médecin\n{A},{N}\n".encode("cp1252")
    assert find_headings(text, encoding="utf-8") is None
    found = find_headings(text, encoding="windows-1252")
    assert found and found.cells[0] == "Numéro"


NOTES = write_row(1, "Read me")
TABLE = write_row(1, "A title") + write_row(2, "Member", "Doctor") + write_row(3, A, N)
KNOWN = write_row(1, "MBI", "NPI") + write_row(2, A, N)
BOOKS: list[tuple[dict[str, str], Headings | None]] = [
    ({"a": NOTES, "b": TABLE}, Headings(("Member", "Doctor"), hash_header(["Member", "Doctor"]), 2, 2)),
    ({"a": TABLE, "b": KNOWN}, Headings(("MBI", "NPI"), hash_header(["MBI", "NPI"]), 1, 2)),
    ({"a": KNOWN, "b": KNOWN}, None),
    ({"a": NOTES}, None),
    ({"a": write_row(1, A, N) + write_row(2, B, M)}, None),
    ({"a": write_row(1, "Doe", "Ann") + write_row(2, C, M, N)}, None),
]


@pytest.mark.parametrize(("sheets", "headings"), BOOKS, ids=range(len(BOOKS)))
def test_headings_of_a_workbook(find_headings: FindHeadings, sheets: dict[str, str], headings: Headings | None) -> None:
    assert find_headings(build_workbook(sheets)) == headings


def test_a_damaged_workbook_has_no_headings(find_headings: FindHeadings) -> None:
    assert find_headings(build_workbook({"a": KNOWN})[:-40]) is None
