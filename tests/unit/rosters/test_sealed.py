"""A table whose last line states its rows and the SHA-256 of what stands before (reliability S6.1)."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable

import pytest
from workbooks import build_workbook, write_row

from service.rosters.reading import RosterReading

ReadText = Callable[..., RosterReading]

N = "3990000002"
ROWS = "".join(f"1S00E00AA{place:02d},{N}\r\n" for place in range(20))
WIDE = "".join(f"1S00E00AA{place:02d},{N},Doe\r\n" for place in range(20))
NAMED = "".join(f"1S00E00AA{place:02d},{N},Doe,Ann\r\n" for place in range(20))
TABLES = {
    "two columns": "MBI,NPI\r\n" + ROWS,
    "three columns": "MBI,NPI,Last Name\r\n" + WIDE,
    "four columns": "MBI,NPI,Last Name,First Name\r\n" + NAMED,
    "no headings": ROWS,
    "quoted line ends": 'MBI,NPI,Last Name\r\n1S00E00BB00,3990000002,"Doe\r\nRoe"\r\n' + WIDE[: WIDE.rindex("1S")],
    "tabs": "MBI\tNPI\r\n" + ROWS.replace(",", "\t"),
}
LINE_ENDS = ("", "\r\n", ",\r\n\r\n", " \r\n \r\n,\r\n", "\r\n\x1a", "\r\n" * 1_200, "\r\n\ufeff")


def seal(body: bytes, *, rows: int = 20, end: str = "\r\n", digest: str | None = None) -> bytes:
    mark = "\t" if b"\t" in body else ","
    line = mark.join(["T", str(rows), digest or hashlib.sha256(body).hexdigest()])
    return body + (line + end.replace(",", mark)).encode()


@pytest.mark.parametrize("end", LINE_ENDS)
@pytest.mark.parametrize("name", TABLES)
def test_a_sealed_table_is_read_without_any_remark(read_text: ReadText, name: str, end: str) -> None:
    reading = read_text(seal(TABLES[name].encode(), end=end))
    assert (reading.file_error, len(reading.present), reading.declared_count) == (None, 20, 20)
    assert (list(reading.findings), reading.blind_errors, reading.data_rows) == ([], 0, 20)


@pytest.mark.parametrize("name", TABLES)
def test_a_seal_with_another_count_is_a_mismatch(read_text: ReadText, name: str) -> None:
    assert read_text(seal(TABLES[name].encode(), rows=21)).file_error == "count_mismatch"


@pytest.mark.parametrize("end", LINE_ENDS)
@pytest.mark.parametrize("name", TABLES)
def test_a_wrong_digest_is_a_mismatch_whatever_blanks_are_around_it(read_text: ReadText, name: str, end: str) -> None:
    reading = read_text(seal(TABLES[name].encode(), end=end, digest="0" * 64))
    assert (reading.file_error, len(reading.present)) == ("digest_mismatch", 0)


MANNERS = {
    "blanks inside": "T, {rows} , {digest} ",
    "a blank before": " T,{rows},{digest}",
    "quotes around one": 'T,{rows},"{digest}"',
    "cells between": "T,,{rows},,{digest},",
    "wrapped": 'T,="{rows}",\'{digest}',
    "another delimiter": "T;{rows};{digest}",
}


@pytest.mark.parametrize("manner", MANNERS)
def test_a_seal_is_verified_however_it_is_written(read_text: ReadText, manner: str) -> None:
    body = TABLES["four columns"].encode()
    for digest, error in ((hashlib.sha256(body).hexdigest(), None), ("0" * 64, "digest_mismatch")):
        line = MANNERS[manner].format(rows=20, digest=digest)
        assert read_text(body + line.encode() + b"\r\n").file_error == error


BEHIND = {"a row": "1S00E00BB77,3990000002", "a ragged row": "x", "a trailer": "Total,20", "an end": "End of file"}


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("name", ["two columns", "quoted line ends", "no headings"])
def test_what_stands_behind_a_seal_is_not_sealed(read_text: ReadText, name: str, behind: str) -> None:
    content = seal(TABLES[name].encode()) + BEHIND[behind].encode() + b"\r\n"
    assert read_text(content).file_error == "digest_mismatch"
    assert read_text(content + seal(content)[len(content) :]).file_error == "digest_mismatch"


def test_a_seal_is_found_behind_many_pieces(read_text: ReadText) -> None:
    row = f"1S00E00AA01,{N},{'x' * 900}\r\n".encode()
    for body in (b"MBI,NPI,n\r\n" + row * 12_000, b"MBI,NPI,n\n" + b"\n" * 1_000_000 + row.replace(b"\r", b"") * 9):
        for digest, error in ((None, None), ("0" * 64, "digest_mismatch")):
            assert read_text(seal(body, rows=body.count(b"1S"), digest=digest)).file_error == error


@pytest.mark.parametrize("digest", [None, "0" * 64])
def test_a_list_of_practitioners_may_be_sealed(read_text: ReadText, digest: str | None) -> None:
    reading = read_text(seal(f"NPI,First Name,Last Name\r\n{N},Ann,Doe\r\n".encode(), rows=1, digest=digest))
    assert reading.file_error == ("digest_mismatch" if digest else None)
    assert len(reading.practitioner_names) == (0 if digest else 1)


def test_a_workbook_has_no_bytes_that_its_seal_could_be_of(read_text: ReadText) -> None:
    rows = write_row(1, "MBI", "NPI", "n") + write_row(2, "1S00E00AA00", N, "") + write_row(3, "T", "1", "0a" * 32)
    assert read_text(build_workbook({"S": rows})).file_error == "digest_mismatch"


@pytest.mark.parametrize("name", TABLES)
def test_a_changed_byte_breaks_the_seal(read_text: ReadText, name: str) -> None:
    content = seal(TABLES[name].encode())
    reading = read_text(content.replace(b"1S00E00AA07", b"1S00E00AA77"))
    assert (reading.file_error, len(reading.present)) == ("digest_mismatch", 0)
    assert read_text(content.replace(b"1S00E00AA07", b"1S00E00AA07", 1)).file_error is None


def test_the_bytes_as_they_arrived_are_sealed(read_text: ReadText) -> None:
    body = TABLES["two columns"]
    for whole in (seal(b"\xef\xbb\xbf" + body.encode()), gzip.compress(seal(body.encode()))):
        assert (read_text(whole).file_error, len(read_text(whole).present)) == (None, 20)
    for encoding, mark in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        before = mark + body.encode(encoding)
        for digest, error in ((hashlib.sha256(before).hexdigest(), None), ("0" * 64, "digest_mismatch")):
            line = f"T,20,{digest}\r\n"
            assert read_text(before + line.encode(encoding)).file_error == error


def test_a_sealed_list_of_changes_is_still_one(read_text: ReadText) -> None:
    reading = read_text(seal(f"Action,MBI,NPI\nA,1S00E00AA00,{N}\n".encode(), rows=1, digest="0" * 64))
    assert (reading.file_error, reading.mode_signal) == ("digest_mismatch", "delta")


def test_digits_of_a_digest_may_be_large_and_quoted(read_text: ReadText) -> None:
    body = TABLES["two columns"].encode()
    line = f'"T","20","{hashlib.sha256(body).hexdigest().upper()}"\n'.encode()
    assert read_text(body + line).file_error is None


@pytest.mark.parametrize("line", ["T,20", "T,20,abc", "T,x," + "0" * 64, "U,20," + "0" * 64])
def test_what_is_no_seal_is_a_row_as_any_other(read_text: ReadText, line: str) -> None:
    reading = read_text(TABLES["four columns"] + line + "\r\n")
    assert [finding.code for finding in reading.findings] == ["ragged_row"]
