"""Inflates a gzip body into anonymous memory while counting, so that no bomb goes off (zlib, RFC 1952)."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from service.rosters.limits import FREE_EXPANSION, MAX_EXPANDED_BYTES, MAX_GZIP_RATIO, TooLarge

_CHUNK = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS


class BrokenGzip(Exception):
    """The body is no gzip, or ends too early; `is_cut` says which."""

    def __init__(self, *, is_cut: bool) -> None:
        super().__init__("broken gzip")
        self.is_cut = is_cut


@contextmanager
def inflate_file(path: Path) -> Iterator[Path]:
    """Answers a path to the inflated body that lives as long as the block; raises BrokenGzip and TooLarge."""
    with path.open("rb") as stream, inflate_pieces(iter(lambda: stream.read(_CHUNK), b"")) as inflated:
        yield inflated


@contextmanager
def inflate_pieces(pieces: Iterable[bytes]) -> Iterator[Path]:
    """Answers a path to what pieces of a gzip body hold, as `inflate_file` does."""
    descriptor = os.memfd_create("inflated", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as out:
            for piece in iter_inflated(pieces):
                out.write(piece)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def iter_inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the body of all members; what is inflated is counted against what was read for it."""
    inflator = zlib.decompressobj(_GZIP)
    read = inflated = 0
    for piece in pieces:
        read += len(piece)
        while piece:
            if inflator.eof:
                piece = piece if piece.strip(b"\0") else b""  # tape blocks are padded with NUL
                inflator = zlib.decompressobj(_GZIP) if piece else inflator
                continue
            out, piece = _inflate(inflator, piece)
            inflated += len(out)
            consumed = read - len(piece)
            if inflated > MAX_EXPANDED_BYTES or inflated > max(FREE_EXPANSION, MAX_GZIP_RATIO * consumed):
                raise TooLarge
            yield out
    while not inflator.eof and (out := _inflate(inflator, b"")[0]):
        yield out  # at most a window's rest
    if not inflator.eof:
        raise BrokenGzip(is_cut=True)


def _inflate(inflator: zlib._Decompress, piece: bytes) -> tuple[bytes, bytes]:
    """Answers at most one chunk of output, and the input that is still to be read."""
    try:
        out = inflator.decompress(piece, _CHUNK)
    except zlib.error:
        raise BrokenGzip(is_cut=False) from None
    return out, inflator.unconsumed_tail or inflator.unused_data
