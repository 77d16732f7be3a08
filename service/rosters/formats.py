"""Recognises a file by its content, and the one table of which reader reads which format."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from service.domain.identifiers import Environment
from service.rosters.delimited.reader import read_delimited
from service.rosters.delimited.table import find_layout
from service.rosters.encoding import find_marked_encoding
from service.rosters.hl7v2.reader import read_hl7v2
from service.rosters.json_text.export_set import read_export_set
from service.rosters.json_text.joined_set import is_joined_set
from service.rosters.json_text.reader import read_json
from service.rosters.reading import RosterOptions, RosterReading
from service.rosters.workbook.archive import is_workbook
from service.rosters.workbook.reader import read_workbook

Reader = Callable[[Path, RosterOptions], RosterReading]

_HEAD = 4_096
_PIECE = 1 << 20
_BLANK = b" \t\r\n"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"%PDF", "pdf"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"PK\x05\x06", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
)
_MARKED = ((b"%PDF-", "pdf"), (b"{\\rtf", "rtf"))
"""What text editors and mail put a byte order mark or line ends in front of."""
_X12 = re.compile(r"ISA[^A-Za-z0-9\s]|GS\*[A-Z]{2}\*|ST\*[0-9]{3}\*")
"""An interchange, or what is left of one without its envelope."""
_TITLE = re.compile(r"""\[[ \t]*(?!["\[\]{0-9-]|(?:true|false|null)\b)[^\s]""")
"""A bracket that no JSON begins with."""
_HL7 = re.compile(r"\x0b?(?:MSH|FHS|BHS)[^A-Za-z0-9\s]{3,6}")

READERS: Mapping[str, Reader] = {
    "csv": read_delimited,
    "json": read_json,
    "hl7v2": read_hl7v2,
    "ndjson": read_export_set,
    "xlsx": read_workbook,
}
"""Formats that are read; every other one is refused by its name."""


def find_format(path: Path) -> str:
    """Answers the format of a file by its first bytes, never by its name: csv unless they say otherwise.

    A folder is a bulk export set, and so is JSON that begins with the manifest of one.
    """
    if path.is_dir():
        return "ndjson"
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return "encrypted" if name == "xls" and _is_encrypted(path) else name
    if head.startswith(b"PK\x03\x04"):
        return "xlsx" if is_workbook(path) else "zip"
    bare = head.removeprefix(codecs.BOM_UTF8).lstrip(_BLANK)
    for magic, name in _MARKED:
        if bare.startswith(magic):
            return name
    if is_joined_set(path):
        return "ndjson"  # asked first: behind a short manifest the bytes of a bad file may look like UTF-16
    return _find_text_format(head)


def _find_text_format(head: bytes) -> str:
    encoding = find_marked_encoding(head[:200]) or "utf-8"
    text = head.decode(encoding, errors="replace").lstrip("\ufeff \t\r\n")
    if _X12.match(text):
        return "x12"
    if _HL7.match(text):
        return "hl7v2"
    if text.startswith("<"):
        return "xml"
    if text.startswith("["):
        return "csv" if _is_titled_table(text) else "json"
    return "json" if text.startswith("{") else "csv"


def _is_titled_table(text: str) -> bool:
    """Answers whether headings of a roster stand below a title in brackets."""
    if not _TITLE.match(text):
        return False
    layout = find_layout(text, RosterOptions(Environment.PRODUCTION))
    return layout is not None and not layout.headerless


def _is_encrypted(path: Path) -> bool:
    """Answers whether an OLE container holds a workbook behind a password (MS-OFFCRYPTO 2.3.4.4)."""
    overlap = b""
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            if _ENCRYPTED in overlap + piece:
                return True
            overlap = piece[-len(_ENCRYPTED) :]
    return False
