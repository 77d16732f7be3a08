"""Values that once made a reader raise, or say what nobody could keep or may see."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fhir_documents import A, B, M, N, bundle, group, member, patient, practitioner
from workbooks import build_workbook, write_row

from service.domain.identifiers import Environment
from service.rosters.heading_rows import read_headings
from service.rosters.limits import MAX_COUNT
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions, RosterReading

CheckText = Callable[..., dict[str, Any]]
ReadText = Callable[..., RosterReading]
SANDBOX = RosterOptions(Environment.SANDBOX)


@pytest.mark.parametrize("end", ["9999999999", "99999-01-01", "0000-01-01", "2020-13", "-", ""])
def test_an_end_that_no_calendar_has_is_an_error_of_its_row(read_text: ReadText, end: str) -> None:
    reading = read_text(json.dumps(group(member(A, N), member(B, M, period={"end": end}))))
    assert list(reading.present.iter_pairs()) == [(A, N)]
    assert [(one.position, one.code) for one in reading.findings] == [("/member/1", "bad_end_date")]


@pytest.mark.parametrize("encoding", ["none", "rot13", "shift_jis", "idna", "undefined"])
def test_a_workbook_in_an_encoding_that_is_none_is_refused(check_text: CheckText, encoding: str) -> None:
    book = build_workbook({"S": write_row(1, "MBI", "NPI") + write_row(2, A, N)})
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            start = f'<?xml version="1.0" encoding="{encoding}"?>' if name.endswith("sheet1.xml") else ""
            new.writestr(name, start.encode() + old.read(name))
    assert check_text(stream.getvalue())["file_error"] == "unsupported_format_xlsx"


def test_a_manifest_that_names_a_file_longer_than_names_are_leads_to_no_file(tmp_path: Path) -> None:
    output = [{"url": f"https://ehr.example.org/{'x' * 300}"}, {"url": "https://ehr.example.org/p.ndjson"}]
    (tmp_path / "manifest.json").write_text(json.dumps({"output": output}))
    (tmp_path / "p.ndjson").write_text(json.dumps(patient(A)) + "\n")
    reading = read_roster(tmp_path, SANDBOX)
    assert (reading.file_error, reading.mode_signal, len(reading.demographics)) == (None, "partial", 1)


@pytest.mark.parametrize(("name", "shown"), [(f"p-{A}", "file-1"), ("x 123-45-6789", "file-1"), ("p.1", "p.1.ndjson")])
def test_a_file_of_a_set_is_not_called_by_a_patients_number(tmp_path: Path, name: str, shown: str) -> None:
    (tmp_path / f"{name}.ndjson").write_text(json.dumps(patient(id="x")) + "\n")
    reading = read_roster(tmp_path, SANDBOX)
    assert [one.position for one in reading.findings] == [f"{shown}:1"]


HUGE = 10**31
COUNTS = [
    (f'{{"count":{HUGE},"pairs":[]}}', "count_mismatch"),
    (f'{{"count":{-HUGE},"pairs":[]}}', "count_mismatch"),
    (f"mbi,npi\n{A},{N}\nTotal,390529301512\n", "count_mismatch"),
    (json.dumps(bundle(patient(A), total=HUGE)), None),
    (json.dumps(group(member(A, N), quantity=HUGE)), None),
    ("BHS|^~\\&|E\rBTS|999999999\r" * 3, "count_mismatch"),
]


@pytest.mark.parametrize(("text", "error"), COUNTS, ids=range(len(COUNTS)))
def test_a_count_beyond_all_counts_is_kept_as_near_as_it_can_be(
    read_text: ReadText, text: str, error: str | None
) -> None:
    reading = read_text(text)
    assert reading.file_error == error
    assert reading.declared_count in (MAX_COUNT, -MAX_COUNT)


@pytest.mark.parametrize(
    ("sequence", "error"),
    [
        ("7", None), (7, None), ("2026-01-02 #1", None), ("x" * 100, None),
        ("x" * 101, "unsupported_format_json"), ("", "unsupported_format_json"), ("a\x00", "unsupported_format_json"),
        ("Ü", "unsupported_format_json"),
    ],
)  # fmt: skip
def test_a_sequence_is_printable_ascii_as_that_of_an_upload_is(
    read_text: ReadText, sequence: Any, error: str | None
) -> None:
    reading = read_text(json.dumps({"sequence": sequence, "pairs": [[A, N]]}))
    assert (reading.file_error, reading.sequence) == (error, str(sequence) if error is None else None)


@pytest.mark.parametrize(
    "control_id",
    [A, A.lower(), "X" + A, "1S00-E00-AA00", "123456789A", "x 123-45-6789", "a\x1bb", "x" * 200],
)
def test_a_message_is_not_called_by_a_patients_number_or_what_cannot_be_shown(
    read_text: ReadText, control_id: str
) -> None:
    message = f"MSH|^~\\&|E|S|||2021||ADT^A08|{control_id}|P\rPID|1||{A}^^^CMS^MC\r"
    batch = f"BHS|^~\\&|E||||||||{control_id}\r"
    reading = read_text(message + batch)
    codes = [(one.position, one.code) for one in reading.findings]
    assert codes == [("#1", "npi_missing"), ("BHS", "trailer_missing")]
    assert list(reading.positions) == ["#1"]


def test_an_escape_hides_no_such_character(read_text: ReadText) -> None:
    reading = read_text("MSH|^~\\&|E|S|||2021||ADT^A03|a\\X00\\b|P\r")
    assert [(one.position, one.code) for one in reading.findings] == [("#1", "event_ignored")]


def test_a_week_is_no_birth_date(read_text: ReadText) -> None:
    reading = read_text(json.dumps(bundle(patient(A, birthDate="1939-W02-1"), practitioner(N))))
    assert [one.code for one in reading.findings] == ["dob_unparseable"]
    assert [one.birth_on for one in reading.demographics] == [None]


@pytest.mark.parametrize("number", [A, A.lower(), "123-45-6789", "123456789A"])
def test_a_row_with_a_patients_number_is_never_answered_as_headings(tmp_path: Path, number: str) -> None:
    path = tmp_path / "roster.csv"
    path.write_text(f"mbi,npi,{number}\n{A},{N},x\n")
    assert read_headings(path, SANDBOX) is None
    path.write_text(f"mbi,npi,2026 plan 1\n{A},{N},x\n")
    found = read_headings(path, SANDBOX)
    assert found is not None and found.line == 1


def test_cells_may_share_strings_as_long_as_all_of_them_fit(
    check_text: CheckText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.rosters.workbook.survey.MAX_EXPANDED_BYTES", 1)  # look at every cell
    strings = (
        f"<sst><si><t>{A}</t></si><si><r><t>{B[:4]}</t></r><r><t>{B[4:]}</t></r></si><si><t>{'x' * 900}</t></si></sst>"
    )
    rows = "".join(
        f'<row r="{n}"><c r="A{n}" t="s"><v>{n % 2}</v></c><c r="B{n}"><v>{npi}</v></c></row>'
        for n, npi in ((2, N), (3, M), (4, N))
    )
    sheet = build_workbook({"S": write_row(1, "MBI", "NPI") + rows}, members={"xl/sharedStrings.xml": strings})
    for most, error in ((33, None), (32, "too_large")):
        monkeypatch.setattr("service.rosters.workbook.strings.MAX_EXPANDED_BYTES", most)
        assert check_text(sheet)["file_error"] == error


@pytest.mark.parametrize(("row", "error"), [(100_000, None), (100_001, "too_large")])
def test_a_rectangle_is_refused_that_hardly_anything_is_in(check_text: CheckText, row: int, error: str | None) -> None:
    far = f'<row r="{row}"><c r="C{row}"><v>1</v></c></row>'
    sheet = build_workbook({"S": write_row(1, "MBI", "NPI", "Note") + write_row(2, A, N, "x") + far})
    found = check_text(sheet)
    assert (found["file_error"], len(found["errors"])) == (error, 0 if error else 1)
