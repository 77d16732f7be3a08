"""A table whose last line states its rows and the SHA-256 of what stands before (reliability S6.1)."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable

import pytest

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
LINE_ENDS = ("", "\r\n", ",\r\n\r\n")


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


def test_digits_of_a_digest_may_be_large_and_quoted(read_text: ReadText) -> None:
    body = TABLES["two columns"].encode()
    line = f'"T","20","{hashlib.sha256(body).hexdigest().upper()}"\n'.encode()
    assert read_text(body + line).file_error is None


@pytest.mark.parametrize("line", ["T,20", "T,20,abc", "T,x," + "0" * 64, "U,20," + "0" * 64])
def test_what_is_no_seal_is_a_row_as_any_other(read_text: ReadText, line: str) -> None:
    reading = read_text(TABLES["four columns"] + line + "\r\n")
    assert [finding.code for finding in reading.findings] == ["ragged_row"]
