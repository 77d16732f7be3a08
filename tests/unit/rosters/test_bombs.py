"""Files made to exhaust a reader are refused within little processor time and memory."""

from __future__ import annotations

import gzip
import io
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workbooks import build_workbook, write_row

from service.domain.identifiers import Environment
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions

CPU_SECONDS = 2.0
GROWTH_KIB = 64 << 10
MIB = 1 << 20
ROW = b"mbi,npi\n1S00E00AA00,3905293015\n"


def iter_zeros(size: int) -> Iterator[bytes]:
    """Yields a gzip body that inflates to `size` zeros, at the highest ratio there is."""
    packer = zlib.compressobj(9, wbits=31)
    for _ in range(size // MIB):
        yield packer.compress(bytes(MIB))
    yield packer.flush()


def build_nested_zip() -> bytes:
    content = bytes(4 * MIB)
    for level in range(6):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for copy in range(16):
                archive.writestr(f"lib {level}{copy}.zip", content)
        content = stream.getvalue()
    return content


def build_zeros_sheet() -> bytes:
    return build_workbook({"S": write_row(1, "MBI", "NPI") + " " * (100 * MIB)})


def build_far_cell() -> bytes:
    return build_workbook({"S": write_row(1, "MBI", "NPI") + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'})


def build_fat_member() -> bytes:
    return build_workbook({"S": write_row(1, "MBI", "NPI")}, members={"xl/media/image1.xml": "x" * (80 * MIB)})


def build_many_members() -> bytes:
    return build_workbook({"S": write_row(1, "MBI", "NPI")}, members={f"xl/{n}.xml": "" for n in range(2_000)})


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "nested zip": (build_nested_zip, "unsupported_format_zip"),
    "gzip of zeros": (lambda: b"".join(iter_zeros(1_024 * MIB)), "too_large"),
    "gzip of rows, then zeros": (lambda: gzip.compress(ROW) + b"".join(iter_zeros(512 * MIB)), "too_large"),
    "gzip of a nested gzip": (lambda: gzip.compress(b"".join(iter_zeros(256 * MIB))), "unsupported_format_gzip"),
    "sheet of blanks": (build_zeros_sheet, "too_large"),
    "far cell": (build_far_cell, "too_large"),
    "fat member": (build_fat_member, "too_large"),
    "many members": (build_many_members, "unsupported_format_zip"),
    "row of a million columns": (lambda: ROW + b"x," * 1_000_000, "too_large"),
    "header of a million columns": (lambda: b"mbi,npi," * 250_000 + b"\n", "too_large"),
    "line of 100 MB": (lambda: b"x" * (100 * MIB), "too_large"),
    "line of 60 MB behind a row": (lambda: ROW + b"x" * (60 * MIB), "too_large"),
    "quoted line ends": (lambda: ROW + b'"' + b"\n" * (8 * MIB), "too_large"),
    "blank lines": (lambda: ROW + b"\n" * (60 * MIB), "too_large"),
    "blank lines in quotes": (lambda: ROW + b'"\n\n\n\n"\n' * (8 * MIB), "too_large"),
    "json depth": (lambda: b"[" * 100_000, "too_large"),
    "json depth in objects": (lambda: b'{"a":' * 100_000, "too_large"),
    "json depth in a resource": (lambda: b'{"resourceType":"Patient","x":' + b"[" * 100_000, "too_large"),
    "integer of a million digits": (lambda: b'[["1S00E00AA00",' + b"9" * 1_000_000 + b"]]", "too_large"),
    "fraction of a million digits": (lambda: b'[["1S00E00AA00",1.' + b"9" * 1_000_000 + b"]]", "too_large"),
    "text of 60 MB": (lambda: b'[["' + b"x" * (60 * MIB) + b'"]]', "too_large"),
    "million laughs": (
        lambda: b'<!DOCTYPE x [<!ENTITY a "ha">' + b'<!ENTITY b "&a;&a;">' * 9 + b"]><x>&b;</x>",
        "unsupported_format_xml",
    ),
    "file entity": (
        lambda: b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        "unsupported_format_xml",
    ),
    "url entity": (
        lambda: b'<!DOCTYPE x [<!ENTITY a SYSTEM "http://127.0.0.1:9/">]><x>&a;</x>',
        "unsupported_format_xml",
    ),
    "nul bytes": (lambda: b"\0" * (40 * MIB), "too_large"),
    "nul behind rows": (lambda: ROW * 20 + b"\0" * MIB + b"\n", "encoding_undecodable"),
    "segment of 60 MB": (lambda: b"MSH|^~\\&|" + b"x" * (60 * MIB), "too_large"),
    "message of many segments": (lambda: b"MSH|^~\\&|A\r" + b"PID|1|||||||\r" * 2_000_000, "too_large"),
}


def read_status(name: str) -> int:
    """Answers a line of the process's status in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_little_time_and_memory(tmp_path: Path, name: str) -> None:
    build, error = BOMBS[name]
    path = tmp_path / "roster.csv"
    path.write_bytes(build())
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before, start = read_status("VmRSS"), time.process_time()
    reading = read_roster(path, RosterOptions(Environment.SANDBOX))
    assert time.process_time() - start < CPU_SECONDS
    assert read_status("VmHWM") - before < GROWTH_KIB
    assert reading.file_error == error
    assert len(reading.present) == len(reading.remove) == len(reading.findings) == 0


def test_odd_but_honest_bytes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    for content in (
        ROW.decode().encode("utf-16"),
        b"\xef\xbb\xbf" + ROW,
        ROW.replace(b"\n", b"\r", 1),
        ROW + b"\r\n\r",
    ):
        path.write_bytes(content)
        reading = read_roster(path, RosterOptions(Environment.SANDBOX))
        assert (reading.file_error, len(reading.present)) == (None, 1)


def test_rows_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(ROW + b"1S00E00AA01,3905293015\n" * 10)
    assert read_roster(path, RosterOptions(Environment.SANDBOX, max_rows=10)).file_error == "too_large"
    assert read_roster(path, RosterOptions(Environment.SANDBOX, max_rows=11)).file_error is None
    path.write_bytes(ROW + b'"1S00E00AA01",3905293015\r' * 60_000)
    assert read_roster(path, RosterOptions(Environment.SANDBOX, max_rows=50_000)).file_error == "too_large"
