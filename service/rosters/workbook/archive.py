"""Opens the archive that a workbook is, and counts every byte while it is unpacked."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from service.rosters.limits import (
    FREE_EXPANSION,
    MAX_EXPANDED_BYTES,
    MAX_WORKBOOK_INDEX_BYTES,
    MAX_WORKBOOK_MEMBERS,
    MAX_WORKBOOK_RATIO,
    TooLarge,
)

WORKBOOK = "xl/workbook.xml"
STRINGS, STYLES = "xl/sharedstrings.xml", "xl/styles.xml"
"""As names are compared."""
RELATIONS = "xl/_rels/workbook.xml.rels"
_END = struct.Struct("<4s4xHHLL2x")
_END_MARK = b"PK\x05\x06"
_COMMENT = 1 << 16
_HEAD = 1 << 20
_PART = re.compile(rb"PK\x03\x04.{26}xl/", re.DOTALL)
_CHUNK = 1 << 16
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)


class Damaged(Exception):
    """The archive is no workbook that can be read."""


def is_workbook(path: Path) -> bool:
    """Answers whether an archive holds the parts of an Excel workbook, or held them before its end was lost."""
    try:
        with open_archive(path) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except TooLarge:
        return False
    except Damaged:
        return _begins_as_workbook(path)


def _begins_as_workbook(path: Path) -> bool:
    """Answers whether a part of a workbook is named in the head of an archive that has no index (appnote 4.3.7)."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    return _PART.search(head) is not None


def open_archive(path: Path) -> zipfile.ZipFile:
    """Answers the archive; its index is read only when it is small. Raises Damaged and TooLarge."""
    _check_index(path)
    try:
        return zipfile.ZipFile(path)
    except _UNREADABLE as error:
        raise Damaged from error


def _check_index(path: Path) -> None:
    """Refuses an index that lists more than any workbook has, before it is read whole (zip appnote 4.3.16)."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - _COMMENT - _END.size))
        tail = stream.read()
    place = tail.rfind(_END_MARK)
    if place < 0 or len(tail) - place < _END.size:
        raise Damaged
    _, on_disk, members, index_bytes, _ = _END.unpack_from(tail, place)
    if max(members, on_disk) > MAX_WORKBOOK_MEMBERS or index_bytes > MAX_WORKBOOK_INDEX_BYTES:
        raise TooLarge


class Unpacker:
    """Unpacks members in turn and keeps count; one instance sees the whole archive."""

    def __init__(self, archive: zipfile.ZipFile, archive_bytes: int) -> None:
        self._archive = archive
        self._archive_bytes = archive_bytes
        self._left = min(MAX_EXPANDED_BYTES, max(FREE_EXPANSION, MAX_WORKBOOK_RATIO * archive_bytes))

    def iter_chunks(self, member: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yields a member in pieces; raises Damaged, and TooLarge as soon as it or all of them expand too far."""
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Damaged
        packed = min(member.compress_size, self._archive_bytes)
        left = max(FREE_EXPANSION, MAX_WORKBOOK_RATIO * packed)
        try:
            with self._archive.open(member) as stream:
                while chunk := stream.read(_CHUNK):
                    left -= len(chunk)
                    self._left -= len(chunk)
                    if left < 0 or self._left < 0:
                        raise TooLarge
                    yield chunk
        except _UNREADABLE as error:
            raise Damaged from error


def fold_name(name: str) -> str:
    """Answers the name of a member as readers compare it that know neither case nor the kind of slash."""
    return name.lower().replace("\\", "/")


def index_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Answers members by name; raises Damaged where two names are one to a reader that ignores case."""
    members = {info.filename: info for info in archive.infolist()}
    if len({fold_name(name) for name in members}) != len(archive.infolist()):
        raise Damaged
    return members
