"""A table without headings is one whose very first row holds values; words there are headings that nobody knows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from service.rosters.reading import RosterReading

ReadText = Callable[..., RosterReading]

N, M = "3905293015", "2323232225"
PAIRS = "".join(f"1S00E00AA{place:02d},{N}\n" for place in range(20))

HEADINGS = [
    "MBI,Billing NPI",
    "MBI,Referring NPI",
    "Removed MBI,NPI",
    "Report of discharged patients",
    "Report of discharged patients,",
    "Discharged 20261118,",
    "As of 11/18/2026,",
    "20261118,",
    "2026-11-18,2026-11-19",
    "Q3_20261118,clinic 12345678",
    "Records: 20",
    "Medicare,Doctor",
    "N/A,N/A",
    "1,2",
    "\n \nMBI,Billing NPI",
]


@pytest.mark.parametrize("first", HEADINGS)
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_words_above_pairs_are_headings_that_nobody_knows(read_text: ReadText, first: str, delimiter: str) -> None:
    reading = read_text(f"{first}\n{PAIRS}".replace(",", delimiter))
    assert (reading.file_error, len(reading.present)) == ("header_unrecognised", 0)


VALUES = [
    (f"1S00E00BB00,{N}", 21, None),
    (f"\n,\n1S00-E00-BB00,{N}", 21, None),
    (f" 1s00e00bb00 ,{N}.0", 21, None),
    (f'="1S00E00BB00",\'{N}', 21, None),
    (f"1S00E00BB0,{N}", 20, "mbi_length"),
    (f"1S00E00BB0,{N[:-1]}", 20, "mbi_length"),
    (f",{N}", 20, "mbi_missing"),
    (f"UNKNOWN,{N}", 20, "mbi_missing"),
    ("1S00E00BB00,", 20, "npi_missing"),
    ("1S00E00BB00,3.9E+09", 20, "npi_scientific"),
    ("987-65-4329-A,x", 20, "mbi_is_hicn"),
    ("987 65 4329,x", 20, "mbi_is_ssn"),
    (f"1EG4TE5MK73,{N}", 20, "mbi_real_in_sandbox"),
]


@pytest.mark.parametrize(("first", "present", "code"), VALUES)
def test_a_first_row_of_values_may_be_wrong_as_any_other(
    read_text: ReadText, first: str, present: int, code: str | None
) -> None:
    reading = read_text(f"{first}\n{PAIRS}")
    assert (reading.file_error, len(reading.present)) == (None, present)
    assert [finding.code for finding in reading.findings] == ([code] if code else [])


@pytest.mark.parametrize("mapping", [{"mbi": "Member Number", "npi": "Doc"}, {"npi": "Doc"}])
@pytest.mark.parametrize("first", ["", "MBI,Billing NPI\n", "MBI,NPI\n"])
def test_no_columns_are_taken_but_those_that_a_person_chose(
    read_text: ReadText, mapping: dict[str, str], first: str
) -> None:
    assert read_text(first + PAIRS, column_mapping=mapping).file_error == "header_unrecognised"
    assert read_text(first + PAIRS, column_mapping=mapping, header_hash="0" * 64).file_error == "header_changed"


def test_headings_further_down_are_found_below_a_title(read_text: ReadText) -> None:
    assert len(read_text(f"Report of discharged patients\n\nMBI,NPI\n{PAIRS}").present) == 20
