"""Lists of practitioners, and the rosters that look like one: a patient's name never becomes a practitioner's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from workbooks import build_workbook, write_row

from service.rosters.reading import RosterReading

ReadText = Callable[..., RosterReading]

A = "1S00E00AA00"
N, M = "3905293015", "2323232225"

PATIENTS_WITHOUT_MBI = [
    "Member ID,First Name,Last Name,NPI",
    "MRN,First Name,Last Name,NPI",
    "HICN,First Name,Last Name,NPI",
    "Medicare #,First Name,Last Name,NPI",
    "Patient No,First Name,Last Name,NPI",
    "Patient MBI Number,First Name,Last Name,NPI",
    "First Name,Last Name,DOB,NPI",
    "Member First Name,Member Last Name,PCP NPI",
    "Medicare Beneficiary No,NPI,First Name,Last Name",
    "HIC Number,NPI,First Name,Last Name",
    "Identifier,NPI,First Name,Last Name",
    "Carte,NPI,First Name,Last Name",
    "ID,NPI,First Name,Last Name",
    "Chart,NPI,First Name,Last Name",
    "Chart,NPI,Provider First Name,Provider Last Name",
    "NPI,First Name,Last Name,Gender",
    "NPI,First Name,Last Name,Action",
    "NPI,First Name,Last Name,Zip",
    "NPI,First Name,Last Name,#",
    "NPI,NPI,First Name,Last Name",
    "Rendering NPI,First Name,Last Name",
    "Attributed NPI,First Name,Last Name,Specialty",
    "PCP NPI,PCP First Name,Last Name",
]

LISTS = [
    "NPI,First Name,Last Name",
    "npi_number,GIVEN,family",
    "Provider NPI,Provider First Name,Provider Last Name",
    "PCP NPI,PCP First Name,PCP Last Name",
    "Rendering NPI,Physician Fname,Physician Lname",
    "NPI,Given Name,Family Name,Middle Initial,Suffix,Credentials",
    "NPI,First Name,Last Name,Primary Specialty,Taxonomy Code,Provider Type,Active",
    "NPI,First Name,Last Name,Specialty,Specialty",
    "NPI,First Name,Last Name,",
    ",NPI,First Name,Last Name",
]

ROWS_OF_PATIENTS = {
    "an MBI under the specialty": f"{N},Jane,Doe,{A}\n",
    "an MBI with dashes": f"{N},Jane,Doe,1s00-e00-aa00\n",
    "an MBI under the NPI": f"{A},Jane,Doe,\n",
    "an old number under the specialty": f"{N},Jane,Doe,987654329A\n",
    "a Social Security number": f"{N},Jane,Doe,900-00-0001\n",
    "an MBI in a row that is too long": f"{N},Jane,Doe,,{A}\n",
    "two names for one practitioner": f"{N},Jane,Doe,\n{M},Ann,Poe,\n{N},Bob,Roe,\n",
    "two first names": f"{N},Jane,Doe,\n{N},Janet,Doe,\n",
    "two last names, the first one late": f"{N},Jane,,\n{N},Jane,Doe,\n{N},,Roe,\n",
}


@pytest.mark.parametrize("header", PATIENTS_WITHOUT_MBI)
def test_a_roster_without_mbi_is_no_list_of_practitioners(read_text: ReadText, header: str) -> None:
    row = ",".join([N] * (header.count(",") + 1))
    reading = read_text(f"{header}\n{row}\n")
    assert (reading.format, reading.file_error) == ("csv", "header_unrecognised")
    assert reading.practitioner_names == ()


@pytest.mark.parametrize("header", LISTS)
def test_a_list_describes_practitioners_and_nobody_else(read_text: ReadText, header: str) -> None:
    cells = {"n": N, "g": "Jane", "f": "Doe", "": ""}
    kinds = [next((kind for kind, words in WORDS.items() if word.lower() in words), "") for word in header.split(",")]
    reading = read_text(f"{header}\n{','.join(cells[kind] for kind in kinds)}\n")
    assert (reading.format, reading.file_error, reading.data_rows) == ("practitioners_csv", None, 1)
    assert [(one.npi, one.given, one.family) for one in reading.practitioner_names] == [(N, "Jane", "Doe")]


WORDS = {
    "n": {"npi", "npi_number", "provider npi", "pcp npi", "rendering npi"},
    "g": {"first name", "given", "given name", "provider first name", "pcp first name", "physician fname"},
    "f": {"last name", "family", "family name", "provider last name", "pcp last name", "physician lname"},
}


@pytest.mark.parametrize("name", ROWS_OF_PATIENTS)
def test_rows_that_tell_of_patients_make_it_no_list(read_text: ReadText, name: str) -> None:
    reading = read_text(f"NPI,First Name,Last Name,Specialty\n{ROWS_OF_PATIENTS[name]}")
    assert (reading.format, reading.file_error) == ("csv", "header_unrecognised")
    assert (reading.practitioner_names, reading.data_rows, reading.header_hash) == ((), 0, None)


@pytest.mark.parametrize("cell", ["7", "x", A], ids=["number", "word", "mbi"])
def test_a_column_without_heading_must_be_blank(read_text: ReadText, cell: str) -> None:
    assert read_text(f",NPI,First Name,Last Name\n{cell},{N},Jane,Doe\n").file_error == "header_unrecognised"


def test_a_practitioner_who_is_listed_again_is_the_same(read_text: ReadText) -> None:
    reading = read_text(f"NPI,First Name,Last Name\n{N},Jane,\n{M},Ann,Poe\n{N},JANE ,Doe\n{N},,doe\n")
    assert [(one.npi, one.given, one.family, one.position) for one in reading.practitioner_names] == [
        (N, "Jane", "Doe", "2"),
        (M, "Ann", "Poe", "3"),
    ]


def test_a_mistyped_npi_is_a_fault_of_its_row_alone(read_text: ReadText) -> None:
    reading = read_text(f"NPI,First Name,Last Name\n390529301,Jane,Doe\n{M},Ann,Poe\n")
    assert [(one.position, one.code) for one in reading.findings] == [("2", "npi_length")]
    assert [one.npi for one in reading.practitioner_names] == [M]


@pytest.mark.parametrize(("stated", "error"), [("Total,1,", None), ("Total,2,", "count_mismatch"), ("\x1a", None)])
def test_a_list_has_as_many_rows_as_its_trailer_says(read_text: ReadText, stated: str, error: str | None) -> None:
    reading = read_text(f"NPI,First Name,Last Name\n{N},Ann,Doe\n{stated}\n")
    assert (reading.format, reading.file_error, reading.data_rows) == ("practitioners_csv", error, 1)
    assert len(reading.practitioner_names) == (0 if error else 1)


def test_what_is_like_a_trailer_between_practitioners_is_a_row(read_text: ReadText) -> None:
    reading = read_text(f"NPI,First Name,Last Name\n{N},Ann,Doe\nTotal,1,\n{M},Eve,Poe\nTotal,3,\n")
    assert [(one.position, one.code) for one in reading.findings] == [("3", "npi_format")]
    assert (reading.file_error, reading.data_rows, reading.declared_count) == (None, 3, 3)


@pytest.mark.parametrize(
    "rows",
    [
        write_row(1, "Chart", "NPI", "First Name", "Last Name") + write_row(2, "100", N, "Ann", "Doe"),
        write_row(1, "NPI", "First Name", "Last Name") + write_row(2, N, "Ann", "Doe") + write_row(3, N, "Bob", "Roe"),
    ],
)
def test_a_sheet_of_patients_without_mbi_is_no_list(read_text: ReadText, rows: str) -> None:
    reading = read_text(build_workbook({"People": rows}))
    assert (reading.format, reading.file_error) == ("xlsx", "ambiguous_sheets")
    assert reading.practitioner_names == ()
