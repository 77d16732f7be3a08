"""What single cells of a table mean in the sandbox and in production: identifiers, dates, actions."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from readings import build_result

from service.domain.identifiers import Environment

CheckText = Callable[..., dict[str, Any]]

A, B, C, D = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02", "1S00E00AA03"
N, M = "3905293015", "2323232225"
REAL, REAL_NPI = "1EG4TE5MK73", "1234567893"

_SAME = "as in the sandbox"
UNSEEN = [
    "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069",
    "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2008", "\u2009", "\u200a", "\u205f",
    "\u3000",
]  # fmt: skip
"""Marks of direction and blanks of other widths, as they come with text copied from web pages and messages."""
MBIS: list[tuple[str, str, str]] = [
    # cell, sandbox, production: the canonical number, or the code of the row
    (A, A, "mbi_synthetic_in_production"),
    ("1s00-e00-aa00", A, "mbi_synthetic_in_production"),
    ("0S00E00AA00", "0S00E00AA00", "mbi_synthetic_in_production"),
    ("1SS0C00AA00", "1SS0C00AA00", "mbi_synthetic_in_production"),
    ("1S00E00FZ00", "1S00E00FZ00", "mbi_synthetic_in_production"),
    *[(f"1S00{dash}E00{dash}AA00", A, "mbi_synthetic_in_production") for dash in " -‐‑‒–—−\u00ad"],
    (f"\u00a0{A}\u200b", A, "mbi_synthetic_in_production"),
    (f"\ufeff{A}\u2060\u200d", A, "mbi_synthetic_in_production"),
    *[(f"{blank}{A}{blank}{blank}", A, "mbi_synthetic_in_production") for blank in UNSEEN],
    *[(f"1S00E{blank}00AA00", "mbi_length", _SAME) for blank in UNSEEN],
    ("".join(UNSEEN), "mbi_missing", _SAME),
    (f'="{A}"', A, "mbi_synthetic_in_production"),
    (f"'{A}", A, "mbi_synthetic_in_production"),
    (f' ="{A.lower()}" ', A, "mbi_synthetic_in_production"),
    (REAL, "mbi_real_in_sandbox", REAL),
    ("1eg4-te5-mk73", "mbi_real_in_sandbox", REAL),
    ("0EG4TE5MK73", "mbi_leading_zero", _SAME),
    ("1BG4TE5MK73", "mbi_excluded_letter", _SAME),
    ("1EG4SE5MK73", "mbi_excluded_letter", _SAME),
    ("1S00E00AA0O", "mbi_format", _SAME),
    ("XS00E00AA00", "mbi_format", _SAME),
    ("1S00E00AA0", "mbi_length", _SAME),
    ("1S00E00AA000", "mbi_length", _SAME),
    ("1S00-E00AA00", "mbi_length", _SAME),
    ("1S00-E00 AA00", "mbi_length", _SAME),
    ("1S00_E00_AA00", "mbi_length", _SAME),
    ("1S00\u00a0E00\u00a0AA00", "mbi_length", _SAME),
    ("1S00\u200bE00AA00", "mbi_length", _SAME),
    ("\uff11S00E00AA00", "mbi_format", _SAME),
    ("1S00E00AA0\u0660", "mbi_format", _SAME),
    ("1ſ00E00AA00", "mbi_format", _SAME),
    (f"{A} {B}", "mbi_length", _SAME),
    (f"{A};{B}", "mbi_length", _SAME),
    ("1E+10", "mbi_format", _SAME),
    ("#N/A", "mbi_format", _SAME),
    ("#REF!", "mbi_format", _SAME),
    ("", "mbi_missing", _SAME),
    (" \u00a0\u200b", "mbi_missing", _SAME),
    ("unknown", "mbi_missing", _SAME),
    ("N/A", "mbi_missing", _SAME),
    ("987654329A", "mbi_is_hicn", _SAME),
    ("987-65-4329-C1", "mbi_is_hicn", _SAME),
    ("987–65–4329–a", "mbi_is_hicn", _SAME),
    ("A987654", "mbi_is_hicn", _SAME),
    ("wa987654329", "mbi_is_hicn", _SAME),
    ("WCA-987654", "mbi_is_hicn", _SAME),
    ("987654329", "mbi_is_ssn", _SAME),
    ("987-65-4329", "mbi_is_ssn", _SAME),
    ("987 65 4329", "mbi_is_ssn", _SAME),
    ("987‑65‑4329", "mbi_is_ssn", _SAME),
    ("'987654329", "mbi_is_ssn", _SAME),
    ("987654329.0", "mbi_is_ssn", _SAME),
    ("987654329.5", "mbi_format", _SAME),
    ("98765432.0", "mbi_length", _SAME),
    ("19990000002901", "mbi_length", _SAME),
    ("-19990000002901", "mbi_length", _SAME),
    ("20000000000001", "mbi_length", _SAME),
    ("MRN00012345", "mbi_format", _SAME),
    ("H1234567890", "mbi_format", _SAME),
    ("00123", "mbi_length", _SAME),
]

NPIS: list[tuple[str, str, str]] = [
    (N, N, "npi_first_digit"),
    ("0000000006", "0000000006", "npi_first_digit"),
    (REAL_NPI, REAL_NPI, REAL_NPI),
    (f"80840{REAL_NPI}", REAL_NPI, REAL_NPI),
    (f"80840{REAL_NPI}.0", REAL_NPI, REAL_NPI),
    (f"80840{N}", N, "npi_first_digit"),
    (f"{REAL_NPI}.0", REAL_NPI, REAL_NPI),
    (f'="{REAL_NPI}"', REAL_NPI, REAL_NPI),
    (f"'{REAL_NPI}", REAL_NPI, REAL_NPI),
    (f"\u00a0{REAL_NPI}\u200b", REAL_NPI, REAL_NPI),
    *[(f"{blank}{REAL_NPI}{blank}{blank}", REAL_NPI, REAL_NPI) for blank in UNSEEN],
    *[(f"12345{blank}67893", "npi_format", _SAME) for blank in UNSEEN],
    ("".join(UNSEEN), "npi_missing", _SAME),
    (f"{REAL_NPI}.00", "npi_format", _SAME),
    (f"{REAL_NPI}.5", "npi_format", _SAME),
    (f"-{REAL_NPI}", "npi_format", _SAME),
    ("1234-567-893", "npi_format", _SAME),
    ("12345 67893", "npi_format", _SAME),
    ("123456789X", "npi_format", _SAME),
    ("\uff1123456789\uff13", "npi_format", _SAME),
    (f"{REAL_NPI};{M}", "npi_format", _SAME),
    (f"{REAL_NPI} {M}", "npi_format", _SAME),
    (f"{REAL_NPI}\n{M}", "npi_format", _SAME),
    ("#N/A", "npi_format", _SAME),
    ("#REF!", "npi_format", _SAME),
    ("3.90529E+09", "npi_scientific", _SAME),
    ("3.905293015e+09", "npi_scientific", _SAME),
    ("3,90529E+09", "npi_scientific", _SAME),
    ("39052930150", "npi_length", _SAME),
    ("390529301", "npi_length", _SAME),
    ("110001029483", "npi_length", _SAME),
    ("3116145044854423862", "npi_length", _SAME),
    ("80840390529301", "npi_length", _SAME),
    ("9941339108", "npi_luhn", _SAME),
    ("1234657893", "npi_luhn", _SAME),
    ("808401234567890", "npi_luhn", _SAME),
    ("3000000004", "npi_luhn", _SAME),
    ("", "npi_missing", _SAME),
    (" ", "npi_missing", _SAME),
    ("n/a", "npi_missing", _SAME),
]

BIRTH_DATES: list[tuple[str, str | None]] = [
    ("1943-06-08", None),
    ("1943-06-08 00:00:00", None),
    ("1943-06-08T23:30:00-10:00", None),
    ("19430608", None),
    ("6/8/1943", None),
    ("06/08/1943", None),
    ("08-JUN-1943", None),
    ("8-jun-1943", None),
    ("\u00a01943-06-08 ", None),
    ("'1943-06-08", None),
    ("\u200e1943-06-08\u3000", None),
    ("", None),
    ("99999999", None),
    ("99/99/9999", None),
    ("9999-99-99", None),
    ("99/99/1943", "dob_unparseable"),
    ("6/8/43", "dob_two_digit_year"),
    ("06/08/05", "dob_two_digit_year"),
    ("15866", "dob_excel_serial"),
    ("367", "dob_excel_serial"),
    ("59999", "dob_excel_serial"),
    ("366", "dob_unparseable"),
    ("60000", "dob_unparseable"),
    ("02/30/1943", "dob_unparseable"),
    ("1943-02-29", "dob_unparseable"),
    ("31/12/1940", "dob_unparseable"),
    ("June 8, 1943", "dob_unparseable"),
    ("08-JUN-43", "dob_unparseable"),
    ("06.08.1943", "dob_unparseable"),
    ("#REF!", "dob_unparseable"),
]

PRESENT_WORDS = [
    "a", "add", "added", "new", "i", "insert", "c", "change", "changed", "u", "update", "updated", "nochange", "active",
    "021", "001", "030",
]  # fmt: skip
REMOVE_WORDS = [
    "d", "del", "delete", "deleted", "r", "remove", "removed", "t", "term", "terminated", "drop", "dropped", "inactive",
    "cancelled", "canceled", "024",
]  # fmt: skip
NO_WORDS = ["", " ", "x", "yes", "24", "21", "1", "cancel", "inserted", "A/D", "?", "=A", "\uff21", "Éadd"]


def write_table(heading: str, cells: Sequence[str], other: str, values: Sequence[str]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([heading, other])
    writer.writerows(zip(cells, values, strict=True))
    return stream.getvalue()


@pytest.mark.parametrize("times", [1, 100])
@pytest.mark.parametrize("environment", list(Environment))
@pytest.mark.parametrize(("cell", "sandbox", "production"), MBIS, ids=range(len(MBIS)))
def test_a_medicare_number_is_read_or_refused(
    check_text: CheckText, cell: str, sandbox: str, production: str, environment: Environment, times: int
) -> None:
    expected = sandbox if environment is Environment.SANDBOX or production == _SAME else production
    found = check_text(write_table("MBI", [cell] * times, "NPI", [REAL_NPI] * times), environment=environment)
    lines = range(2, 2 + times)
    if expected.startswith("mbi_"):
        errors = [[line, expected] for line in lines]
        assert found == build_result(errors=errors, blind_errors=times)
    else:
        repeats = [[line, "duplicate_row"] for line in lines[1:]]
        assert found == build_result(present=[[expected, REAL_NPI]], warnings=repeats)


@pytest.mark.parametrize("times", [1, 100])
@pytest.mark.parametrize("environment", list(Environment))
@pytest.mark.parametrize(("cell", "sandbox", "production"), NPIS, ids=range(len(NPIS)))
def test_a_practitioner_number_is_read_or_refused(
    check_text: CheckText, cell: str, sandbox: str, production: str, environment: Environment, times: int
) -> None:
    expected = sandbox if environment is Environment.SANDBOX or production == _SAME else production
    letter = "S" if environment is Environment.SANDBOX else "E"
    mbis = [f"1{letter}00E00AA{place:02d}" for place in range(times)]
    found = check_text(write_table("MBI", mbis, "NPI", [cell] * times), environment=environment)
    if expected.startswith("npi_"):
        lines = [2 + place * (1 + cell.count("\n")) for place in range(times)]
        assert found == build_result(errors=[[line, expected] for line in lines], protected_mbis=mbis)
    else:
        assert found == build_result(present=[[mbi, expected] for mbi in mbis])


@pytest.mark.parametrize(("cell", "code"), BIRTH_DATES, ids=range(len(BIRTH_DATES)))
def test_a_birth_date_never_costs_a_pair(check_text: CheckText, cell: str, code: str | None) -> None:
    cells = [cell, *["1940-01-01"] * 10]
    pairs = [[f"1S00E00AA{place:02d}", N] for place in range(11)]
    text = "".join(f"{mbi};{npi};{born}\n" for (mbi, npi), born in zip(pairs, cells, strict=True))
    assert check_text("MBI;NPI;DOB\n" + text) == build_result(present=pairs, warnings=[[2, code]] if code else [])


DAY_FIRST: list[tuple[str, str, list[str], dict[str, Any]]] = [
    ("a tenth of the rows", "DOB", ["31/12/1940"] + ["01/02/1940"] * 9, {"warnings": [[2, "dob_unparseable"]]}),
    ("more than a tenth", "DOB", ["31/12/1940"] + ["01/02/1940"] * 8, {"file_error": "date_order_conflict"}),
    ("a month in the middle", "DOB", ["1940-13-01"] * 2 + [""] * 8, {"file_error": "date_order_conflict"}),
    ("days that no month has", "DOB", ["02/30/1940"] * 10, {
        "warnings": [[line, "dob_unparseable"] for line in range(2, 12)],
    }),
    ("months that no day has", "DOB", ["32/12/1940"] * 10, {
        "warnings": [[line, "dob_unparseable"] for line in range(2, 12)],
    }),
    ("birth dates filled with nines", "DOB", ["99/99/9999", "99999999"] * 5, {}),
    ("end dates filled with nines", "Term Date", ["99999999", "99/99/9999"] * 5, {}),
    ("starts filled with nines", "Effective Date", ["9999-99-99", "99/99/9999"] * 5, {}),
    ("dates of death filled with nines", "Death Date", ["99999999", "99/99/9999"] * 5, {}),
    ("end dates", "Term Date", ["31/12/2040"] + ["01/02/2040"] * 8, {"file_error": "date_order_conflict"}),
    ("end dates beside birth dates", "DOB,Term Date", [",31/12/2040"] * 2 + ["1940-01-01,"] * 8, {
        "file_error": "date_order_conflict",
    }),
    ("starts", "Effective Date", ["31/12/2020"] * 2 + ["01/02/2020"] * 8, {"file_error": "date_order_conflict"}),
    ("starts beside ends", "Effective Date,Term Date", ["31/12/2020,05/04/2040"] + ["2020-01-02,"] * 8, {
        "file_error": "date_order_conflict",
    }),
    ("a tenth of the starts", "Effective Date", ["31/12/2020"] + ["soon"] + [""] * 8, {}),
    ("dates of death", "Death Date", ["31/12/2020"] * 2 + [""] * 8, {"file_error": "date_order_conflict"}),
]  # fmt: skip


@pytest.mark.parametrize(("heading", "cells", "parts"), [d[1:] for d in DAY_FIRST], ids=[d[0] for d in DAY_FIRST])
def test_a_month_over_twelve_in_more_than_a_tenth_of_the_rows_condemns_the_file(
    check_text: CheckText, heading: str, cells: list[str], parts: dict[str, Any]
) -> None:
    pairs = [[f"1S00E00AA{place:02d}", N] for place in range(len(cells))]
    rows = "".join(f"{mbi},{npi},{cell}\n" for (mbi, npi), cell in zip(pairs, cells, strict=True))
    present = [] if "file_error" in parts else pairs
    assert check_text(f"MBI,NPI,{heading}\n{rows}") == build_result(present=present, **parts)


@pytest.mark.parametrize("word", PRESENT_WORDS + [word.upper() for word in PRESENT_WORDS])
def test_an_action_that_adds(check_text: CheckText, word: str) -> None:
    found = check_text(f"Action,MBI,NPI\n{word},{A},{N}\n")
    assert found == build_result(mode_signal="delta", present=[[A, N]])


@pytest.mark.parametrize("word", REMOVE_WORDS + [word.title() for word in REMOVE_WORDS])
def test_an_action_that_removes(check_text: CheckText, word: str) -> None:
    found = check_text(f"Action,MBI,NPI\n{word},{A},{N}\n")
    assert found == build_result(mode_signal="delta", remove=[[A, N]])


@pytest.mark.parametrize("word", NO_WORDS)
def test_an_action_that_is_neither(check_text: CheckText, word: str) -> None:
    found = check_text(f"Action,MBI,NPI\n{word},{A},{N}\n")
    assert found == build_result(mode_signal="delta", errors=[[2, "bad_action"]], protected_mbis=[A])


RULES: list[tuple[str, str, dict[str, Any]]] = [
    ("added and removed", f"Action,MBI,NPI\nA,{A},{N}\nD,{A},{N}\nA,{B},{N}\n", {
        "mode_signal": "delta", "present": [[B, N]], "protected_mbis": [A],
        "errors": [[2, "conflicting_actions"], [3, "conflicting_actions"]],
    }),
    ("moved to another practitioner", f"Action,MBI,NPI\nD,{A},{N}\nA,{A},{M}\n", {
        "mode_signal": "delta", "present": [[A, M]], "remove": [[A, N]],
    }),
    ("removed from all practitioners", f"Action,MBI,NPI\nD,{A},\n", {"mode_signal": "delta", "remove": [[A, None]]}),
    ("removed with a bad number", f"Action,MBI,NPI\nD,{A},1\nD,x,{N}\n", {
        "mode_signal": "delta", "errors": [[2, "npi_length"], [3, "mbi_length"]],
        "protected_mbis": [A], "blind_errors": 1,
    }),
    ("dead", f"MBI,NPI,DOD\n{A},{N},2021-01-03\n{B},{M},\n", {
        "present": [[B, M]], "errors": [[2, "deceased_hold"]], "protected_mbis": [A],
    }),
    ("dead and removed", f"Action,MBI,NPI,DOD\nD,{A},{N},01/03/2021\n", {
        "mode_signal": "delta", "errors": [[2, "deceased_hold"]], "protected_mbis": [A],
    }),
    ("dead on a row whose action is wrong", f"Action,MBI,NPI,DOD\nX,{A},{N},2021-01-03\nA,{A},{M},\nA,{B},{M},\n", {
        "mode_signal": "delta", "present": [[B, M]], "errors": [[2, "bad_action"], [3, "deceased_hold"]],
        "protected_mbis": [A],
    }),
    ("dead on a later row whose action is wrong", f"Action,MBI,NPI,DOD\nD,{A},{M},\n,{A},{N},1/3/2021\n", {
        "mode_signal": "delta", "errors": [[2, "deceased_hold"], [3, "bad_action"]], "protected_mbis": [A],
    }),
    ("on a row whose action is wrong, and alive", f"Action,MBI,NPI,DOD\nX,{A},{N},\nA,{A},{M},\n", {
        "mode_signal": "delta", "present": [[A, M]], "errors": [[2, "bad_action"]], "protected_mbis": [A],
    }),
    ("dead on a row that does not say who", f"Action,MBI,NPI,DOD\nX,?,{N},2021-01-03\nA,-,{M},\nA,{A},{M},\n", {
        "mode_signal": "delta", "present": [[A, M]], "errors": [[2, "mbi_missing"], [3, "mbi_missing"]],
        "blind_errors": 2,
    }),
    ("ended, where no day is today", f"MBI,NPI,Start Date,End Date\n{A},{N},2020-01-01,2021-01-01\n{B},{M},,\n", {
        "present": [[A, N], [B, M]],
    }),
    ("listed twice and with two practitioners", f"MBI,NPI\n{A},{N}\n1s00-e00-aa00,{N}.0\n{A},{M}\n{A},{M}\n", {
        "present": [[A, N], [A, M]],
        "warnings": [[3, "duplicate_row"], [4, "mbi_multiple_npi"], [5, "duplicate_row"]],
    }),
    ("wrong once and right once", f"MBI,NPI\n{A},1\n{A},{N}\n", {
        "present": [[A, N]], "errors": [[2, "npi_length"]], "protected_mbis": [A],
    }),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_a_patient_is(check_text: CheckText, text: str, parts: dict[str, Any]) -> None:
    assert check_text(text) == build_result(**parts)
