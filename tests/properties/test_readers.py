"""Readers never raise for what is in a file, never invent a pair, and give back what was written."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbooks import build_workbook, write_row

from service.domain.identifiers import LOOSE_ALPHABETS, Environment, is_npi, read_mbi, read_npi
from service.rosters.columns.evaluate import NO_ROW
from service.rosters.delimited import texts
from service.rosters.delimited.pieces import NotUtf8, read_pieces
from service.rosters.delimited.rows import TableRows, read_rows
from service.rosters.delimited.table import TableBroken, find_layout
from service.rosters.delimited.texts import Declined
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
MESSAGE = (
    b"FHS|^~\\&|E|S\rBHS|^~\\&|E|S\rMSH|^~\\&|E|S|||20210805||ADT^A08|M1|P|2.5.1\r"
    b"PID|1||1S00E00AA00^^^CMS^MC||O\\T\\Doe^Ann||19390228|F\rPV1|1|O|||||3905293015^Doe^^^^^^^NPI\r"
    b"MSH|^~\\&|E|S|||20210806||ADT^A47|M2|P|2.5.1\rPID|1||1S00E00AA01^^^CMS^MC\rMRG|1S00E00AA00^^^CMS^MC\r"
    b"BTS|2\rFTS|1\r"
)
PAIRS = (
    b'{"mode":"delta","count":3,"pairs":[{"mbi":"1S00E00AA00","npi":3905293015,"action":"add","dob":"1939-02-28"},'
    b'{"action":"remove","mbi":"1S00E00AA01"},["1S00E00AA02","2323232225"]]}'
)
GROUP = (
    b'{"resourceType":"Group","quantity":2,"member":[{"entity":{"identifier":{"system":'
    b'"http://hl7.org/fhir/sid/us-mbi","value":"1S00E00AA00"}},"extension":[{"url":'
    b'"http://hl7.org/fhir/us/davinci-atr/StructureDefinition/ext-attributedProvider","valueReference":'
    b'{"reference":"#d"}}]},{"entity":{"reference":"Patient/p"},"inactive":true}],"contained":[{"resourceType":'
    b'"Practitioner","id":"d","identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"3905293015"}]}]}'
)
PATIENT = (
    b'{"resourceType":"Patient","id":"p","birthDate":"1939-02","identifier":[{"system":'
    b'"http://hl7.org/fhir/sid/us-mbi","value":"1S00E00AA01"}]}'
)
CHANGE = (
    b'{"resourceType":"Parameters","parameter":[{"name":"memberId","valueIdentifier":{"system":'
    b'"http://hl7.org/fhir/sid/us-mbi","value":"1S00E00AA01"}}]}'
)
WORKBOOK = build_workbook(
    {
        "Notes": write_row(1, "x"),
        "Data": write_row(1, "Action", "MBI", "NPI", "DOB")
        + write_row(2, "A", "1S00E00AA00", "3905293015", "14304", more='hidden="1"')
        + write_row(3, "D", "1S00E00AA01", '<c r="REF"><f>1</f></c>', ""),
    }
)
ALL_FILES = [*WHOLE_FILES, MESSAGE, PAIRS, GROUP, GROUP + b"\n" + PATIENT + b"\n", CHANGE, WORKBOOK]
ALL_FILES.extend([gzip.compress(content, mtime=0) for content in (WHOLE_FILES[0], GROUP)])
NOISE = [
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xc3",
    b"S",
    b"0",
    b'""',
    b"'",
    b"\t",
    b"|",
    b"{",
    b"\xe2\x80\x93",
    b"^",
    b"\\",
    b"[",
    b"}",
    b"null,",
    b"1e9",
    b"\xe2\x80\x8e",
    b"\xe3\x80\x80",
    b"&",
]


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
    content=st.sampled_from(ALL_FILES),
    edits=st.lists(st.tuples(st.integers(0, 700), st.sampled_from(NOISE), st.integers(0, 12)), max_size=6),
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
    st.sampled_from(["\u200e1S00E00AA00\u3000", "\u20683905293015\u2069", "\u3000", "99/99/9999", "900000001.0"]),
)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=6), max_size=12)


def list_rows(table: TableRows) -> tuple[Any, ...]:
    rows = [
        row
        for part in table.parts
        for row in zip(part.line.tolist(), part.mbi.tolist(), part.npi.tolist(), part.verdict.tolist(), strict=True)
        if row[3] != NO_ROW
    ]
    ragged = zip(table.ragged.line.tolist(), table.ragged.mbi.tolist(), strict=True)
    dead = sorted(code for part in table.parts for code in part.dead.tolist())
    months = sum(part.months_over_twelve for part in table.parts)
    return rows, list(ragged), table.counts, table.seal, dead, months


@settings(CALM, max_examples=200)
@given(
    rows=TABLES, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), line_end=st.sampled_from(["\n", "\r\n"])
)
def test_the_fast_way_through_a_table_is_the_careful_way(
    path: Path, rows: list[list[str]], quoting: Any, line_end: str
) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=quoting, lineterminator=line_end)
    writer.writerow(["action", "mbi", "npi", "death date"])
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


ENDS = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from(["Total", "Total: 2", "Count 1", "T", "End of report", "Records: 0", "\x1a", "", "\u00a0"]),
            st.sampled_from(["Countryman", "County Clinic", "Total Health Clinic", "Recorder", "Trailer-Doe", "Tea"]),
            SANDBOX_MBIS,
        ),
        st.one_of(st.sampled_from(["", "2", "1S00E00AA1", "1SOOE00AA20", "987654329A", "Total"]), SANDBOX_MBIS),
        st.one_of(st.sampled_from(["", "2", "3.9E+09", "390529301", "0" * 64]), NPIS),
        st.sampled_from(["", "31/12/1940", "1939-02-28", "2"]),
        st.sampled_from(["", "31/12/2021", "2020-01-01", "x"]),
    ),
    max_size=30,
)


@settings(CALM, max_examples=200)
@given(rows=ENDS, cells=st.integers(3, 6), cut=st.integers(150, 800), start=st.booleans())
def test_both_ways_agree_on_what_is_a_trailer_wherever_pieces_end(
    path: Path, rows: list[tuple[str, ...]], cells: int, cut: int, start: bool
) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*([""] if start else []), "name", "mbi", "npi", "dob", "term date"])
    for place, row in enumerate(rows):
        whole = [*([""] if start else []), *row]
        writer.writerow(whole if place % 4 else whole[:cells])
    path.write_bytes(stream.getvalue().encode("utf-8"))
    layout = find_layout(stream.getvalue(), SANDBOX)
    assert layout is not None
    source = Source(path, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "PIECE_BYTES", cut)
        fast = list_rows(read_pieces(source, layout, SANDBOX))
    careful = list_rows(read_rows(source, layout, SANDBOX))
    if len(path.read_bytes()) <= cut:
        assert fast == careful
    assert fast[:-1] == careful[:-1]  # the last is a sum of the most that one column of each piece has


@pytest.mark.parametrize("content", [*WHOLE_FILES[:3], WHOLE_FILES[4].decode("utf-16").encode()], ids=range(4))
def test_the_fast_way_does_not_decline_plain_files(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    layout = find_layout(content.decode("utf-8"), SANDBOX)
    assert layout is not None
    table = read_pieces(Source(path, "utf-8"), layout, SANDBOX)
    assert sum(len(part.line) for part in table.parts) > 0


def test_cutting_a_file_anywhere_yields_no_pair_that_the_whole_file_lacks(path: Path) -> None:
    rng = random.Random(7)
    for content in ALL_FILES:
        path.write_bytes(content)
        whole = check_roster(path, SANDBOX)
        assert whole["file_error"] is None
        for cut in rng.sample(range(len(content)), min(40, len(content))):
            path.write_bytes(content[:cut])
            found = assert_sound(path, SANDBOX)
            assert [pair for pair in found["present"] if pair not in whole["present"]] == []


def build_pair_objects(rows: list[tuple[str, str, str]]) -> bytes:
    return json.dumps([{"mbi": mbi, "npi": int(npi), "last_name": name} for mbi, npi, name in rows]).encode()


def build_pair_arrays(rows: list[tuple[str, str, str]]) -> bytes:
    return json.dumps({"pairs": [[mbi, npi] for mbi, npi, _ in rows], "count": len(rows)}).encode()


def build_group(rows: list[tuple[str, str, str]]) -> bytes:
    url = "http://hl7.org/fhir/us/davinci-atr/StructureDefinition/ext-attributedProvider"
    members = [
        {
            "entity": {"identifier": {"system": "http://hl7.org/fhir/sid/us-mbi", "value": mbi}, "display": name},
            "extension": [
                {
                    "url": url,
                    "valueReference": {"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": npi}},
                }
            ],
        }
        for mbi, npi, name in rows
    ]
    return json.dumps({"resourceType": "Group", "member": members}).encode()


def build_messages(rows: list[tuple[str, str, str]]) -> bytes:
    return "".join(
        f"MSH|^~\\&|E|S|||2021||ADT^A08|M{n}\rPID|1||{mbi}^^^CMS^MC\rPD1||||{npi}^^^^^^^^NPI\r"
        for n, (mbi, npi, _) in enumerate(rows)
    ).encode()


def build_sheet(rows: list[tuple[str, str, str]]) -> bytes:
    body = [write_row(n, mbi, npi if n % 2 else f"&apos;{npi}") for n, (mbi, npi, _) in enumerate(rows, 2)]
    return build_workbook({"Roster": write_row(1, "MBI", "NPI") + "".join(body)})


REAL_NPIS = NPIS.filter(lambda npi: npi[0] != "0")  # a number keeps no leading zero, and no NPI has one
NUMBERED = st.lists(st.tuples(SANDBOX_MBIS, REAL_NPIS, TEXTS), min_size=1, max_size=25, unique_by=lambda row: row[:2])
BUILDERS = [build_pair_objects, build_pair_arrays, build_group, build_messages, build_sheet]


@CALM
@given(rows=NUMBERED, build=st.sampled_from(BUILDERS), packed=st.booleans())
def test_every_format_gives_back_what_was_written(
    path: Path, rows: list[tuple[str, str, str]], build: Any, packed: bool
) -> None:
    content = build(rows)
    path.write_bytes(gzip.compress(content) if packed else content)
    reading = read_roster(path, SANDBOX)
    assert (reading.file_error, reading.data_rows, reading.blind_errors) == (None, len(rows), 0)
    assert list(reading.present.iter_pairs()) == [(mbi, npi) for mbi, npi, _ in rows]


@CALM
@given(
    rows=ROWS,
    build=st.sampled_from(BUILDERS),
    edits=st.lists(
        st.tuples(st.integers(0, 2_000), st.sampled_from(NOISE), st.integers(0, 40)), min_size=1, max_size=4
    ),
)
def test_damaged_inputs_of_every_format_yield_no_invalid_pair(
    path: Path, rows: list[tuple[str, str, str]], build: Any, edits: list[tuple[int, bytes, int]]
) -> None:
    content = build(rows)
    for place, noise, cut in edits:
        content = content[:place] + noise + content[place + cut :]
    path.write_bytes(content)
    assert_sound(path, SANDBOX)


@CALM
@given(
    edits=st.lists(st.tuples(st.integers(0, 600), st.sampled_from(NOISE), st.integers(0, 9)), min_size=1, max_size=4)
)
def test_a_workbook_with_damaged_parts_yields_no_invalid_pair(path: Path, edits: list[tuple[int, bytes, int]]) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(WORKBOOK)) as old, zipfile.ZipFile(stream, "w") as new:
        names = old.namelist()
        for number, name in enumerate(names):
            content = old.read(name)
            for place, noise, cut in edits:
                if place % len(names) == number:
                    content = content[:place] + noise + content[place + cut :]
            new.writestr(name, content)
    path.write_bytes(stream.getvalue())
    assert_sound(path, SANDBOX)
