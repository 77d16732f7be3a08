"""Files are known by their content, and what is not read is refused by name."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.domain.identifiers import Environment
from service.rosters.findings import (
    CODES,
    ERROR_SENTENCES,
    FILE_SENTENCES,
    WARNING_SENTENCES,
    describe_finding,
)
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions

CheckText = Callable[..., dict[str, Any]]


def build_zip(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, "x")
    return stream.getvalue()


REFUSED = [
    (gzip.compress(gzip.compress(b"mbi,npi\n")), "gzip", "unsupported_format_gzip"),
    (b"\x1f\x8b no gzip", "gzip", "unsupported_format_gzip"),
    (gzip.compress(b"mbi,npi\n")[:-9], "gzip", "truncated"),
    (gzip.compress(build_zip("roster.csv")), "zip", "unsupported_format_zip"),
    (build_zip("roster.csv"), "zip", "unsupported_format_zip"),
    (build_zip("xl/workbook.xml"), "xlsx", "unsupported_format_xlsx"),
    (build_zip("xl/workbook.xml")[:60], "xlsx", "unsupported_format_xlsx"),
    (build_zip("roster.csv")[:60], "zip", "unsupported_format_zip"),
    (b"PK\x03\x04 broken", "zip", "unsupported_format_zip"),
    (b"PK\x05\x06" + bytes(18), "zip", "unsupported_format_zip"),
    (b"%PDF-1.7", "pdf", "unsupported_format_pdf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 workbook", "xls", "unsupported_format_xls"),
    (b"ISA*00*          *00*", "x12", "unsupported_format_x12"),
    (b"ISA|00|          |00|", "x12", "unsupported_format_x12"),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
        "xlsx",
        "unsupported_format_encrypted",
    ),
    (b"MSH|||||||EHR", "hl7v2", "unsupported_format_hl7v2"),
    (b"\n <?xml version='1.0'?>", "xml", "unsupported_format_xml"),
    ("<Bundle/>".encode("utf-16"), "xml", "unsupported_format_xml"),
    (b'[{"memberId": "x"}]', "json", "header_unrecognised"),
    (b'{"pairs": {}}', "json", "unsupported_format_json"),
    (b'{"mode": "full", "pairs": []}', "json", "unsupported_format_json"),
    (b'{"roster": []}', "json", "unsupported_format_json"),
    (b"{} []", "ndjson", "unsupported_format_ndjson"),
    (b'{"a": NaN}', "json", "unsupported_format_json"),
    ('{"pairs": []}'.encode("utf-16"), "json", "encoding_undecodable"),
    (b'{"a": 1}\n{"a": 2}\n', "ndjson", "unsupported_format_ndjson"),
    (b'{"a": 1, "a": 2}', "json", "unsupported_format_json"),
    (b'{"a": ' + b"9" * 5_000 + b"}", "json", "too_large"),
    (b'{"resourceType": "Bundle", "entry": [', "fhir", "truncated"),
    (b'{"resourceType": "Group", "id": "a", "id": "b"}', "fhir", "unsupported_format_json"),
    (b'{"pairs": [', "json", "truncated"),
    (b"[" * 200_000, "json", "too_large"),
    (b'{"a": "\xff"}', "json", "encoding_undecodable"),
]


@pytest.mark.parametrize(("content", "name", "error"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_not_read_is_refused_by_its_content(
    check_text: CheckText, content: bytes, name: str, error: str
) -> None:
    found = check_text(content, "roster.csv")
    assert (found["format"], found["file_error"], found["present"]) == (name, error, [])


def test_an_empty_folder_is_no_set(tmp_path: Path) -> None:
    reading = read_roster(tmp_path, RosterOptions(Environment.SANDBOX))
    assert reading.file_error == "unsupported_format_ndjson"


@pytest.mark.parametrize(
    ("content_type", "text", "error"),
    [
        ("text/csv; charset=utf-8", "mbi,npi\n", None),
        ("application/vnd.ms-excel", "mbi,npi\n", None),
        ("application/octet-stream", "[]", None),
        ("text/plain", "MSH|^~\\&|EHR\r", None),
        (None, "[]", None),
        ("application/fhir+json", "[]", None),
        ("application/gzip", "mbi,npi\n", None),
        ("application/fhir+json", "mbi,npi\n", "unsupported_format_mismatch"),
        ("text/csv", "[]", "unsupported_format_mismatch"),
        ("TEXT/CSV", "MSH|^~\\&|EHR\r", "unsupported_format_mismatch"),
        ("text/csv", "<xml/>", "unsupported_format_xml"),
        ("application/pdf", "mbi,npi\n", "unsupported_format_mismatch"),
        ("IMAGE/png", "mbi,npi\n", "unsupported_format_mismatch"),
        ("audio/mpeg", "[]", "unsupported_format_mismatch"),
        ("video/mp4", "MSH|^~\\&|EHR\r", "unsupported_format_mismatch"),
        ("application/zip", "mbi,npi\n", "unsupported_format_mismatch"),
        ("text/xml; charset=utf-8", "mbi,npi\n", "unsupported_format_mismatch"),
        ("application/fhir+xml", "[]", "unsupported_format_mismatch"),
        ("application/xml", "<xml/>", "unsupported_format_xml"),
        ("text/html", "mbi,npi\n", "unsupported_format_mismatch"),
        ("text/html; charset=utf-8", "[]", "unsupported_format_mismatch"),
        ("application/EDI-X12", "mbi,npi\n", "unsupported_format_mismatch"),
        ("application/edifact", "MSH|^~\\&|EHR\r", "unsupported_format_mismatch"),
        ("application/edi-x12", "ISA*00*          *", "unsupported_format_x12"),
        ("application/hl7v2", "MSH|^~\\&|EHR\r", None),
        ("Application/HL7v2", "mbi,npi\n", "unsupported_format_mismatch"),
        ("text/x-roster", "mbi,npi\n", None),
        ("application/x-unknown", "mbi,npi\n", None),
    ],
)
def test_a_declared_type_of_another_family_is_refused(
    check_text: CheckText, content_type: str | None, text: str, error: str | None
) -> None:
    for content in (text.encode(), gzip.compress(text.encode())):
        assert check_text(content, content_type=content_type)["file_error"] == error


def test_a_gzip_body_of_several_members_is_read_by_its_content(check_text: CheckText) -> None:
    body = gzip.compress(b"mbi,npi\n1S00E00AA00,") + gzip.compress(b"3905293015\n") + bytes(100)
    found = check_text(body, "delta.csv.gz")
    assert (found["format"], found["mode_signal"], found["present"]) == (
        "csv",
        "delta",
        [["1S00E00AA00", "3905293015"]],
    )


def test_the_name_of_a_file_decides_nothing(check_text: CheckText) -> None:
    assert check_text("mbi,npi\n1S00E00AA00,3905293015\n", "roster.pdf")["file_error"] is None


def test_every_code_has_one_sentence_with_a_repair() -> None:
    sentences = {**ERROR_SENTENCES, **WARNING_SENTENCES, **FILE_SENTENCES}
    assert len(sentences) == len(ERROR_SENTENCES) + len(WARNING_SENTENCES) + len(FILE_SENTENCES)
    assert len(CODES) < 240, "codes and verdicts share one byte"
    for code, sentence in sentences.items():
        assert describe_finding(code) == sentence
        assert sentence.endswith(".") and sentence.count(". ") == 0
        assert ";" in sentence or ":" in sentence


def test_an_unknown_kind_of_file_is_still_described() -> None:
    assert "CSV" in describe_finding("unsupported_format_new")
