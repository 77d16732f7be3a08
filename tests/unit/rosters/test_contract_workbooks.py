"""Workbooks as senders save them: numbers, dates, formulas, hidden rows and sheets; each with its whole result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from readings import build_result
from workbooks import build_workbook, write_row

CheckText = Callable[..., dict[str, Any]]

A, B, C, D = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02", "1S00E00AA03"
N, M = "3905293015", "2323232225"
HEADER = write_row(1, "MBI", "NPI", "DOB")
TWO = {"present": [[A, N], [B, M]]}


def write_number(text: str) -> str:
    return f'<c r="REF"><v>{text}</v></c>'


def write_formula(value: str = "", kind: str = "") -> str:
    return f'<c r="REF" {kind}><f>Z1</f>{value}</c>'


def write_error(text: str, formula: str = "") -> str:
    return f'<c r="REF" s="0" t="e">{formula}<v>{text}</v></c>'


FOREIGN_ERRORS = [
    "#ERROR!", "#GETTING_DATA", "#SPILL!", "#CALC!", "#FIELD!", "#UNKNOWN!", "#BLOCKED!", "#CONNECT!", "#EXTERNAL!",
    "#BUSY!", "#PYTHON!", " #N/A", "Err:502",
]  # fmt: skip
EMPTY, NOT_YET = "<v></v>", "<v/>"
Rows = tuple[str, ...]

SHEETS: list[tuple[str, Rows, dict[str, Any]]] = [
    ("numbers whole and as floats", (
        HEADER, write_row(2, A, write_number("3905293015"), ""), write_row(3, B, write_number("2323232225.0"), ""),
    ), TWO),
    ("numbers as text and in wrappers", (
        HEADER, write_row(2, A, f"'{N}", ""), write_row(3, f"\u00a0{B}\u200b", write_number("808402323232225"), ""),
    ), TWO),
    ("numbers damaged", (
        HEADER,
        write_row(2, A, "3.90529E+09", ""),
        write_row(3, B, write_number("3.90529E9"), ""),
        write_row(4, C, write_number("390529301"), ""),
        write_row(5, D, write_number("3905293015.5"), ""),
    ), {
        "errors": [[2, "npi_scientific"], [3, "npi_luhn"], [4, "npi_length"], [5, "npi_format"]],
        "protected_mbis": [A, B, C, D],
    }),
    ("numbers of another kind in place of the MBI", (
        HEADER,
        write_row(2, write_number("987654329"), N, ""),
        write_row(3, write_number("987654329.0"), N, ""),
        write_row(4, "987654329A", N, ""),
        write_row(5, write_number("19990000002901"), N, ""),
    ), {
        "errors": [[2, "mbi_is_ssn"], [3, "mbi_is_ssn"], [4, "mbi_is_hicn"], [5, "mbi_length"]], "blind_errors": 4,
    }),
    ("birth dates", (
        HEADER, write_row(2, A, N, write_number("15866")), write_row(3, B, M, "6/8/43"), write_row(4, C, M, "06.08.43"),
    ), {
        "present": [[A, N], [B, M], [C, M]],
        "warnings": [[2, "dob_excel_serial"], [3, "dob_two_digit_year"], [4, "dob_unparseable"]],
    }),
    ("errors in cells", (
        HEADER,
        write_row(2, A, '<c r="REF" t="e"><v>#N/A</v></c>', ""),
        write_row(3, '<c r="REF" t="e"><v>#NUM!</v></c>', N, ""),
        write_row(4, B, M, '<c r="REF" t="e"><v>#VALUE!</v></c>'),
    ), {
        "present": [[B, M]], "errors": [[2, "npi_format"], [3, "mbi_format"]], "warnings": [[4, "dob_unparseable"]],
        "protected_mbis": [A], "blind_errors": 1,
    }),
    *[
        (f"errors that other programs write, {text}", (
            write_row(1, "MBI", "NPI", "First Name", "Note"),
            write_row(2, A, write_error(text, "<f>Z1</f>"), "", ""),
            write_row(3, write_error(text), N, "", ""),
            write_row(4, B, M, write_error(text), write_error(text, "<f>Z1</f>")),
            write_row(5, C, N, "", '<c r="REF" t="e"><v>#REF!</v></c>'),
        ), {
            "present": [[B, M], [C, N]], "errors": [[2, "npi_format"], [3, "mbi_format"]],
            "protected_mbis": [A], "blind_errors": 1,
        })
        for text in FOREIGN_ERRORS
    ],
    ("a death by an error that other programs write", (
        write_row(1, "MBI", "NPI", "Death Date"), write_row(2, A, N, write_error("#ERROR!")), write_row(3, B, M, ""),
    ), {"present": [[B, M]], "errors": [[2, "deceased_hold"]], "protected_mbis": [A]}),
    ("formulas with a stored value", (
        HEADER,
        write_row(2, A, write_formula(f"<v>{N}</v>"), ""),
        write_row(3, write_formula(f"<v>{B}</v>", 't="str"'), M, write_formula(EMPTY, 't="str"')),
    ), TWO),
    *[
        (f"formulas without a stored value, {name}", (
            HEADER,
            write_row(2, A, write_formula(value), ""),
            write_row(3, write_formula(value), N, ""),
            write_row(4, B, M, write_formula(value)),
        ), {
            "errors": [[2, "npi_missing"], [3, "mbi_missing"], [4, "formula_without_value"]],
            "protected_mbis": [A, B], "blind_errors": 1,
        })
        for name, value in [("none", ""), ("an empty one", EMPTY), ("not yet one", NOT_YET), ("blanks", "<v> \n</v>")]
    ],
    ("formulas without a stored value about people", (
        write_row(1, "MBI", "NPI", "First Name", "Last Name", "Sex", "Note"),
        write_row(2, A, N, write_formula(NOT_YET), "Doe", "F", ""),
        write_row(3, B, M, "Ann", write_formula(NOT_YET), "F", ""),
        write_row(4, C, N, "Ann", "Doe", write_formula(NOT_YET), ""),
        write_row(5, D, N, "Ann", "Doe", "F", write_formula(NOT_YET)),
    ), {
        "present": [[D, N]], "errors": [[line, "formula_without_value"] for line in (2, 3, 4)],
        "protected_mbis": [A, B, C],
    }),
    ("formulas without a stored value in rows that are wrong anyway", (
        HEADER, write_row(2, "x", N, write_formula(NOT_YET)), write_row(3, B, "1", write_formula(NOT_YET)),
    ), {"errors": [[2, "mbi_length"], [3, "npi_length"]], "protected_mbis": [B], "blind_errors": 1}),
    ("a removal with a formula that was never calculated", (
        write_row(1, "Action", "MBI", "NPI", "DOB"), write_row(2, "delete", A, N, write_formula(NOT_YET)),
    ), {"mode_signal": "delta", "errors": [[2, "formula_without_value"]], "protected_mbis": [A]}),
    ("hidden and filtered rows", (
        HEADER, write_row(2, A, N, "", more='hidden="1"'), write_row(3, B, M, "", more='hidden="true"'),
    ), {**TWO, "warnings": [[2, "hidden_rows"], [3, "hidden_rows"]]}),
    ("rows of no height", (
        HEADER, write_row(2, A, N, "", more='ht="0" customHeight="1"'), write_row(3, B, M, "", more='ht="15"'),
    ), {**TWO, "warnings": [[2, "hidden_rows"]]}),
    ("a title, blank rows and a trailer", (
        write_row(1, "Our list"), write_row(3, "MBI", "NPI", "DOB"), write_row(4, A, N, ""), write_row(5, "", " ", ""),
        write_row(7, B, M, ""), write_row(8, "Total", "2"),
    ), TWO),
    ("a trailer that counts otherwise", (HEADER, write_row(2, A, N, ""), write_row(3, "Total records: 2")), {
        "file_error": "count_mismatch",
    }),
    ("a table that begins in the second column", (
        write_row(1, "", "MBI", "NPI"), write_row(2, "", A, N), write_row(3, "", B, M), write_row(4, "", "Total: 2"),
    ), TWO),
    ("a remark beside the table", (
        HEADER, write_row(2, A, N, "", "", "", "see below"), write_row(3, B, M, ""),
    ), TWO),
    ("a row that is too short", (HEADER, write_row(2, A), write_row(3, B, M, "")), {
        "present": [[B, M]], "errors": [[2, "npi_missing"]], "protected_mbis": [A],
    }),
    ("actions, of which numbers have lost their zeros", (
        write_row(1, "Action", "MBI", "NPI"), write_row(2, "021", A, N), write_row(3, "024", B, ""),
        write_row(4, '<c r="REF"><v>21</v></c>', C, N), write_row(5, write_formula(NOT_YET), D, N),
    ), {
        "mode_signal": "delta", "errors": [[line, "bad_action"] for line in (2, 3, 4, 5)],
        "protected_mbis": [A, B, C, D],
    }),
    ("actions as words", (
        write_row(1, "Active or removed", "MBI", "NPI"), write_row(2, "Active", A, N), write_row(3, "Removed", B, ""),
    ), {"mode_signal": "delta", "present": [[A, N]], "remove": [[B, None]]}),
    ("removals by a formula that was never calculated", (
        write_row(1, "Action", "MBI", "NPI"), write_row(2, "D", A, write_formula(NOT_YET)),
    ), {"mode_signal": "delta", "errors": [[2, "npi_missing"]], "protected_mbis": [A]}),
    ("deaths and ends", (
        write_row(1, "MBI", "NPI", "Death Date", "Term Date"),
        write_row(2, A, N, write_number("44199"), ""),
        write_row(3, B, M, "", write_number("44199")),
        write_row(4, C, M, write_formula(NOT_YET), ""),
        write_row(5, D, M, "", write_formula(NOT_YET)),
    ), {
        "present": [[B, M]],
        "errors": [[2, "deceased_hold"], [4, "formula_without_value"], [5, "formula_without_value"]],
        "protected_mbis": [A, C, D],
    }),
    ("two columns that could be the practitioner", (write_row(1, "MBI", "NPI", "PCP NPI"), write_row(2, A, N, M)), {
        "file_error": "ambiguous_columns",
    }),
    ("days first", (HEADER, write_row(2, A, N, "31/12/1940"), write_row(3, B, M, "30/12/1940")), {
        "file_error": "date_order_conflict",
    }),
    ("pairs without header", (write_row(1, A, N), write_row(2, B, M)), {"file_error": "ambiguous_sheets"}),
    ("a header and no rows", (HEADER,), {}),
]  # fmt: skip

NOTES = write_row(1, "Notes") + write_row(2, "nothing")
TABLE = HEADER + write_row(2, A, N, "") + write_row(3, B, M, "")
BOOKS: list[tuple[str, dict[str, str], frozenset[str], dict[str, Any]]] = [
    ("one table among notes", {"Read me": NOTES, "Data": TABLE}, frozenset(), TWO),
    ("two tables", {"May": TABLE, "June": TABLE}, frozenset(), {"file_error": "ambiguous_sheets"}),
    ("two tables, one hidden", {"May": TABLE, "June": TABLE}, frozenset({"May"}), {"file_error": "ambiguous_sheets"}),
    ("one table beside errors that other programs write", {
        "Read me": write_row(1, "Notes", write_error("#SPILL!")), "Data": TABLE,
    }, frozenset(), TWO),
    ("one table beside a long remark", {"Read me": write_row(1, "x" * 5_000), "Data": TABLE}, frozenset(), TWO),
    ("a table below a long remark", {"Data": write_row(1, "x" * 5_000) + write_row(2, "MBI", "NPI")}, frozenset(), {
        "file_error": "too_large",
    }),
    ("one table, hidden", {"Read me": NOTES, "Data": TABLE}, frozenset({"Data"}), {
        **TWO, "warnings": [[1, "hidden_rows"]],
    }),
    ("notes, hidden", {"Read me": NOTES, "Data": TABLE}, frozenset({"Read me"}), TWO),
    ("no table", {"Read me": NOTES}, frozenset(), {"file_error": "ambiguous_sheets"}),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "parts"), [sheet[1:] for sheet in SHEETS], ids=[sheet[0] for sheet in SHEETS])
def test_a_sheet_of(check_text: CheckText, rows: Rows, parts: dict[str, Any]) -> None:
    found = check_text(build_workbook({"Data": "".join(rows)}), "roster.xlsx")
    assert found == build_result(format="xlsx", **parts)


STYLES = (
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>'
)
DATES: list[tuple[str, dict[str, Any]]] = [
    ("15866", {"present": [[A, N]]}),
    ("15866.4375", {"present": [[A, N]]}),
    ("0.4375", {"present": [[A, N]], "warnings": [[2, "dob_unparseable"]]}),
]


@pytest.mark.parametrize(("value", "parts"), DATES)
def test_a_date_cell_is_a_date(check_text: CheckText, value: str, parts: dict[str, Any]) -> None:
    rows = HEADER + write_row(2, A, N, f'<c r="REF" s="1"><v>{value}</v></c>')
    book = build_workbook({"Data": rows}, members={"xl/styles.xml": STYLES})
    assert check_text(book, "roster.xlsx") == build_result(format="xlsx", **parts)


FORMATS = (
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    """<numFmts><numFmt numFmtId="164" formatCode='[hh]:mm:ss;@'/></numFmts>"""
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="46"/><xf numFmtId="164"/></cellXfs></styleSheet>'
)
AS_DATE, AS_HOURS, AS_MINUTES = "1", "2", "3"


def write_styled(value: str, style: str) -> str:
    return f'<c r="REF" s="{style}"><v>{value}</v></c>'


NO_DATES = write_row(1, "MBI", "NPI", "DOB", "Death Date", "Term Date")
STYLED: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    *[
        (f"a look-up onto a blank cell, {name}", {
            "Data": NO_DATES + write_row(2, A, N, *[cell] * 3) + write_row(3, B, M, "0", "0", "0"),
        }, TWO)
        for name, cell in [("as a date", write_styled("0", AS_DATE)), ("as hours", write_styled("0", AS_HOURS))]
    ],
    *[
        (f"a large number shown as {name}", {
            "Data": HEADER
            + write_row(2, A, write_styled(N, style), "")
            + write_row(3, B, M, write_styled("15866", AS_DATE)),
            "Notes": write_row(1, write_styled("-3905293015", style), write_styled("1E300", style)),
        }, TWO)
        for name, style in [("a date", AS_DATE), ("hours", AS_HOURS), ("minutes", AS_MINUTES)]
    ],
    ("a large number shown as hours beside a foreign error", {
        "Data": HEADER + write_row(2, A, N, write_styled("15866", AS_DATE)) + write_row(3, B, M, write_error("#BUSY!")),
        "Notes": write_row(1, write_styled("3905293015", AS_HOURS)),
    }, {**TWO, "warnings": [[3, "dob_unparseable"]]}),
    ("days shown as hours", {"Data": HEADER + write_row(2, A, N, write_styled("15866", AS_HOURS))}, {
        "present": [[A, N]], "warnings": [[2, "dob_excel_serial"]],
    }),
]  # fmt: skip


@pytest.mark.parametrize(("sheets", "parts"), [one[1:] for one in STYLED], ids=[one[0] for one in STYLED])
def test_a_workbook_with(check_text: CheckText, sheets: dict[str, str], parts: dict[str, Any]) -> None:
    book = build_workbook(sheets, members={"xl/styles.xml": FORMATS})
    assert check_text(book, "roster.xlsx") == build_result(format="xlsx", **parts)


@pytest.mark.parametrize(("sheets", "hidden", "parts"), [book[1:] for book in BOOKS], ids=[book[0] for book in BOOKS])
def test_a_workbook_of(
    check_text: CheckText, sheets: dict[str, str], hidden: frozenset[str], parts: dict[str, Any]
) -> None:
    assert check_text(build_workbook(sheets, hidden), "roster.xlsx") == build_result(format="xlsx", **parts)
