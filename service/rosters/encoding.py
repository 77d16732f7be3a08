"""Bytes to UTF-8: byte order marks, UTF-16 by parity, strict UTF-8, else Windows-1252 (feeds 3.2)."""

from __future__ import annotations

import codecs
import os
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

_PARITY_BYTES = 200
_PIECE = 1 << 20
DECLARED = {"utf-8": "utf-8", "utf-16": "utf-16-le", "windows-1252": "cp1252", "iso-8859-1": "iso-8859-1"}
"""What a feed may declare, and how that is called in a reading; UTF-16 is little-endian unless the bytes say more."""
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


class Undecodable(Exception):
    """The bytes are in none of the accepted encodings."""


class Transcoded:
    """The text of a file in UTF-8, in an anonymous file in memory that lives as long as this."""

    def __init__(self) -> None:
        descriptor = os.memfd_create("transcoded", os.MFD_CLOEXEC)
        self.path = Path(f"/proc/self/fd/{descriptor}")
        weakref.finalize(self, os.close, descriptor)

    def __len__(self) -> int:
        return self.path.stat().st_size


@dataclass(frozen=True, slots=True)
class Source:
    """A file as UTF-8: `encoding` is the original one, `text` the transcoded bytes where that differs."""

    path: Path
    encoding: str
    text: Transcoded | None = None

    def open(self) -> BinaryIO:
        """Opens the UTF-8 bytes behind the byte order mark."""
        if self.text is not None:
            return self.text.path.open("rb")
        stream = self.path.open("rb")
        if self.encoding == "utf-8-sig":
            stream.seek(len(codecs.BOM_UTF8))
        return stream


def open_source(path: Path, declared: str | None = None) -> Source:
    """Answers the file as UTF-8; one without marks is taken for UTF-8 until a byte says otherwise.

    A declared encoding is the only one: raises Undecodable where a mark or NUL bytes contradict it, and for bytes that
    it has not.
    """
    with path.open("rb") as stream:
        head = stream.read(_PARITY_BYTES)
    encoding = find_marked_encoding(head)
    if declared is not None:
        encoding = _settle_encoding(DECLARED[declared], encoding) if head else None
    if encoding in (None, "utf-8", "utf-8-sig"):
        return Source(path, encoding or "utf-8")
    return transcode_source(path, encoding)


def _settle_encoding(declared: str, shown: str | None) -> str:
    """Answers the encoding that was declared, as the bytes show it; raises Undecodable.

    Delimiters and digits of UTF-16 have NUL bytes, text of all other encodings has none.
    """
    if shown is None:
        if declared.startswith("utf-16"):
            raise Undecodable
        return declared
    if shown.removesuffix("-sig").removesuffix("-le").removesuffix("-be") != declared.removesuffix("-le"):
        raise Undecodable
    return shown


def transcode_source(path: Path, encoding: str = "cp1252") -> Source:
    """Answers the file transcoded from an encoding that is not UTF-8; raises Undecodable."""
    decoder = codecs.getincrementaldecoder(encoding)()
    text, is_first = Transcoded(), True
    try:
        with path.open("rb") as stream, text.path.open("wb") as out:
            while piece := stream.read(_PIECE):
                decoded = decoder.decode(piece)
                out.write((decoded.removeprefix("\ufeff") if is_first else decoded).encode("utf-8"))
                is_first = False
            out.write(decoder.decode(b"", final=True).encode("utf-8"))
    except UnicodeError as error:
        raise Undecodable from error
    return Source(path, encoding, text)


def find_marked_encoding(head: bytes) -> str | None:
    """Answers the encoding that a byte order mark or the parity of NUL bytes shows."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if b"\0" not in head:
        return None
    return "utf-16-le" if head[1::2].count(0) >= head[0::2].count(0) else "utf-16-be"


def is_utf8(piece: bytes | memoryview) -> bool:
    """Answers whether the bytes are strict UTF-8."""
    if isinstance(piece, bytes) and piece.isascii():
        return True
    places = np.array([0, len(piece)], np.int32).tobytes()
    try:
        text = pa.StringArray.from_buffers(1, pa.py_buffer(places), pa.py_buffer(piece))
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
