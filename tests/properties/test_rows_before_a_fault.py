"""A fault never loses the rows before it: they are read, or the file is refused whole with an error that says so."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from fhir_documents import Json, group, member, patient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbooks import build_workbook, write_row

from service.domain.identifiers import LOOSE_ALPHABETS, Environment, is_npi
from service.rosters.findings import FILE_SENTENCES
from service.rosters.heading_rows import read_headings
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions, RosterReading

SANDBOX = RosterOptions(Environment.SANDBOX)
CALM = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
Rows = list[tuple[str, str]]

MBIS = st.tuples(*(st.sampled_from("S" if n == 1 else chars) for n, chars in enumerate(LOOSE_ALPHABETS))).map("".join)
NPIS = st.from_regex(r"[1-9][0-9]{8}", fullmatch=True).map(
    lambda nine: next(nine + digit for digit in "0123456789" if is_npi(nine + digit))
)
ROWS = st.lists(st.tuples(MBIS, NPIS), min_size=1, max_size=20, unique_by=lambda row: row[0])
UNREAD = ("encoding_undecodable", "header_unrecognised")
"""What a NUL earns, the latter near the beginning of a file, where it makes UTF-16 of it (feeds 3.2)."""


@dataclass(frozen=True)
class Kind:
    """How a file of rows is written with something behind them: `faults` spoil one row, `ends` the whole file.

    `codes` are the errors that an end may earn.
    """

    write: Callable[[Rows, bytes], bytes]
    faults: Sequence[bytes]
    ends: Sequence[bytes]
    codes: frozenset[str]


def write_table(rows: Rows, more: bytes) -> bytes:
    return b"mbi,npi\n" + b"".join(f"{mbi},{npi}\n".encode() for mbi, npi in rows) + more


def write_lone_returns(rows: Rows, more: bytes) -> bytes:
    """The same by the careful way."""
    return write_table(rows, more).replace(b"\n", b"\r")


def write_objects(rows: Rows, more: bytes) -> bytes:
    return b"[" + b",".join(json.dumps({"mbi": mbi, "npi": npi}).encode() for mbi, npi in rows) + b"," + more


def write_envelope(rows: Rows, more: bytes) -> bytes:
    return b'{"mode":"delta","pairs":' + write_objects(rows, more)


def write_group(rows: Rows, more: bytes) -> bytes:
    whole = json.dumps(group(*(member(mbi, npi) for mbi, npi in rows))).encode()
    return whole.removesuffix(b"]}") + b"," + more


def build_patient(mbi: str, npi: str) -> Json:
    doctor = {"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": npi}}
    return patient(mbi, generalPractitioner=[doctor])


def write_lines(rows: Rows, more: bytes) -> bytes:
    people = [rows[0], *rows]  # at least two lines make it NDJSON; the first is a repetition
    return b"".join(json.dumps(build_patient(mbi, npi)).encode() + b"\n" for mbi, npi in people) + more


def write_messages(rows: Rows, more: bytes) -> bytes:
    messages = (
        f"MSH|^~\\&|E|S|||2021||ADT^A08|M{n}\rPID|1||{mbi}^^^CMS^MC\rPD1||||{npi}^^^^^^^^NPI\r"
        for n, (mbi, npi) in enumerate(rows)
    )
    return "".join(messages).encode() + more


def write_sheet(rows: Rows, more: bytes) -> bytes:
    body = "".join(write_row(n, mbi, npi) for n, (mbi, npi) in enumerate(rows, 2))
    return build_workbook({"Roster": write_row(1, "MBI", "NPI") + body + more.decode()})


def write_packed(rows: Rows, more: bytes) -> bytes:
    return gzip.compress(write_table(rows, b""), mtime=0) + more


_MESSAGE = b"MSH|^~\\&|E|S|||2021||ADT^A08|X\rPID|1||%s\r"
_FAR = b'<row r="500000"><c r="A500000" t="inlineStr"><is><t>x</t></is></c><c r="ZZ500000"><v>1</v></c></row>'
KINDS = {
    "a table": Kind(
        write_table,
        [b"x\n", b"a,b,c\n", b"1S,1\n", b",\xe9\n", b'"",x\n', b"1S00E00AA00,3.9E+09"],
        [b'"x', b'a"b,c\n"', b"\0\n", b"x" * 70_000, b"\x81,\n", b"Total,77\n", b'"a"b,c\n'],
        frozenset({"truncated", *UNREAD, "too_large", "count_mismatch"}),
    ),
    "a table of lone returns": Kind(
        write_lone_returns,
        [b"x\n", b"a,b,c\n", b",\xe9\n"],
        [b'"x', b"\0\n", b"x" * 70_000],
        frozenset({"truncated", *UNREAD, "too_large"}),
    ),
    "objects": Kind(
        write_objects,
        [b"null]", b"{}]", b"7]", b"[1,2,3]]", b'{"npi":1}]', b'{"mbi":"x","npi":[{}]}]'],
        [
            b"",
            b"]",
            b"nul",
            b'{"mbi":"x","mbi":"y"}]',
            b'"\xff"]',
            b"[" * 40,
            b'"' + b"x" * 5_000,
        ],
        frozenset({"truncated", "unsupported_format_json", "encoding_undecodable", "too_large"}),
    ),
    "an envelope": Kind(
        write_envelope,
        [b"null]}", b"{}]}", b"[]]}"],
        [b"", b'null],"count":1}', b'null],"mode":"all"}', b"null]"],
        frozenset({"truncated", "count_mismatch", "unsupported_format_json"}),
    ),
    "a Group": Kind(
        write_group,
        [b"null]}", b"{}]}", b'{"entity":{"reference":"Patient/none"}}]}', b'{"entity":[]}]}', b"7]}"],
        [b"", b"]}", b"{}]", b'{"a":1,"a":2}]}', b'"\xff"]}', b"[" * 40],
        frozenset({"truncated", "unsupported_format_json", "encoding_undecodable", "too_large"}),
    ),
    "lines of resources": Kind(
        write_lines,
        [b'{"resourceType":"Patient"}\n', b'{"resourceType":"Patient","generalPractitioner":[{}]}\n'],
        [b"{", b"[]\n", b"7\n", b"{}\n", b'{"a":1,"a":2}', b"\xff", b"x"],
        frozenset({"truncated", "unsupported_format_ndjson", "encoding_undecodable", "unsupported_format_json"}),
    ),
    "messages": Kind(
        write_messages,
        [_MESSAGE % b"x^^^CMS^MC", b"MSH|||\r", b"MSH\r", _MESSAGE % b"x"],
        [_MESSAGE % b"\x81", b"BTS|77\r", b"MSH|" + b"x" * 20_000],
        frozenset({"encoding_undecodable", "count_mismatch", "too_large"}),
    ),
    "a workbook": Kind(
        write_sheet,
        [
            write_row(30, "x", "y").encode(),
            write_row(30, "1S00E00AA00", '<c r="REF"><f>1</f></c>').encode(),
            write_row(30, '<c r="REF" t="e"><v>#N/A</v></c>', "1").encode(),
        ],
        [b"<row>", b"</sheetData>", b"<c", b"&none;", _FAR, write_row(30, "Total", "77").encode()],
        frozenset({"unsupported_format_xlsx", "too_large", "count_mismatch"}),
    ),
    "a gzip body": Kind(
        write_packed,
        [gzip.compress(b"x,y\n", mtime=0), gzip.compress(b"x\n", mtime=0) + bytes(9)],
        [b"x", gzip.compress(b"x,y\n")[:-1], b"\x1f\x8b", gzip.compress(b"\0\n")],
        frozenset({"unsupported_format_gzip", "truncated", *UNREAD}),
    ),
}
FAULTS = [(name, fault) for name, kind in KINDS.items() for fault in kind.faults]
ENDS = [(name, end) for name, kind in KINDS.items() for end in kind.ends]


def read(folder: Path, content: bytes) -> RosterReading:
    path = folder / "roster"
    path.write_bytes(content)
    return read_roster(path, SANDBOX)


@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=range(len(FAULTS)))
@CALM
@given(rows=ROWS)
def test_a_faulty_row_leaves_those_before_it(tmp_path: Path, name: str, fault: bytes, rows: Rows) -> None:
    reading = read(tmp_path, KINDS[name].write(rows, fault))
    assert reading.file_error is None
    assert list(reading.present.iter_pairs()) == rows
    assert [one.severity for one in reading.findings].count("error") == 1


@pytest.mark.parametrize(("name", "end"), ENDS, ids=range(len(ENDS)))
@CALM
@given(rows=ROWS)
def test_a_faulty_end_refuses_the_file_whole_and_says_so(tmp_path: Path, name: str, end: bytes, rows: Rows) -> None:
    reading = read(tmp_path, KINDS[name].write(rows, end))
    assert reading.file_error in KINDS[name].codes
    assert reading.file_error in FILE_SENTENCES
    assert len(reading.present) == len(reading.remove) == len(reading.findings) == len(reading.demographics) == 0


@pytest.mark.parametrize(("broken", "code"), [(b"{", "truncated"), (b"[]", "unsupported_format_ndjson")])
@CALM
@given(rows=ROWS)
def test_a_faulty_file_of_a_set_refuses_the_set(
    tmp_path_factory: pytest.TempPathFactory, broken: bytes, code: str, rows: Rows
) -> None:
    folder = tmp_path_factory.mktemp("set")
    (folder / "a.ndjson").write_bytes(write_lines(rows, b""))
    (folder / "b.ndjson").write_bytes(b'{"resourceType":"Patient"}\n')
    reading = read_roster(folder, SANDBOX)
    assert (reading.file_error, list(reading.present.iter_pairs())) == (None, rows)
    (folder / "b.ndjson").write_bytes(broken)
    reading = read_roster(folder, SANDBOX)
    assert (reading.file_error, len(reading.present)) == (code, 0)


@CALM
@given(rows=ROWS, fault=st.sampled_from([*KINDS["a table"].faults, *KINDS["a table"].ends]))
def test_a_fault_below_headings_changes_no_heading(tmp_path: Path, rows: Rows, fault: bytes) -> None:
    path = tmp_path / "roster"
    path.write_bytes(write_table(rows, fault))
    found = read_headings(path, SANDBOX)
    assert found is None or (found.cells, found.line) == (("mbi", "npi"), 1)
    path.write_bytes(write_table(rows, b""))
    whole = read_headings(path, SANDBOX)
    assert whole is not None and whole.cells == ("mbi", "npi")
