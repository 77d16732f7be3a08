"""Excel workbooks: the one sheet with a header, values as typed, and what the sender did not see."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from workbooks import build_workbook, write_row

CheckText = Callable[..., dict[str, Any]]

A, B, C, D = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02", "1S00E00AA03"
N, M = "3905293015", "2323232225"
HEADER = write_row(1, "MBI", "NPI")
FORMULA = '<c r="REF"><f>B1</f></c>'
CACHED = f'<c r="REF" t="str"><f>B1</f><v>{N}</v></c>'
FAULT = '<c r="REF" t="e"><v>#N/A</v></c>'


def build_sheet(*rows: str) -> bytes:
    return build_workbook({"Roster": "".join(rows)})


def test_numbers_are_read_as_they_look_and_rows_by_their_number(check_text: CheckText) -> None:
    sheet = build_sheet(
        write_row(3, "Report of today"),
        write_row(5, "MBI", "NPI", "DOB"),
        write_row(7, A, N, "14304"),
        write_row(8, B, '<c r="REF"><v>3.905293015E9</v></c>', ""),
        write_row(9, C, '<c r="REF"><v>3905293015.5</v></c>', ""),
        write_row(10, "Total", "3"),
    )
    found = check_text(sheet, "roster.xlsx")
    assert (found["format"], found["file_error"]) == ("xlsx", None)
    assert found["present"] == [[A, N], [B, N]]
    assert found["errors"] == [[9, "npi_format"]]
    assert found["warnings"] == [[7, "dob_excel_serial"]]


def test_a_formula_counts_by_its_stored_value_and_is_an_error_without_one(check_text: CheckText) -> None:
    found = check_text(build_sheet(HEADER, write_row(2, A, CACHED), write_row(3, B, FORMULA), write_row(4, FORMULA, M)))
    assert found["present"] == [[A, N]]
    assert found["errors"] == [[3, "npi_missing"], [4, "mbi_missing"]]
    assert (found["protected_mbis"], found["blind_errors"]) == ([B], 1)


@pytest.mark.parametrize("cell", [FORMULA, FAULT])
def test_a_cell_without_value_never_stands_for_all_practitioners(check_text: CheckText, cell: str) -> None:
    found = check_text(build_sheet(write_row(1, "Action", "MBI", "NPI"), write_row(2, "delete", A, cell)))
    assert (found["remove"], found["protected_mbis"], len(found["errors"])) == ([], [A], 1)


def test_a_row_of_nothing_but_formulas_is_not_overlooked(check_text: CheckText) -> None:
    found = check_text(build_sheet(HEADER, write_row(2, A, N), write_row(3, FORMULA, FORMULA)))
    assert (found["errors"], found["blind_errors"]) == ([[3, "mbi_missing"]], 1)


def test_hidden_rows_count_and_are_remarked_on(check_text: CheckText) -> None:
    rows = [HEADER, write_row(2, A, N), write_row(3, B, N, more='hidden="1"'), write_row(4, "", "", more='hidden="1"')]
    found = check_text(build_sheet(*rows))
    assert found["present"] == [[A, N], [B, N]]
    assert found["warnings"] == [[3, "hidden_rows"]]


def test_a_hidden_sheet_counts_and_is_remarked_on(check_text: CheckText) -> None:
    book = build_workbook({"Seen": write_row(1, "Notes"), "Data": HEADER + write_row(2, A, N)}, frozenset({"Data"}))
    found = check_text(book)
    assert (found["present"], found["warnings"]) == ([[A, N]], [[1, "hidden_rows"]])


@pytest.mark.parametrize(
    "sheets",
    [{"One": HEADER + write_row(2, A, N), "Two": HEADER + write_row(2, B, N)}, {"One": write_row(1, "Patient")}, {}],
)
def test_exactly_one_sheet_may_have_a_header(check_text: CheckText, sheets: dict[str, str]) -> None:
    found = check_text(build_workbook(sheets))
    assert found["file_error"] in ({"ambiguous_sheets"} if sheets else {"ambiguous_sheets", "unsupported_format_xlsx"})


def test_a_sheet_may_list_practitioners(check_text: CheckText) -> None:
    rows = write_row(1, "NPI", "First name", "Last name") + write_row(2, N, "Jane", "Doe") + write_row(3, "1", "", "")
    found = check_text(build_workbook({"People": rows}))
    assert (found["format"], found["errors"]) == ("practitioners_xlsx", [[3, "npi_length"]])


def test_the_rules_of_tables_hold(check_text: CheckText) -> None:
    two = check_text(build_sheet(write_row(1, "MBI", "NPI", "PCP NPI"), write_row(2, A, N, N)))
    assert two["file_error"] == "ambiguous_columns"
    counted = check_text(build_sheet(HEADER, write_row(2, A, N), write_row(3, "Total", "7")))
    assert counted["file_error"] == "count_mismatch"
    assert check_text(build_sheet(HEADER, write_row(2, A, N)), "changes.xlsx")["mode_signal"] == "delta"


def rebuild(book: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return stream.getvalue()


DOCTYPE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
CHANGES: list[Callable[[str, bytes], bytes | None]] = [
    lambda name, content: None if name == "xl/workbook.xml" else content,
    lambda name, content: None if name.endswith(".rels") else content,
    lambda name, content: None if "sheet1" in name else content,
    lambda name, content: content[:-5] if "sheet1" in name else content,
    lambda name, content: DOCTYPE + content if "sheet1" in name else content,
    lambda name, content: content.replace(b'r="A2"', b'r="2A"') if "sheet1" in name else content,
]


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
def test_a_damaged_workbook_is_refused(check_text: CheckText, change: Callable[[str, bytes], bytes | None]) -> None:
    book = rebuild(build_sheet(HEADER, write_row(2, A, N)), change)
    assert check_text(book)["file_error"] == "unsupported_format_xlsx"


def test_a_workbook_cut_anywhere_is_refused(check_text: CheckText) -> None:
    book = build_sheet(HEADER, write_row(2, A, N))
    for cut in range(4, len(book), 97):
        assert check_text(book[:cut])["file_error"] is not None


STYLED = "".join(f'<row r="{line}"><c r="A{line}" s="1"/><c r="B{line}" s="1"/></row>' for line in range(3, 20_000))
SPARSE = {
    "an empty sheet beside it": {"Roster": HEADER + write_row(2, A, N), "Sheet2": "", "Sheet3": ""},
    "hundreds of blank rows": {"Roster": HEADER + write_row(2, A, "") + write_row(900, A, N)},
    "a remark far below": {"Roster": HEADER + write_row(2, A, N) + write_row(60_000, "", "", "checked")},
    "a remark far to the right": {"Roster": HEADER + write_row(2, A, N) + '<row r="3"><c r="XFA3" t="str"/></row>'},
    "cells that are only styled": {"Roster": HEADER + write_row(2, A, N) + STYLED},
    "a title far into a second sheet": {"Roster": HEADER + write_row(2, A, N), "Notes": write_row(30_000, "Notes")},
}


@pytest.mark.parametrize("name", SPARSE)
def test_a_workbook_may_be_rather_empty(check_text: CheckText, name: str) -> None:
    found = check_text(build_workbook(SPARSE[name]))
    assert (found["file_error"], found["present"]) == (None, [[A, N]])
