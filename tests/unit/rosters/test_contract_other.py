"""What compressed files and the kinds that are refused must come out as, case by case."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from readings import build_result
from workbooks import build_workbook, write_row

from service.domain.identifiers import Environment
from service.rosters.json_text import export_set
from service.rosters.json_text.joined_set import open_delivery
from service.rosters.read import check_roster
from service.rosters.reading import RosterOptions

CheckText = Callable[..., dict[str, Any]]

A, N = "1S00E00AA00", "3905293015"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
GROUP = {
    "resourceType": "Group",
    "type": "person",
    "member": [
        {
            "entity": {"identifier": {"system": "http://hl7.org/fhir/sid/us-mbi", "value": A}},
            "extension": [
                {
                    "url": "http://hl7.org/fhir/us/davinci-atr/StructureDefinition/ext-attributedProvider",
                    "valueReference": {"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": N}},
                }
            ],
        }
    ],
}
MESSAGE = (
    f"MSH|^~\\&|EHR|SITE|||20210805||ADT^A08|M1|P|2.5.1\rPID|1||{A}^^^CMS^MC||Doe^Ann\rPV1|1|O|||||{N}^Doe^^^^^^^NPI\r"
)
READ: dict[str, tuple[bytes, dict[str, Any]]] = {
    "csv": (f"mbi,npi\n{A},{N}\n".encode(), {"format": "csv"}),
    "csv, UTF-16": (f"mbi\tnpi\n{A}\t{N}\n".encode("utf-16"), {"format": "csv"}),
    "json": (json.dumps([[A, N]]).encode(), {"format": "json"}),
    "fhir": (json.dumps(GROUP).encode(), {"format": "fhir"}),
    "ndjson": (json.dumps(GROUP).encode() + b"\n" + b'{"resourceType":"Patient"}\n', {"format": "ndjson"}),
    "hl7v2": (MESSAGE.encode(), {"format": "hl7v2", "mode_signal": "delta"}),
    "workbook": (build_workbook({"Roster": write_row(1, "MBI", "NPI") + write_row(2, A, N)}), {"format": "xlsx"}),
}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("file", ["roster", "roster.pdf", "roster.csv.gz"])
def test_a_file_is_known_by_its_content_compressed_or_not(check_text: CheckText, name: str, file: str) -> None:
    content, parts = READ[name]
    result = build_result(**parts, present=[[A, N]])
    packed = gzip.compress(content)
    halves = gzip.compress(content[:20]) + gzip.compress(content[20:])
    for body in (content, packed, halves, packed + bytes(512)):
        assert check_text(body, file) == result


def pack(content: bytes, name: str = "roster.csv", *, is_locked: bool = False) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    found = bytearray(stream.getvalue())
    if is_locked:
        for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            found[found.find(signature) + at] |= 1
    return bytes(found)


CSV = READ["csv"][0]
REFUSED: dict[str, tuple[bytes, str, str]] = {
    "834": (b"ISA*00*          *00*          *ZZ*SENDER~GS*BE*", "x12", "unsupported_format_x12"),
    "834 with other delimiters": (b"ISA^00^          ^00^", "x12", "unsupported_format_x12"),
    "271 behind line ends": (b"\r\n\r\nISA*00*          *", "x12", "unsupported_format_x12"),
    "834 in UTF-16": ("ISA*00*          *".encode("utf-16"), "x12", "unsupported_format_x12"),
    "834 without its envelope": (b"GS*BE*PAYER*RECON*20210805*1431*1*X*005010X220A1~ST*834*0001~", "x12",
                                 "unsupported_format_x12"),
    "one transaction of an 834": (b"\nST*834*0001*005010X220A1~BGN*00*1~", "x12", "unsupported_format_x12"),
    "PDF behind a line end": (b"\n%PDF-1.7\n%\xe2\xe3\xcf\xd3", "pdf", "unsupported_format_pdf"),
    "PDF behind a mark": (b"\xef\xbb\xbf\r\n %PDF-1.4\n\0\0", "pdf", "unsupported_format_pdf"),
    "RTF": (b"{\\rtf1\\ansi MBI}", "rtf", "unsupported_format_rtf"),
    "RTF behind a line end": (b"\r\n{\\rtf1}", "rtf", "unsupported_format_rtf"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\x04abc", "7z", "unsupported_format_7z"),
    "rar": (b"Rar!\x1a\x07\x01\0abc", "rar", "unsupported_format_rar"),
    "old rar": (b"Rar!\x1a\x07\0abc", "rar", "unsupported_format_rar"),
    "compressed 7z": (gzip.compress(b"7z\xbc\xaf\x27\x1c\0\x04"), "7z", "unsupported_format_7z"),
    "FHIR as XML": (b'<Group xmlns="http://hl7.org/fhir"/>', "xml", "unsupported_format_xml"),
    "XML": (b"\xef\xbb\xbf<?xml version='1.0'?><x/>", "xml", "unsupported_format_xml"),
    "HTML that is called a workbook": (b"<html><table><tr><td>MBI</td></tr></table>", "xml", "unsupported_format_xml"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "pdf", "unsupported_format_pdf"),
    "zip": (pack(CSV), "zip", "unsupported_format_zip"),
    "locked zip": (pack(CSV, is_locked=True), "zip", "unsupported_format_zip"),
    "empty zip": (b"PK\x05\x06" + bytes(18), "zip", "unsupported_format_zip"),
    "document": (pack(b"<w/>", "word/document.xml"), "zip", "unsupported_format_zip"),
    "old workbook": (OLE + bytes(504) + "Workbook".encode("utf-16-le"), "xls", "unsupported_format_xls"),
    "workbook behind a password": (
        OLE + bytes(504) + "EncryptedPackage".encode("utf-16-le"), "xlsx", "unsupported_format_encrypted"),
    "compressed twice": (gzip.compress(gzip.compress(CSV)), "gzip", "unsupported_format_gzip"),
    "compressed zip": (gzip.compress(pack(CSV)), "zip", "unsupported_format_zip"),
    "compressed PDF": (gzip.compress(b"%PDF-1.7"), "pdf", "unsupported_format_pdf"),
    "damaged gzip": (b"\x1f\x8b no gzip at all", "gzip", "unsupported_format_gzip"),
    "gzip that was cut": (gzip.compress(CSV)[:-1], "gzip", "truncated"),
    "gzip that was cut early": (gzip.compress(CSV)[:12], "gzip", "truncated"),
    "gzip with a wrong sum": (gzip.compress(CSV)[:-8] + bytes(8), "gzip", "unsupported_format_gzip"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_refused_by_name(tmp_path: Path, check_text: CheckText, name: str) -> None:
    content, found_format, error = REFUSED[name]
    result = build_result(format=found_format, file_error=error)
    for file in ("roster", "roster.csv", "roster.json"):
        assert check_text(content, file) == result
    from service.cli.main import cli

    printed = CliRunner().invoke(cli, ["check", str(tmp_path / "roster.csv"), "--format", "json"])
    assert (json.loads(printed.stdout), printed.exit_code) == (result, 12)


TITLED = f"mbi,npi\n{A},{N}\n"
TITLES: dict[str, tuple[str, str]] = {
    "brackets": ("[Confidential] roster\n", "csv"),
    "brackets behind a line end": ("\n[ Page 1 ]\n", "csv"),
    "small letters": ("[new patients]\n", "csv"),
    "list of texts": ('["Confidential"]\n', "json"),
    "list of words": ("[true]\n", "json"),
    "list of numbers": ("[-1]\n", "json"),
    "list in a list": ("[[\n", "json"),
    "list of nothing": ("[]\n", "json"),
    "bracket alone": ("[\n", "json"),
    "object": ("{Confidential}\n", "json"),
    "element": ("<Confidential>\n", "xml"),
}


@pytest.mark.parametrize("name", TITLES)
def test_a_title_in_brackets_is_no_json_where_headings_follow(check_text: CheckText, name: str) -> None:
    title, found_format = TITLES[name]
    found = check_text(title + TITLED)
    assert (found["format"], found["present"]) == (found_format, [[A, N]] if found_format == "csv" else [])


def test_a_title_in_brackets_without_headings_stays_json(check_text: CheckText) -> None:
    assert check_text(f"[Confidential]\n{A},{N}\n" * 3)["file_error"] == "unsupported_format_json"


FOLDERS: dict[str, dict[str, bytes]] = {
    "nothing": {},
    "no NDJSON": {"roster.csv": CSV},
    "a manifest of nothing": {"manifest.json": b'{"output": []}'},
    "a manifest of lost files": {"manifest.json": b'{"output": [{"url": "https://x.example.org/Group.ndjson"}]}'},
    "a manifest that is none": {"manifest.json": b"[]", "Group.ndjson": json.dumps(GROUP).encode()},
    "lines that are no resources": {"Group.ndjson": b'{"a": 1}\n'},
    "pairs": {"Group.ndjson": json.dumps([[A, N]]).encode()},
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_is_no_export_is_refused(tmp_path: Path, name: str) -> None:
    for file, content in FOLDERS[name].items():
        (tmp_path / file).write_bytes(content)
    found = check_roster(tmp_path, RosterOptions(Environment.SANDBOX))
    assert found == build_result(format="ndjson", file_error="unsupported_format_ndjson")


BROKEN: dict[str, tuple[dict[str, bytes], str]] = {
    "line cut": ({"Group.ndjson": json.dumps(GROUP).encode()[:-3]}, "truncated"),
    "manifest cut": ({"manifest.json": b'{"output": [', "Group.ndjson": b""}, "truncated"),
    "key twice": ({"Group.ndjson": b'{"resourceType":"Group","id":"1","id":"2"}'}, "unsupported_format_ndjson"),
    "no UTF-8": ({"Group.ndjson": b'{"resourceType":"Group","id":"\xff"}'}, "encoding_undecodable"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_damaged_file_refuses_the_whole_export(tmp_path: Path, name: str) -> None:
    files, error = BROKEN[name]
    (tmp_path / "Patient.ndjson").write_bytes(b'{"resourceType":"Patient"}\n')
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    found = check_roster(tmp_path, RosterOptions(Environment.SANDBOX))
    assert found == build_result(format="ndjson", file_error=error)


LINES = json.dumps(GROUP).encode() + b"\n"
LISTED = b'{"output": [{"url": "Group.ndjson", "count": 1}], "transactionTime": null}'
PACKED: dict[str, dict[str, bytes]] = {
    "by its name": {"Group.ndjson.gz": gzip.compress(LINES)},
    "by its content": {"Group.ndjson": gzip.compress(b"\xef\xbb\xbf" + LINES)},
    "listed by its name": {"Group.ndjson.gz": gzip.compress(LINES),
                           "manifest.json": LISTED.replace(b"ndjson", b"ndjson.gz")},
    "listed without its ending": {"Group.ndjson.gz": gzip.compress(LINES), "manifest.json": LISTED},
    "beside what it holds": {"Group.ndjson.gz": gzip.compress(LINES), "Group.ndjson": LINES},
    "an empty one beside it": {"Group.ndjson": LINES, "Patient.ndjson.gz": gzip.compress(b"")},
}  # fmt: skip


@pytest.mark.parametrize("name", PACKED)
def test_a_packed_file_of_an_export_is_read(tmp_path: Path, name: str) -> None:
    for file, content in PACKED[name].items():
        (tmp_path / file).write_bytes(content)
    options = RosterOptions(Environment.SANDBOX)
    assert check_roster(tmp_path, options) == build_result(format="ndjson", present=[[A, N]])
    if "manifest.json" in PACKED[name]:
        with open_delivery(tmp_path) as stream:
            (tmp_path / "body").write_bytes(stream.read())
        assert check_roster(tmp_path / "body", options) == build_result(format="ndjson", present=[[A, N]])


SPOILED: dict[str, tuple[bytes, str]] = {
    "cut": (gzip.compress(LINES)[:-9], "truncated"),
    "damaged": (b"\x1f\x8b no gzip", "unsupported_format_gzip"),
    "packed twice": (gzip.compress(gzip.compress(LINES)), "unsupported_format_gzip"),
    "a bomb": (gzip.compress(bytes(4 << 20)), "too_large"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_packed_file_that_cannot_be_unpacked_refuses_the_whole_export(tmp_path: Path, name: str) -> None:
    content, error = SPOILED[name]
    (tmp_path / "Group.ndjson").write_bytes(LINES)
    (tmp_path / "Patient.ndjson.gz").write_bytes(content)
    found = check_roster(tmp_path, RosterOptions(Environment.SANDBOX))
    assert found == build_result(format="ndjson", file_error=error)


def test_packed_files_of_an_export_share_one_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        (tmp_path / f"{n}.ndjson.gz").write_bytes(gzip.compress(LINES))
    options = RosterOptions(Environment.SANDBOX)
    monkeypatch.setattr(export_set, "MAX_EXPANDED_BYTES", 3 * len(LINES))
    assert check_roster(tmp_path, options)["file_error"] is None
    monkeypatch.setattr(export_set, "MAX_EXPANDED_BYTES", 3 * len(LINES) - 1)
    assert check_roster(tmp_path, options)["file_error"] == "too_large"


@pytest.mark.parametrize("name", [name for name in READ if name != "workbook"])
def test_a_declared_type_that_says_little_changes_nothing(check_text: CheckText, name: str) -> None:
    content, parts = READ[name]
    result = build_result(**parts, present=[[A, N]])
    for declared in ("application/octet-stream", "text/plain; charset=utf-8", "application/gzip"):
        assert check_text(content, content_type=declared) == result
