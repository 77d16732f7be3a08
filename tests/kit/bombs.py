"""Files made to exhaust whoever reads them, and what each must be refused as."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator

from workbooks import build_workbook, write_row

MIB = 1 << 20
ROW = b"mbi,npi\n1S00E00AA00,3905293015\n"
HEADER = write_row(1, "MBI", "NPI")
DISGUISED_ERROR = '<row><c t="&#101;"><v>#x</v></c></row>'


def iter_zeros(size: int) -> Iterator[bytes]:
    """Yields a gzip body that inflates to `size` zeros, at the highest ratio there is."""
    packer = zlib.compressobj(9, wbits=31)
    for _ in range(size // MIB):
        yield packer.compress(bytes(MIB))
    yield packer.flush()


def build_nested_zip() -> bytes:
    """The likes of 42.zip: archives of archives of zeros."""
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


def pack_sheet(rows: str, **members: str) -> bytes:
    """A workbook whose sheet has these rows and which has further members; stored, so that no ratio gives it away."""
    parts = {name.replace("__", "/") + ".xml": text for name, text in members.items()}
    whole = build_workbook({"S": HEADER + rows})
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            new.writestr(name, parts.pop(name) if name in parts else old.read(name))
        for name, text in parts.items():
            new.writestr(name, text)
    return stream.getvalue()


def build_shared_string(place: str = "0") -> bytes:
    """Fifteen thousand cells that share one long text: 1.4 GiB once every cell has its copy."""
    rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>{place}</v></c></row>' for n in range(3, 15_003))
    return pack_sheet(rows, xl__sharedStrings=f"<sst><si><t>{'x' * 100_000}</t></si></sst>")


def spread_rows(step: int, last: int) -> str:
    """Rows of pairs far from one another."""
    return "".join(
        write_row(line, f"1S00E00AA{n % 100:02d}", "3990000002") for n, line in enumerate(range(2, last, step))
    )


def build_sparse_sheets() -> bytes:
    """Sixty sheets of which none reaches far."""
    return build_workbook({f"S{n}": HEADER + spread_rows(9_999, 99_999) for n in range(60)})


def build_many_sheets() -> bytes:
    return pack_sheet("", xl__workbook=f"<workbook><sheets>{'<sheet/>' * 2_000_000}</sheets></workbook>")


def build_defined_names() -> bytes:
    names = '<definedName name="a">b</definedName>' * 1_000_000
    return pack_sheet("", xl__workbook=f"<workbook><definedNames>{names}</definedNames></workbook>")


def build_keys(start: bytes, end: bytes) -> bytes:
    return start + b",".join(b'"%x":0' % n for n in range(3_000_000)) + end


def build_rows_of_keys() -> bytes:
    rows = (b"{" + b",".join(b'"%xg%x":0' % (row, n) for n in range(1_000)) + b"}" for row in range(3_000))
    return b"[" + b",".join(rows) + b"]"


def build_fat_members() -> bytes:
    """Members that refer to their patient with a thousand values each."""
    fat = b'{"entity":{"reference":[' + b"{}," * 999 + b"{}]}},"
    return b'{"resourceType":"Group","member":[' + fat * 15_000


def build_fat_resources() -> bytes:
    """Patients of whose values many could be numbers."""
    fat = b'{"resourceType":"Patient","identifier":[' + b"{}," * 999 + b"{}]}\n"
    return fat * 15_000


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
    "shared string": (build_shared_string, "too_large"),
    "count of strings": (lambda: pack_sheet("", xl__sharedStrings='<sst uniqueCount="2323232225"/>'), "too_large"),
    "shared string of an odd number": (lambda: build_shared_string("+" + "0" * 20), "too_large"),
    "table of blank strings": (
        lambda: pack_sheet("", xl__sharedStrings=f"<sst>{'<si/>' * 6_000_000}</sst>"),
        "too_large",
    ),
    "hardly filled rectangle": (lambda: pack_sheet('<row r="1000000"><c r="O1000000"><v>1</v></c></row>'), "too_large"),
    "spread rows": (lambda: build_workbook({"S": HEADER + spread_rows(50_000, 1_000_000)}), "too_large"),
    "more spread rows": (lambda: build_workbook({"S": HEADER + spread_rows(40, 1_000_000)}), "too_large"),
    "rows at the end": (lambda: build_workbook({"S": write_row(1_048_570, "MBI", "NPI")}), "too_large"),
    "sparse sheets": (build_sparse_sheets, "too_large"),
    "cells with an error": (lambda: pack_sheet(("<row>" + '<c t="e"/>' * 1_000 + "</row>") * 3_000), "too_large"),
    "errors that no copy makes plain": (
        lambda: pack_sheet(("<row>" + f"<c t='e'><v>#{'x' * 90}</v></c>" * 500 + "</row>") * 200 + DISGUISED_ERROR),
        "unsupported_format_xlsx",
    ),
    "hidden rows": (lambda: pack_sheet('<row hidden="1"/>' * 2_000_000), "too_large"),
    "list of sheets": (build_many_sheets, "too_large"),
    "list of names": (build_defined_names, "too_large"),
    "styles": (
        lambda: pack_sheet("", xl__styles=f"<styleSheet><cellXfs>{'<xf/>' * 5_000_000}</cellXfs></styleSheet>"),
        "too_large",
    ),
    "deep sheet": (lambda: pack_sheet("<a>" * 4_000_000), "too_large"),
    "deep strings": (lambda: pack_sheet("", xl__sharedStrings="<sst>" + "<a>" * 4_000_000), "too_large"),
    "long attribute": (lambda: pack_sheet(f'<a b="{"x" * (30 * MIB)}"/>'), "too_large"),
    "long cell": (lambda: pack_sheet(f'<row r="2"><c r="A2" t="str"><v>{"x" * (30 * MIB)}</v></c></row>'), "too_large"),
    "long marked section": (
        lambda: pack_sheet(f'<row r="2"><c r="A2" t="str"><v><![CDATA[{"</a>" * 8_000_000}]]></v></c></row>'),
        "too_large",
    ),
    "entities in a sheet": (
        lambda: pack_sheet("", xl__worksheets__sheet1='<!DOCTYPE x [<!ENTITY a "ha">]><worksheet>&a;</worksheet>'),
        "unsupported_format_xlsx",
    ),
    "keys of an object": (lambda: build_keys(b"[{", b"}]"), "too_large"),
    "keys that are read over": (lambda: build_keys(b'{"resourceType":"Patient","x":{', b"}}"), "too_large"),
    "rows of ever other keys": (build_rows_of_keys, "too_large"),
    "values without end": (lambda: b'{"resourceType":"Bundle","total":[' + b"0," * (30 * MIB), "too_large"),
    "entries of nothing": (lambda: b'{"resourceType":"Bundle","entry":[' + b"{}," * (20 * MIB), "too_large"),
    "entries of little": (lambda: b'{"resourceType":"Bundle","entry":[' + b'{"id":0},' * (7 * MIB), "too_large"),
    "identifiers of nothing": (lambda: b'{"resourceType":"Patient","identifier":[' + b"[]," * (20 * MIB), "too_large"),
    "members of many values": (build_fat_members, "too_large"),
    "resources of many values": (build_fat_resources, "too_large"),
    "documents of nothing": (lambda: b"{}\n" * 900_000, "too_large"),
    "utf-16 of one line": (lambda: b"\xff\xfe" + "\u4e00".encode("utf-16-le") * (30 * MIB), "too_large"),
    "utf-16 of lines": (lambda: b"\xff\xfe" + "a,b\n".encode("utf-16-le") * (7 * MIB), "header_unrecognised"),
    "windows-1252 of lines": (lambda: b"x,y\n" + b"\xe9\n" * (30 * MIB), "header_unrecognised"),
    "lone returns": (lambda: b"mbi,npi\r" + b"\r" * (40 * MIB), "too_large"),
    "messages": (lambda: b"MSH|^~\\&\r" * 6_500_000, "too_large"),
}
"""By name: how the file is built, and the file error that it must earn."""
