"""Tables of text as senders write them: encodings, delimiters, headers and trailers, each with its whole result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from readings import build_result

CheckText = Callable[..., dict[str, Any]]

A, B, C, D = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02", "1S00E00AA03"
N, M = "3905293015", "2323232225"
BOTH = {"present": [[A, N], [B, M]]}
NINE = "".join(f"1S00E00AA{place:02d},{N}\n" for place in range(9))
NINE_PAIRS = [[f"1S00E00AA{place:02d}", N] for place in range(9)]

Case = tuple[str, str | bytes, dict[str, Any]]

PLAIN = f"mbi,npi,name\n{A},{N},Núñez\n{B},{M},Doe\n"
ENCODINGS: list[Case] = [
    ("UTF-8", PLAIN.encode(), BOTH),
    ("UTF-8 with mark", b"\xef\xbb\xbf" + PLAIN.encode(), BOTH),
    ("UTF-16 little-endian with mark", b"\xff\xfe" + PLAIN.encode("utf-16-le"), BOTH),
    ("UTF-16 big-endian with mark", b"\xfe\xff" + PLAIN.encode("utf-16-be"), BOTH),
    ("UTF-16 little-endian by parity", PLAIN.encode("utf-16-le"), BOTH),
    ("UTF-16 big-endian by parity", PLAIN.encode("utf-16-be"), BOTH),
    ("Windows-1252", PLAIN.encode("cp1252"), BOTH),
    ("Windows-1252 late in the file", b"mbi,npi,name\n" + b"\n" * 300_000 + f"{A},{N},Ñ\n".encode("cp1252"), {
        "present": [[A, N]],
    }),
    *[
        (f"byte {byte:#x} of no Windows-1252", b"mbi,npi,name\n%s,%s,%c\n" % (A.encode(), N.encode(), byte), {
            "file_error": "encoding_undecodable",
        })
        for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
    ],
    ("a mark of UTF-8 that lies", b"\xef\xbb\xbf" + PLAIN.encode("cp1252"), {"file_error": "encoding_undecodable"}),
    ("half a character of UTF-16", b"\xff\xfe" + PLAIN.encode("utf-16-le") + b"\x00", {
        "file_error": "encoding_undecodable",
    }),
    ("a mark and nothing else", b"\xef\xbb\xbf", {"file_error": "header_unrecognised"}),
    ("nothing at all", b"", {"file_error": "header_unrecognised"}),
]  # fmt: skip

ROWS: list[Case] = [
    ("a comma", f"MBI,NPI\n{A},{N}\n{B},{M}\n", BOTH),
    ("a semicolon and a comma inside", f"MBI;NPI;Name\n{A};{N};Roe, Richard\n{B};{M};Doe, Ann\n", BOTH),
    ("a tab", f"MBI\tNPI\n{A}\t{N}\n{B}\t{M}\n", BOTH),
    ("a pipe", f"MBI|NPI\n{A}|{N}\n{B}|{M}\n", BOTH),
    ("a line that names the delimiter", f"sep=;\nMBI;NPI\n{A};{N}\n{B};{M}\n", BOTH),
    ("line ends CRLF", f"MBI,NPI\r\n{A},{N}\r\n{B},{M}\r\n", BOTH),
    ("line ends CR", f"MBI,NPI\r{A},{N}\r{B},{M}\r", BOTH),
    ("no line end at the end", f"MBI,NPI\n{A},{N}\n{B},{M}", BOTH),
    ("quotes around everything", f'"MBI","NPI","Name"\n"{A}","{N}","Nunez ""Leo"""\n"{B}","{M}",""\n', BOTH),
    ("a quote inside a cell that has none around", f"MBI,NPI,Note\n{A},{N},5'2\" tall\n{B},{M},\n", BOTH),
    ("physical lines behind quoted line ends", f'MBI,NPI,Note\n{A},{N},"a\nb\r\nc"\n{B},1,\n', {
        "present": [[A, N]], "errors": [[5, "npi_length"]], "protected_mbis": [B],
    }),
    ("a stray quote swallows nothing", f'MBI,NPI,Name\n{A},{N},"Doe\n{B},{M},Roe\n', {"file_error": "truncated"}),
    ("the end inside a quoted cell", f'MBI,NPI,Name\n{A},{N},"Do', {"file_error": "truncated"}),
    ("a cell too many, one too few", f"MBI,NPI,Name\n{A},{N},Doe,x\n{B},{M}\n,{N},a,b\n{C},{N},\n", {
        "present": [[C, N]],
        "errors": [[2, "ragged_row"], [3, "ragged_row"], [4, "ragged_row"]],
        "protected_mbis": [A, B],
        "blind_errors": 1,
    }),
    ("a delimiter behind the last cell", f"MBI,NPI\n{A},{N},\n{B},{M}\n", {
        "present": [[B, M]], "errors": [[2, "ragged_row"]], "protected_mbis": [A],
    }),
    ("rows without anything", f"MBI,NPI\n\n,\n \t,\u00a0\n{A},{N}\n\n{B},{M}\n,\n", BOTH),
    ("a header and no rows", "MBI,NPI\n", {}),
    ("a header and no line end", "MBI,NPI", {}),
    ("a header and a count of nothing", "MBI,NPI\nTotal records: 0,\n", {}),
    ("formulas are text", f"MBI,NPI,Note\n{A},{N},=1+1\n=A1,{M},\n", {
        "present": [[A, N]], "errors": [[3, "mbi_length"]], "blind_errors": 1,
    }),
]  # fmt: skip

HEADERS: list[Case] = [
    ("in row twenty", "x,y\n" * 19 + f"MBI,NPI\n{A},{N}\n{B},{M}\n", BOTH),
    ("in row twenty-one", "x,y\n" * 20 + f"MBI,NPI\n{A},{N}\n", {"file_error": "header_unrecognised"}),
    ("below a title and a blank row", f"Our list,,\nAs of 08/05/2021,,\n,,\nMBI,NPI,n\n{A},{N},\n{B},{M},\n", BOTH),
    ("below a quoted title of two lines", f'"Our\nlist"\nMBI,NPI\n{A},{N}\n{B},2\n', {
        "present": [[A, N]], "errors": [[5, "npi_length"]], "protected_mbis": [B],
    }),
    ("repeated among the rows", f"MBI,NPI\n{A},{N}\nMBI,NPI\n{B},{M}\n", {
        **BOTH, "errors": [[3, "mbi_length"]], "blind_errors": 1,
    }),
    ("of an MBI alone", f"MBI,Name\n{A},Doe\n", {"file_error": "header_unrecognised"}),
    ("of an NPI alone", f"NPI,Name\n{N},Doe\n", {"file_error": "header_unrecognised"}),
    ("missing above pairs", f"{A},{N}\n{B},{M}\n", BOTH),
    ("missing above pairs with tabs", f"{A}\t{N}\r\n{B}\t{M}\r\n", BOTH),
    ("missing above pairs with a trailer", f"{A},{N}\n{B},{M}\nTotal,2\n", BOTH),
    ("missing, nine rows of ten shaped right", NINE + f",{N}\n", {
        "present": NINE_PAIRS, "errors": [[10, "mbi_missing"]], "blind_errors": 1,
    }),
    ("missing, nine rows of eleven shaped right", NINE + ",1\n,1\n", {"file_error": "header_unrecognised"}),
    ("missing, half wrong, counted wrong", f"{A},{N}\nx,1\nTotal,9\n", {"file_error": "header_unrecognised"}),
    ("missing, and a third column", f"{A},{N},\n{B},{M},\n", {"file_error": "header_unrecognised"}),
    ("missing, and the columns the other way round", f"{N},{A}\n{M},{B}\n", {"file_error": "header_unrecognised"}),
    ("missing above numbers of real people", f"1EG4TE5MK73,{N}\n{B},{M}\n", {
        "present": [[B, M]], "errors": [[1, "mbi_real_in_sandbox"]], "blind_errors": 1,
    }),
]  # fmt: skip

STATED: list[tuple[str, dict[str, Any]]] = [
    ("Total records: 2", BOTH),
    ("TOTAL,2,", BOTH),
    ("Count,,2", BOTH),
    ("Record count: 2,,", BOTH),
    ("records=2", BOTH),
    ("End of file", BOTH),
    ("End of report,,", BOTH),
    ("Trailer,2", BOTH),
    ("TRAILER0002", BOTH),
    ('"Total: 2",08/05/2021', BOTH),
    ("Total records: 3", {"file_error": "count_mismatch"}),
    ("TRAILER0003", {"file_error": "count_mismatch"}),
    ("Count,1", {"file_error": "count_mismatch"}),
    ("Records: 00000000000000000002", BOTH),
    ("Total,20000000000000000000", {"file_error": "count_mismatch"}),
    ("Total,2rows,", BOTH),
    ("Total,3rows,", {"file_error": "count_mismatch"}),
    ("rows3", {**BOTH, "errors": [[4, "ragged_row"]], "blind_errors": 1}),
    ("Total rows3", {"file_error": "count_mismatch"}),
    ("Total records 2 (page 7)", BOTH),
    ("Total records 22 (page 2)", {"file_error": "count_mismatch"}),
    ("Total: 22 patients (page 2)", {"file_error": "count_mismatch"}),
    ("Page 2 of 2 - total 22", {**BOTH, "errors": [[4, "ragged_row"]], "blind_errors": 1}),
    ("End of page 2: total 22", {"file_error": "count_mismatch"}),
    ("End of page 7 of 9: total 2", BOTH),
    ("Total 2 on 2 Aug 2021", BOTH),
    ("Total 2 on 22-Aug-2021", BOTH),
    ('"Total 2 on August 22nd, 2021"', BOTH),
    ("Trailer 20210802,2,", BOTH),
    ("Total 22 on 2 Aug 2021", {"file_error": "count_mismatch"}),
    ("Total for Aug 2021: 2", BOTH),
    ("Total for Aug 2021: 22", {"file_error": "count_mismatch"}),
    ("Total 2 of 22", {"file_error": "count_mismatch"}),
    ("Records 1-2 of 2", BOTH),
    ("Records 1 to 2 of 22", {"file_error": "count_mismatch"}),
    ("Total: 22; records: 2", {"file_error": "count_mismatch"}),
    ("Total: 1 patient and 2 rows", BOTH),
    ("Total: 2 records and 5 flags", BOTH),
    ("Count for batch 7: 2", BOTH),
    ("Total 2.0", BOTH),
    ("End of report,20210805", BOTH),
    ("End of report 5 Aug 2021", BOTH),
    ("End of report,Page 1 of 1", BOTH),
    ("End of report 20210805134510", BOTH),
    ("End of file,roster_20210805.csv", BOTH),
    ("End of file,3", {"file_error": "count_mismatch"}),
    ("Total,20210805", {"file_error": "count_mismatch"}),
    ("Total 2021,2", BOTH),
    ("Total 2021: 2", BOTH),
    ("Total 2021,3", {"file_error": "count_mismatch"}),
    ("Total: 2021,2", {"file_error": "count_mismatch"}),
    ("Total 2021", {"file_error": "count_mismatch"}),
    ("Total 2 on 20210805", BOTH),
    ("Record(s): 2", BOTH),
    ("record_count=2", BOTH),
    ("Record-count: 2", BOTH),
    ("TRAILER,0000000002", BOTH),
    ("Total,12345rows", {"file_error": "count_mismatch"}),
    ("\x1a", BOTH),
    ("Total: 2\n\x1a", BOTH),
    ("Total: 3\n\x1a", {"file_error": "count_mismatch"}),
    ("Total: 2\n\nEnd of file,,\n,,", BOTH),
    ("Total,2,of two", {**BOTH, "errors": [[4, "mbi_length"]], "blind_errors": 1}),
    ("Sum: 2", {**BOTH, "errors": [[4, "ragged_row"]], "blind_errors": 1}),
]
TRAILERS: list[Case] = [
    (f"{trailer!r}", f"MBI,NPI,Name\n{A},{N},Doe\n{B},{M},Roe\n{trailer}\n", parts) for trailer, parts in STATED
]
TRAILERS += [
    ("a count of rows, right or wrong", f"MBI,NPI\n{A},{N}\n{A},{N}\nx,{N}\n{B}\nTotal: 4\n", {
        "present": [[A, N]], "warnings": [[3, "duplicate_row"]],
        "errors": [[4, "mbi_length"], [5, "ragged_row"]], "protected_mbis": [B], "blind_errors": 1,
    }),
    ("between rows", f"MBI,NPI\n{A},{N}\nTotal: 1,\nEnd of page 1\n{B},{M}\nTotal: 4,\n", {
        **BOTH, "errors": [[3, "mbi_length"], [4, "ragged_row"]], "blind_errors": 2,
    }),
    ("before a row of the wrong width", f"MBI,NPI\n{A},{N}\n{B},{M}\nTotal: 2,\n{C}\n", {
        **BOTH, "errors": [[4, "mbi_length"], [5, "ragged_row"]], "protected_mbis": [C], "blind_errors": 1,
    }),
    ("twenty of them", f"MBI,NPI\n{A},{N}\n{B},{M}\n" + "Total: 2,\n\n" * 20, BOTH),
    ("the twenty-first from the end is a row", f"MBI,NPI\n{A},{N}\n{B},{M}\n" + "Total: 3,\n" * 21, {
        **BOTH, "errors": [[4, "mbi_length"]], "blind_errors": 1,
    }),
    ("the mark of an end between rows", f"MBI,NPI\n{A},{N}\n\x1a,\n{B},{M}\n", {
        **BOTH, "errors": [[3, "mbi_length"]], "blind_errors": 1,
    }),
    *[
        (f"a date in the column {heading}", f"MBI,NPI,{heading}\n{A},{N},\n{B},{M},\nTotal: 2,,31/12/2021\n", BOTH)
        for heading in ("DOB", "DOD", "Term Date", "Effective Date")
    ],
    ("in the second column", f",MBI,NPI\n,{A},{N}\n,{B},{M}\n,Total: 3,\n", {"file_error": "count_mismatch"}),
]  # fmt: skip

NAMED = f"Name,MBI,NPI\n{'Doe'},{A},{N}\n"
ONE = {"present": [[A, N]]}
NOBODY: list[tuple[str, str, str]] = [
    ("a name that begins as a trailer does", "Countryman,,", "mbi_missing"),
    ("and a comma", '"Countryman, Bob",1S00E00AA0,', "mbi_length"),
    ("and an NPI alone", "Countryman,,3905293015", "mbi_missing"),
    ("of a clinic", "County Clinic,1S00E00AA1,", "mbi_length"),
    ("and an apostrophe", "Count's Clinic,,", "mbi_missing"),
    ("of two parts", "Count-Doe,,", "mbi_missing"),
    ("of words that may be a trailer, a damaged MBI", "Total Health Clinic,1S00E00AA1,", "mbi_length"),
    ("letters for digits", "Total Health Clinic,1SOOE00AA20,", "mbi_format"),
    ("letters for all digits but one", "Total Health Clinic,1SOOEOOAAOO,", "mbi_format"),
    ("dashes and a digit too few", "Total Health Clinic,1EG4-TE5-MK7,", "mbi_length"),
    ("a digit too many", "Total Health Clinic,1S00E00AA001,", "mbi_length"),
    ("a real number", "Total Health Clinic,1EG4TE5MK73,", "mbi_real_in_sandbox"),
    ("an old number", "Total Health Clinic,987654329A,", "mbi_is_hicn"),
    ("an old number with blanks", "Total Health Clinic,987 65 4329 A,", "mbi_is_hicn"),
    ("a Social Security number", "Total Health Clinic,900-00-0001,", "mbi_is_ssn"),
    ("one without dashes", "Total Health Clinic,900000001,", "mbi_is_ssn"),
    ("an NPI alone", "Total Health Clinic,,3905293015", "mbi_missing"),
    ("an NPI with a wrong check digit", "Total Health Clinic,,3905293016", "mbi_missing"),
    ("an NPI with a digit too few", "Total Health Clinic,,390529301", "mbi_missing"),
    ("an NPI with a prefix", "Total Health Clinic,,808403905293015", "mbi_missing"),
    ("an NPI of a spreadsheet", "Total Health Clinic,,3.905293015E+09", "mbi_missing"),
    ("an NPI with decimals", "Total Health Clinic,,3905293015.0", "mbi_missing"),
    ("a damaged MBI and a cell too few", "Total Health Clinic,1S00E00AA1", "ragged_row"),
]
"""Rows of patients that begin as a trailer may, and what is wrong with them."""

SIGNALS: list[tuple[str, str]] = [
    ("ALR_Turnover_2021Q3.csv", "delta"),
    ("roster changes.csv", "delta"),
    ("PANEL-DELTA.TXT", "delta"),
    ("full_snapshot.csv", "none"),
]


@pytest.mark.parametrize(("content", "parts"), [case[1:] for case in ENCODINGS], ids=[case[0] for case in ENCODINGS])
def test_bytes_become_text_by_mark_parity_and_strict_reading(
    check_text: CheckText, content: str | bytes, parts: dict[str, Any]
) -> None:
    assert check_text(content) == build_result(**parts)


@pytest.mark.parametrize(("content", "parts"), [case[1:] for case in ROWS], ids=[case[0] for case in ROWS])
def test_text_becomes_rows(check_text: CheckText, content: str, parts: dict[str, Any]) -> None:
    assert check_text(content) == build_result(**parts)


@pytest.mark.parametrize(("content", "parts"), [case[1:] for case in HEADERS], ids=[case[0] for case in HEADERS])
def test_a_header_is_looked_for(check_text: CheckText, content: str, parts: dict[str, Any]) -> None:
    assert check_text(content) == build_result(**parts)


@pytest.mark.parametrize(("content", "parts"), [case[1:] for case in TRAILERS], ids=[case[0] for case in TRAILERS])
def test_a_trailer_is_no_row_and_its_number_counts_the_rows(
    check_text: CheckText, content: str, parts: dict[str, Any]
) -> None:
    assert check_text(content) == build_result(**parts)


@pytest.mark.parametrize("row", [case[1:] for case in NOBODY], ids=[case[0] for case in NOBODY])
@pytest.mark.parametrize("more", ["", f'"Roe\n",{B},{M}\n'], ids=["fast", "careful"])
def test_a_row_about_somebody_is_no_trailer(check_text: CheckText, row: tuple[str, str], more: str) -> None:
    content, code = row
    line = 3 + more.count("\n")
    parts: dict[str, Any] = {"present": BOTH["present"] if more else ONE["present"], "blind_errors": 1}
    assert check_text(f"{NAMED}{more}{content}\n") == build_result(**parts, errors=[[line, code]])


def test_without_headings_any_cell_may_be_about_somebody(check_text: CheckText) -> None:
    rows = f"{NINE}{C},{M}\n"
    found = check_text(rows + "Total Health Clinic,1S00E00AA1\n")
    assert (found["errors"], found["blind_errors"]) == ([[11, "mbi_length"]], 1)
    assert check_text(rows + "Total rows: 10,as of 2021-08-05\n")["errors"] == []


@pytest.mark.parametrize("fault", ['D,{A},{N},"x\n', "D,{A},{N},\x81\n"], ids=["truncated", "undecodable"])
def test_a_file_of_changes_says_so_even_if_it_cannot_be_read(check_text: CheckText, fault: str) -> None:
    row = fault.format(A=A, N=N)
    for text, name in ((f"Action,MBI,NPI,n\n{row}", "roster.csv"), (f"c,MBI,NPI,n\n{row}", "changes.csv")):
        found = check_text(text.encode("latin-1"), name)
        assert found["mode_signal"] == "delta"
        assert found["file_error"] == ("encoding_undecodable" if "\x81" in fault else "truncated")
        assert check_text(f"c,MBI,NPI,n\n{row}".encode("latin-1"))["mode_signal"] == "none"


@pytest.mark.parametrize(("name", "signal"), SIGNALS)
def test_a_name_may_say_that_a_file_lists_changes_only(check_text: CheckText, name: str, signal: str) -> None:
    assert check_text(f"MBI,NPI\n{A},{N}\n", name) == build_result(present=[[A, N]], mode_signal=signal)
