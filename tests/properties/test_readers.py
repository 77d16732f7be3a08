"""Readers never raise for what is in a file, never invent a pair, and give back what was written."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.identifiers import LOOSE_ALPHABETS, Environment, is_npi, read_mbi, read_npi
from service.rosters.columns.evaluate import NO_ROW
from service.rosters.delimited.pieces import Declined, NotUtf8, read_pieces
from service.rosters.delimited.rows import TableRows, read_rows
from service.rosters.delimited.table import TableBroken, find_layout
from service.rosters.encoding import Source
from service.rosters.read import check_roster, read_roster
from service.rosters.reading import RosterOptions

SANDBOX = RosterOptions(Environment.SANDBOX)
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

MBIS = st.tuples(*(st.sampled_from("S" if place == 1 else chars) for place, chars in enumerate(LOOSE_ALPHABETS)))
SANDBOX_MBIS = MBIS.map("".join)
NPIS = st.from_regex(r"[0-9]{9}", fullmatch=True).map(
    lambda nine: next(nine + digit for digit in "0123456789" if is_npi(nine + digit))
)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
ROWS = st.lists(st.tuples(SANDBOX_MBIS, NPIS, TEXTS), max_size=25, unique_by=lambda row: row[:2])

WHOLE_FILES = [
    b"mbi,npi,first name,last name,dob\n1S00E00AA00,3905293015,Ann,Doe,1939-02-28\n1S00E00AA01,2323232225,,NA,x\n",
    b"1S00E00AA00,2323232225\r\n1S00E00AA01,2323232225\r\n",
    'Title;;\nMBI;NPI;Name\n"1S00E00AA00";3905293015;"Núñez; ""L"""\nTotal: 1;;\n'.encode(),
    b'action|mbi|npi|term date|dod\nA|1S00-E00-AA00|3905293015.0||\nD|="1S00E00AA01"|||\nX|b|c|d|e\n',
    "mbi\tnpi\n1S00E00AA00\t3905293015\n".encode("utf-16"),
    b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","identifier":'
    b'[{"system":"http://hl7.org/fhir/sid/us-mbi","value":"1S00E00AA00"}],"generalPractitioner":'
    b'[{"identifier":{"system":"http://hl7.org/fhir/sid/us-npi","value":"3905293015"}}]}}]}',
    b"npi,first name,last name\n3905293015,Jane,Doe\n",
]
NOISE = [b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"\xc3", b"S", b"0", b'""', b"'", b"\t", b"|", b"{", b"\xe2\x80\x93"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "roster.csv"


def assert_sound(path: Path, options: RosterOptions) -> dict[str, Any]:
    """Whatever the bytes: no exception, valid pairs only, and nothing beside a file error."""
    found = check_roster(path, options)
    for mbi, npi in [*found["present"], *found["remove"]]:
        assert read_mbi(mbi, options.environment).value == mbi
        assert npi is None or read_npi(npi, options.environment).value == npi
    assert all(npi is not None for _, npi in found["present"])
    if found["file_error"]:
        assert not any(found[key] for key in ("present", "remove", "errors", "warnings", "protected_mbis"))
    reading = read_roster(path, options)
    assert sum(1 for _ in reading.demographics) == len(reading.demographics)
    return found


@CALM
@given(content=st.binary(max_size=400))
def test_random_bytes_never_raise(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for environment in Environment:
        assert_sound(path, RosterOptions(environment))


@CALM
@given(
    content=st.sampled_from(WHOLE_FILES),
    edits=st.lists(st.tuples(st.integers(0, 400), st.sampled_from(NOISE), st.integers(0, 3)), max_size=6),
    environment=st.sampled_from(list(Environment)),
)
def test_damaged_files_never_raise_and_never_yield_an_invalid_pair(
    path: Path, content: bytes, edits: list[tuple[int, bytes, int]], environment: Environment
) -> None:
    for place, noise, cut in edits:
        content = content[:place] + noise + content[place + cut :]
    path.write_bytes(content)
    assert_sound(path, RosterOptions(environment))


def build_table(rows: list[tuple[str, str, str]], delimiter: str, quoting: Any) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, quoting=quoting)
    writer.writerow(["MBI", "NPI", "Last Name"])
    writer.writerows(rows)
    return stream.getvalue().encode("utf-8")


@CALM
@given(rows=ROWS, delimiter=st.sampled_from(",;\t|"), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_is_written_is_read(path: Path, rows: list[tuple[str, str, str]], delimiter: str, quoting: Any) -> None:
    path.write_bytes(build_table(rows, delimiter, quoting))
    reading = read_roster(path, SANDBOX)
    assert list(reading.present.iter_pairs()) == [(mbi, npi) for mbi, npi, _ in rows]
    assert (reading.file_error, reading.data_rows, reading.blind_errors) == (None, len(rows), 0)


CELLS = st.one_of(
    SANDBOX_MBIS,
    NPIS,
    TEXTS,
    st.sampled_from(["", " ", "A", "D", "Total: 2", "a\nb", "x,y", 'q"q', "1939-02-28", "nobody"]),
)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=6), max_size=12)


def list_rows(table: TableRows) -> tuple[list[Any], list[Any], list[Any]]:
    rows = [
        row
        for part in table.parts
        for row in zip(part.line.tolist(), part.mbi.tolist(), part.npi.tolist(), part.verdict.tolist(), strict=True)
        if row[3] != NO_ROW
    ]
    ragged = zip(table.ragged.line.tolist(), table.ragged.mbi.tolist(), strict=True)
    return rows, sorted(ragged), sorted(table.counts)


@settings(CALM, max_examples=200)
@given(
    rows=TABLES, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), line_end=st.sampled_from(["\n", "\r\n"])
)
def test_the_fast_way_through_a_table_is_the_careful_way(
    path: Path, rows: list[list[str]], quoting: Any, line_end: str
) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=quoting, lineterminator=line_end)
    writer.writerow(["action", "mbi", "npi", "last name"])
    writer.writerows(rows)
    path.write_bytes(stream.getvalue().encode("utf-8"))
    layout = find_layout(stream.getvalue(), SANDBOX)
    assert layout is not None
    source = Source(path, "utf-8")
    try:
        fast = list_rows(read_pieces(source, layout, SANDBOX))
    except (Declined, NotUtf8, TableBroken):
        return
    assert fast == list_rows(read_rows(source, layout, SANDBOX))


@pytest.mark.parametrize("content", [*WHOLE_FILES[:3], WHOLE_FILES[4].decode("utf-16").encode()], ids=range(4))
def test_the_fast_way_does_not_decline_plain_files(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    layout = find_layout(content.decode("utf-8"), SANDBOX)
    assert layout is not None
    table = read_pieces(Source(path, "utf-8"), layout, SANDBOX)
    assert sum(len(part.line) for part in table.parts) > 0


def test_cutting_a_file_anywhere_yields_no_pair_that_the_whole_file_lacks(path: Path) -> None:
    rng = random.Random(7)
    for content in WHOLE_FILES:
        path.write_bytes(content)
        whole = check_roster(path, SANDBOX)
        for cut in rng.sample(range(len(content)), min(40, len(content))):
            path.write_bytes(content[:cut])
            found = assert_sound(path, SANDBOX)
            assert [pair for pair in found["present"] if pair not in whole["present"]] == []
