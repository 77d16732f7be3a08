"""The files of an export as stretches of bytes, whether each lies in a folder or all in one body."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from service.rosters.encoding import Undecodable, find_marked_encoding
from service.rosters.unpacking import BrokenGzip, inflate_pieces

PACKED = ".gz"
_GZIP = b"\x1f\x8b"
_HEAD = 200
_PIECE = 1 << 16
_LONGEST_NAME = 255
"""Bytes; asking a file system for a longer name is an error, not the answer that there is none."""


@dataclass(frozen=True, slots=True)
class Part:
    """The file `name` of a set: `size` bytes of `path`, from `start` on."""

    name: str
    path: Path
    start: int
    size: int

    def open(self) -> BinaryIO:
        """Opens the bytes behind the byte order mark; raises Undecodable for what is not UTF-8 (RFC 8259, 8.1)."""
        with self.path.open("rb") as stream:
            stream.seek(self.start)
            marked = find_marked_encoding(stream.read(min(_HEAD, self.size)))
        if marked not in (None, "utf-8-sig"):
            raise Undecodable
        skipped = len(codecs.BOM_UTF8) if marked else 0
        return open_pieces(self._iter_bytes(skipped))

    @contextmanager
    def unpack(self) -> Iterator[Part]:
        """Answers the part as it is, or what it holds where it is a gzip, for as long as the block lasts.

        Raises BrokenGzip, also for a gzip in the gzip, and TooLarge.
        """
        if not self._is_packed():
            yield self
            return
        with inflate_pieces(self.iter_bytes()) as path:
            inflated = Part(self.name, path, 0, path.stat().st_size)
            if inflated._is_packed():
                raise BrokenGzip(is_cut=False)
            yield inflated

    def _is_packed(self) -> bool:
        with self.path.open("rb") as stream:
            stream.seek(self.start)
            return stream.read(min(len(_GZIP), self.size)) == _GZIP

    def iter_bytes(self) -> Iterator[bytes]:
        """Yields the bytes as they are, fewer than `size` where the file has become shorter."""
        return self._iter_bytes(0)

    def _iter_bytes(self, skipped: int) -> Iterator[bytes]:
        left = self.size - skipped
        with self.path.open("rb") as stream:
            stream.seek(self.start + skipped)
            while left > 0 and (piece := stream.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece


def find_file(folder: Path, name: str) -> Path | None:
    """Answers a plain file directly in the folder; nothing outside of it is ever followed."""
    file = folder / name
    may_be = 0 < len(name.encode("utf-8", "replace")) <= _LONGEST_NAME and file.name == name
    return file if may_be and file.is_file() and not file.is_symlink() else None


def find_part(folder: Path, name: str) -> Part | None:
    """Answers a file of a folder, whole, if it is there, be it under its packed name."""
    file = find_file(folder, name) or find_file(folder, name + PACKED)
    return Part(name, file, 0, file.stat().st_size) if file else None


def open_pieces(pieces: Iterable[bytes]) -> BinaryIO:
    """Answers pieces as one stream, of which no more than is read at a time is ever in memory."""
    return cast(BinaryIO, io.BufferedReader(_Pieces(pieces), _PIECE))


class _Pieces(io.RawIOBase):
    """Bytes that come in pieces of any size."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)
